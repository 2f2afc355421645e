# SPDX-License-Identifier: MIT
"""
What Hamlet writes to the port of `report=`, which no guest can reach: the lines of its report, and
the events of a trace while it is made, a record of 34 bytes each.

From: lab/machines/boot.py (Ended), the launcher `hamlet`      To: arch/log.c (console_report),
monitor/cmd/trace.c (send_event) have the form
"""

import struct

PORT = "0xe9"      # the emulators' debug port: a byte at any time, and no wait
RECORD = 2
EVENT = struct.Struct("<B4Q")


def read(data):
    """(the lines as text, the trace as text in the form of `trace dump`). What is cut off at the
    end, and what the firmware may have written, counts for nothing."""
    lines, trace, at = [], [], 0
    while at < len(data):
        if data[at] == RECORD:
            at += 1 + EVENT.size
            if at <= len(data):
                cpu, *words = EVENT.unpack_from(data, at - EVENT.size)
                trace.append("trace: e {} {:x} {:x} {:x} {:x}".format(cpu, *words))
            continue
        end = data.find(b"\n", at)
        if end < 0:
            break
        line = data[at:end].decode("utf-8", "replace")
        (trace if line.startswith("trace: ") else lines).append(line)
        at = end + 1
    if any(line.startswith("hamlet: end ") for line in lines):
        trace.append("trace: end")
    return "".join(line + "\n" for line in lines), "".join(line + "\n" for line in trace)
