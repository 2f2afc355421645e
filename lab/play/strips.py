# SPDX-License-Identifier: MIT
"""
The strips of the book: which run, which of its steps, what is shown with them.

From: lab/play/frames.py, which draws them, lab/play/pictures.py (the runs)
"""

from dataclasses import dataclass

DESCRIPTOR = [f"vcpu/alpha.0/{name}" for name in ("sn", "on", "nv", "pir", "virr", "visr")]
APIC = [f"vcpu/alpha.0/{name}" for name in ("on", "pir", "virr", "visr", "rvi", "svi", "vppr")]
CACHES = ["unit0/context/00:02.0", "unit0/iotlb/00:02.0 0x0"]
TURN = ["pid running", "pid taken", "cpu0 entry", "cpu0 delivered"]


@dataclass
class Strip:
    run: str
    steps: list             # a regex for the event of each
    vcpu: str = "alpha.0"
    shows: tuple = ()       # paths of the state
    chain: str = ""         # of the first interrupt that met its vCPU in this state


STRIPS = {
    "trap": Strip("posting", ["device 00:02.0 bar0 offset=0x60 .*<-", "cpu0 exit reason=30",
                              "pio port=0x3f8 .*<- 0x72", "cpu0 entry"]),
    "boot": Strip("dma", ["unit0 gcmd root-table", "unit0 queue wait",
                          "unit0 gcmd translation=1 remapping=0", "unit0 gcmd .*remapping=1",
                          "device 00:02.0 reset", "cpu0 entry"]),
    "entry": Strip("first", ["pid running", "sched runs", "cpu0 entry", "cpu0 exit reason=37",
                             "sched stopped"], "one-instruction.0"),
    "port": Strip("first", ["cpu0 exit reason=30", "pio port=0x3f8 .*<- 0x48", "cpu0 entry"],
                  "hello.0"),
    "walk": Strip("dma", ["unit0 second-stage .*level=4", "unit0 second-stage .*level=3",
                          "unit0 second-stage .*level=2", "unit0 iotlb fill", "unit0 dma read",
                          "device 00:02.0 dma read"], shows=CACHES),
    "mmio": Strip("posting", ["cpu0 exit reason=48", "mmio .*<- 0x51", "cpu0 entry"]),
    "end": Strip("dma", ["cpu0 exit reason=30", "pio port=0xf4", "sched stopped"]),
    "chain": Strip("posting", ["config 00:01.0 reg=0x34 ", "config 00:01.0 reg=0x40 ",
                               "config 00:01.0 reg=0x41 ", "config 00:01.0 reg=0x60 "]),
    "header": Strip("dma", ["cpu0 exit reason=30", "config 00:01.0 reg=0x4 .*<- 0x7",
                            "cpu0 entry", "config 00:01.0 reg=0x10 .*->"]),
    "moved": Strip("moved", ["config 00:01.0 reg=0x10 .*<- 0xe0000000", "unit0 queue fetched",
                             "unit0 queue wait", "cpu0 exit reason=48", "mmio 0xd0000000 .*->",
                             "device 00:02.0 bar0 offset=0x0 .*->"]),
    "given": Strip("dma", ["device 00:02.0 reset", "config 00:01.0 reg=0x4 .*<- 0x7",
                           "unit0 context fill", "sched stopped", "device 00:02.0 reset",
                           "unit0 table written context", "unit0 context gone",
                           "unit0 queue wait"], shows=CACHES[:1]),
    "request": Strip("dma", ["device 00:02.0 bar0 offset=0x98 .*<-", "unit0 root entry",
                             "unit0 context entry", "unit0 context fill"], shows=CACHES[:1]),
    "dma": Strip("dma", ["device 00:02.0 bar0 offset=0x98 .*<- 0x3", "unit0 iotlb hit",
                         "unit0 dma write", "device 00:02.0 dma write"], shows=CACHES),
    "flush": Strip("dma", ["unit0 table written context", "unit0 context superseded",
                           "unit0 iotlb superseded", "unit0 queue fetched .*1$",
                           "unit0 context gone", "unit0 iotlb gone", "unit0 queue wait"],
                   shows=CACHES),
    "fault": Strip("fault", ["device 00:02.0 bar0 offset=0x98 .*<- 0x3", "unit0 fault",
                             "cpu0 exit reason=1", "fault source-id", "cpu0 entry"]),
    "message": Strip("posting", ["device .*message", "unit0 iec", "unit0 post", "unit0 notify"],
                     shows=DESCRIPTOR[:4], chain="running"),
    "apic": Strip("posting", ["cpu0 notified", "cpu0 folded", "cpu0 delivered", "cpu0 eoi"],
                  shows=APIC, chain="running"),
    "ready": Strip("posting", ["unit0 post", "pid running", *TURN], shows=DESCRIPTOR,
                   chain="ready"),
    "halted": Strip("posting", ["unit0 post", "unit0 notify", "cpu0 exit", "pid ready", *TURN],
                    shows=DESCRIPTOR, chain="halted"),
    "forged": Strip("forged", ["device 00:02.0 bar0 offset=0x98 .*<- 0x3", "unit0 iec",
                               "unit0 fault", "device 00:02.0 dma write", "cpu0 exit reason=1",
                               "fault source-id"]),
    "stale": Strip("unflushed", ["unit0 table written interrupt", "unit0 iec superseded",
                                 "cpu0 entry", "device 00:02.0 message", "unit0 iec stale",
                                 "unit0 post"], shows=["unit0/iec/5"]),
    "line": Strip("line", ["device 00:02.1 intx=1", "unit0 interrupt remapped",
                           "cpu0 exit reason=1 ", "device 00:02.1 intx=0", "pid posted",
                           "cpu0 entry", "cpu0 delivered", "cpu0 exit reason=45"],
                  shows=DESCRIPTOR[3:]),
}
