#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What operations cost, as a table and as build/bench.json: an object per machine. In the lab a tick
of the TSC is an instruction, so the figures are instructions, the same from run to run; nothing
here is a measurement of time.

From: make bench      To: guest/programs/bench.c, peer.c, irq-cost.c, smp.c and ipis.c, which count;
docs/peer.md (KVM's figures)
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
import profile                      # noqa: E402
import table                        # noqa: E402
from lab.limits import check_file       # noqa: E402
from lab.say import Unusable, ended, write     # noqa: E402

KEPT = ROOT / "build/bench.json"

# Of an interrupt to a vCPU that runs, is ready, is halted.
POSTED, SOFTWARE, INJECTED = (45, 495, 378), (295, 715, 486), (455, 805, 630)

# What docs/book/19 takes apart, by functions.
PARTS = {
    "registers": ("vmx_exit_point", "vmx_enter_guest"),
    "interrupt": ("interrupt_common", "irq_dispatch", "apic_eoi", "cpu_wait"),
    "message": ("exit_external_interrupt", "remapped_arrived", "vcpu_interrupted", "vcpu_post"),
    "hlt": ("exit_hlt", "inject_wakes", "leave_after"),
    "queues": ("on_wake_up", "sched_run"),
    "states": ("posted_to_running", "posted_to_halted"),
    "load": ("vcpu_load",),
    "loop": ("vcpu_run",),
    "fold": ("apicv_fold",),
}
# The handler from which profile.py follows the way, the VM, words of the command line.
PEER = "kernel=build/guests/peer.elf,name=peer,mem=64M,pci=1234:11e8"
WAYS = {
    "halted": ("on_wake_up", f"{PEER},cmdline=test=5"),
    "switch": ("exit_hlt", "kernel=build/guests/smp.elf,mem=4M,vcpus=2,cmdline=switches=100"),
    "software": ("remapped_arrived", f"{PEER},cmdline=test=2", "post=sw"),
}

# Key, what is counted, the most that it may be (None: no promise), and table.py's name for KVM's
# figure.
ROWS = [
    ("boot_own", "from GRUB's jump to the first guest: what Hamlet executes", 1000000, ""),
    ("boot_serial", "and while the line of 115200 baud is not ready", None, ""),
    ("boot_memory", "and to clear memory, and copy the kernel", None, ""),
    ("boot_devices", "and until a device is reset (100 ms), a clock measured (10)", None, ""),
    ("cpuid_exit", "CPUID, exit to next guest instruction", 110, "cpuid"),
    ("vmcall", "VMCALL that does nothing", 110, "vmcall"),
    ("trapped_in", "IN of an emulated port", 185, "in_uart"),
    ("in_pic", "the same, of the 8259", 200, "in_pic"),
    ("absent_in", "IN of a port that no device has", 180, ""),
    ("out_cf8", "OUT 0xCF8", 182, "out_cf8"),
    ("wrmsr_tsc_deadline", "WRMSR TSC_DEADLINE, disarmed", 145, "wrmsr_tsc_deadline"),
    ("wrmsr_tsc_armed", "the same, armed: a kernel's tick", 230, "wrmsr_tsc_armed"),
    ("config_vendor", "configuration read, an id", 460, "config_vendor"),
    ("config_capability", "the same, a capability from hardware", 532,
     "config_capability"),
    ("msix_entry_read", "read of a trapped register", 520, "msix_entry_read"),
    *[(f"vmcs_{exit}", f"VMREADs and VMWRITEs of it: {what}", limit, "") for exit, what, limit in (
        ("cpuid", "CPUID", 6), ("vmcall", "VMCALL", 7), ("io_instruction", "a port", 7),
        ("wrmsr", "WRMSR", 6), ("ept_violation", "a trapped register", 15))],
    ("passed_in", "IN of an assigned device's port", 5, "io_bar_in8"),
    ("direct_mmio_read", "read of an assigned device's register", 5, "bar_read"),
    ("irq_running_posted_exits", "exits of 50 device interrupts, posted by VT-d", 0, ""),
    *[(f"irq_{state}_{way}", f"MSI to handler: vCPU {state}, {how}",
       limit, f"{kvm}:irq_{state}{'_alone' if state == 'halted' else ''}")
      for way, how, limits, kvm in (
          ("posted", "posted by VT-d", POSTED, "posted"),
          ("software", "posted by software", SOFTWARE, "remapped"),
          ("injected", "injected, no APICv", INJECTED, "injected"))
      for state, limit in zip(("running", "ready", "halted"), limits)],
    ("ipi_sender_exit", "an IPI to a vCPU that runs, at its sender: by an exit", 400, ""),
    ("ipi_sender_virtual", "posted by the CPU (IPI virtualization)", 30, ""),
    ("ipi_handler_exit", "from the sender to the handler: by an exit", 290, ""),
    ("ipi_handler_virtual", "posted by the CPU", 60, ""),
    ("vcpu_switch", "a vCPU leaves the CPU, another comes; FPU, MSRs", 410, ""),
    *[(f"{way}_{part}", f"{way}: {functions[0]} ...", None, "")
      for way in WAYS for part, functions in PARTS.items()],
    ("trace_on_cost", "what a trace adds to an exit", 45, ""),
    ("trace_off_cost", "what looking whether there is one adds", 5, ""),
    ("leaks_on_cost", "what leaks of a CPU that has all of them add to an exit", 145, ""),
    ("leaks_off_cost", "and those of one that has none", 0, ""),
    ("inv_qi_page", "IOTLB flush of one page, by the queue", None, ""),
    ("inv_reg_page", "the same by registers", None, ""),
    ("inv_qi_domain", "IOTLB flush of a domain, by the queue", None, ""),
    ("inv_reg_domain", "the same by registers", None, ""),
    ("inv_qi_global", "context-cache and IOTLB flush of everything, by the queue", None, ""),
    ("inv_reg_global", "the same by registers", None, ""),
    ("inv_qi_map_unmap", "one page mapped and unmapped, by the queue", None, ""),
    ("inv_reg_map_unmap", "the same by registers", None, ""),
    ("dma_vtd_transfer", "DMA of 2 KiB, dma=vtd", None, ""),
    ("dma_pv_transfer", "the same with dma=pv, a page pinned and let go", None, ""),
    ("dma_pv_page_of_16", "a page pinned and let go, 16 at once", None, ""),
    ("dma_identity_transfer", "the same with dma=identity", None, ""),
]


def boot(machine, *words):
    """A run's console, and what it says by lines "bench KEY=VALUE"."""
    run = subprocess.run(["./hamlet", "run", "--on", machine, "--timeout", "120", *words], cwd=ROOT,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    found = {key: int(value) for key, value in re.findall(r"\| bench (\w+)=(\d+)", run.stdout)}
    if not re.search(r"\| (bench|peer) ", run.stdout) or "FAIL" in run.stdout:
        raise Unusable(f"the run on {machine} ended with "
                       f"{run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-500:]}")
    return run.stdout, found


def boot_parts(console, rest):
    """Hamlet's line "boot: us=..." in ticks, with what it and the guest execute from there to the
    guest's main(). Hamlet counts its waits itself: a tick is an instruction, so nothing is guessed,
    and only the time of that line on the way to the terminal is left out."""
    khz = int(re.search(r"tsc_khz=(\d+)", console)[1])
    parts = dict(re.findall(r"(\w+)=(\d+)", re.search(r"boot: us=.*", console)[0]))
    ticks = {key: int(parts[key]) * khz // 1000 for key in ("own", "serial", "memory", "devices")}
    return {f"boot_{key}": n + (rest if key == "own" else 0) for key, n in ticks.items()}


def figures(machine, *words):
    console, found = boot(machine, "--vm", "kernel=build/guests/bench.elf,name=bench,mem=16M,"
                          "pci=1234:11e8", *words)
    rest = found.pop("boot_rest")
    return found | boot_parts(console, rest)


def operations(*words):
    """One operation at a time; the median of each is what counts, so no tick of the CPU."""
    console, _ = boot("lab", "--vm", profile.VM, *words)
    return {key: int(value) for key, value in re.findall(r"\| peer (\w+) .*median=(\d+)", console)}


def vmcs_accesses():
    """What costs one instruction here, and some 30 cycles on hardware."""
    return {f"vmcs_{exit}": sum(map(profile.is_vmcs, profile.steps(f"exit_{exit}", profile.VM)))
            for exit in ("cpuid", "vmcall", "io_instruction", "wrmsr", "ept_violation")}


def trace_costs(plain):
    """The same exit with a trace, and by a Hamlet that was built without any."""
    subprocess.run(["make", "-s", "O=build/no-trace", "EXTRA_CFLAGS=-DTRACE_NEVER",
                    "build/no-trace/hamlet.elf"], cwd=ROOT, check=True)
    traced = operations("--append", "console=com1 trace=on")
    without = operations("--kernel", "build/no-trace/hamlet.elf")
    return {"trace_on_cost": traced["cpuid"] - plain["cpuid"],
            "trace_off_cost": plain["cpuid"] - without["cpuid"]}


def leak_costs(plain):
    """The same exit on a CPU with all leaks, and without any measure."""
    leaky = operations("--machine", "arch_capabilities=0,commands=1")
    without = operations("--append", "console=com1 mitigations=off")
    return {"leaks_on_cost": leaky["cpuid"] - plain["cpuid"],
            "leaks_off_cost": plain["cpuid"] - without["cpuid"]}


def invalidations():
    """A unit's caches flushed by queue and by registers; tests/kernel/vtd_bench.c counts."""
    found = {}
    for way in ("qi", "reg"):
        found |= boot("lab", "--kernel", "build/hamlet-test.elf", "--append",
                      f"console=com1 ktest=bench_invalidation inv={way}")[1]
    return found


def dma_modes():
    """The same transfer with translation, with addresses by hypercall, and with memory at its
    own address."""
    found = {}
    for number, mode in enumerate(("vtd", "pv", "identity")):
        vm = (f"kernel=build/guests/dma-modes.elf,mem=24M,pci=00:02.0,dma={mode},"
              f"cmdline=mode={number}")
        found |= boot("lab", "--append", "console=com1 identity=64M", "--vm", vm)[1]
    return found


def interrupts():
    """From a device's MSI to the guest's handler, in three states of the vCPU and by three ways
    of delivery."""
    found = {}
    for way, words in (("posted", "post=hw"), ("software", "post=sw"), ("injected", "apicv=off")):
        for state, vcpus in ((1, 1), (2, 2), (3, 1)):
            vm = (f"kernel=build/guests/irq-cost.elf,mem=16M,vcpus={vcpus},pci=1234:11e8,"
                  f"cmdline=state={state}")
            _, got = boot("lab", "--append", f"console=com1 {words}", "--vm", vm)
            found |= {key.replace("_exits", f"_{way}_exits") if "exits" in key
                      else f"{key}_{way}": value for key, value in got.items()}
    return found


def ways():
    """The parts of three ways, from the exit or the host's interrupt to the entry."""
    part_of = {name: part for part, functions in PARTS.items() for name in functions}
    found = {f"{way}_{part}": 0 for way in WAYS for part in PARTS}
    for way, run in WAYS.items():
        for name, _ in profile.steps(*run):
            if name not in part_of:
                raise Unusable(f"{way}: no part has {name}()")
            found[f"{way}_{part_of[name]}"] += 1
    return found


def ipis():
    """To a vCPU that runs on another CPU; the two advance in steps, so the figure is a mean."""
    vm = 'kernel=build/guests/ipis.elf,mem=4M,vcpus=2,cmdline="x2apic=1 bench=1000"'
    found = {}
    for way, word in (("virtual", "on"), ("exit", "off")):
        _, got = boot("lab", "--cpus", "2", "--machine", "model=sapphire_rapids", "--append",
                      f"console=com1 mitigations=off ipiv={word}", "--vm", vm)
        found |= {f"{key}_{way}": value for key, value in got.items()}
    return found


def main():
    check_file("", KEPT)
    results = {"lab": figures("lab")}
    results["lab"] |= boot("lab", "--vm",
                           "kernel=build/guests/smp.elf,mem=4M,vcpus=2,cmdline=switches=300")[1]
    results["lab"] |= operations() | vmcs_accesses()
    results["lab"] |= trace_costs(results["lab"]) | leak_costs(results["lab"]) | invalidations()
    results["lab"] |= dma_modes() | interrupts() | ways() | ipis()
    over = []
    page = table.told()
    print(f"{'lab: instructions per operation':72} {'Hamlet':>10} {'at most':>8}  "
          f"KVM (without APICv), by make peer")
    for key, words, limit, kvm in ROWS:
        value = results["lab"][key]
        if limit is None and not value:  # a part that this way does not come to
            continue
        print(f"{key:25} {words:46} {value:10} {'' if limit is None else limit:>8}  "
              f"{table.beside(page, kvm)}".rstrip())
        if limit is not None and value > limit:
            over.append(key)
    write(KEPT, json.dumps(results, indent=2) + "\n")
    if over:
        raise Unusable(f"more than it may cost: {', '.join(over)}")


if __name__ == "__main__":
    sys.exit(ended("bench", main))
