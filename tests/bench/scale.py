#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What grows: the same operations beside more VMs, vCPUs and devices, and tables for more memory. The
figures go to build/scale.json, into the tables of docs/scale.md, and into its pictures, which hold
their points as text, so that no picture is older than its table.

From: make scale, tests/judges/test_scale.py
To:   guest/programs/peer.c (test=7, test=8), tests/kernel/scale_bench.c, tests/unit/test_scale.c
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
import bench                            # noqa: E402
import kvm                              # noqa: E402
import table                            # noqa: E402
from lab import machines                # noqa: E402
from lab.limits import check_file       # noqa: E402
from lab.say import Unusable, ended, note, write      # noqa: E402

KEPT = ROOT / "build/scale.json"
PAGE = ROOT / "docs/scale.md"
PICTURES = ROOT / "docs/scale"
COUNTER = "build/unit/test_scale"       # counts entries that are read

MOST_VCPUS, MOST_DEVICES = 8, 31        # of one VM
KEYS = {"cpuid": "an exit: CPUID", "config_vendor": "configuration read",
        "bar_off_and_on": "a BAR of 1 MiB unmapped and mapped", "irq_running": "interrupt, running",
        "irq_halted_alone": "interrupt, halted", "boot_own": "the boot's own work"}
AXES = {"VMs": (1, 2, 4, 8, 16), "vCPUs": (1, 8, 16, 32, 64),
        "devices": (1, 2, 4, 8, 16, 32, 64), "devices of the VM": (1, 2, 4, 8, 16, 31)}
KINDS = {"1g": "pages of 1 GiB", "2m": "pages of 2 MiB", "4k": "pages of 4 KiB"}
COSTS = {"map_cpu": "mapped for the CPUs", "map_device": "mapped for the devices",
         "unmap": "unmapped", "end": "tables freed", "check": "entries read by the checker",
         "tables": "tables"}
SIZES = {"64 MiB": 1 << 6, "1 GiB": 1 << 10, "8 GiB": 1 << 13, "64 GiB": 1 << 16}


def virtual_functions(count):
    """Words of the launcher for a machine with so many, and their addresses."""
    at = [f"pci=03:{n >> 3:02x}.{n & 7}" for n in range(1, count + 1)]
    machine = ["--machine", f"ecam=1,vfs={count}", "--append",
               f"console=com1{f' vfs=03:00.0,{count}' * bool(count)}"]
    return machine, at


def sleeper(n, vcpus, given):
    return ",".join(["kernel=build/guests/peer.elf", f"name=other{n}", "mem=4M", f"vcpus={vcpus}",
                     *given, f'cmdline="test=8 vcpus={vcpus}"'])


def vms(axis, count):
    """Words of the launcher: the VM that is measured, and others that sleep. Beside more devices
    these are three, whatever they have."""
    machine, own, sleepers = [], ["pci=00:02.0"], []
    if axis == "VMs":
        sleepers = [(1, [])] * (count - 1)
    elif axis == "vCPUs":
        full, rest = divmod(count - 1, MOST_VCPUS)
        sleepers = [(each, []) for each in [MOST_VCPUS] * full + [rest] * bool(rest)]
    else:
        machine, given = virtual_functions(count - 1)
        if axis == "devices":
            sleepers = [(1, given[n * MOST_DEVICES:(n + 1) * MOST_DEVICES]) for n in range(3)]
        else:
            own += given
    words = [*machine, "--vm", ",".join(["kernel=build/guests/peer.elf", "name=peer", "mem=16M",
                                         *own, "cmdline=test=7"])]
    for n, each in enumerate(sleepers):
        words += ["--vm", sleeper(n, *each)]
    return words


def beside(axis, count):
    """key -> median."""
    console, _ = bench.boot("lab", "--expect", "peer scale is done", *vms(axis, count))
    found = {key: values["median"] for key, values in kvm.numbers(console).items()}
    found |= bench.boot_parts(console, 0)
    missing = KEYS.keys() - found.keys()
    if missing:
        raise Unusable(f"{count} {axis}: no figure for {missing.pop()}")
    return {key: found[key] for key in KEYS}


def sizes(text):
    """kind -> MiB -> key -> number, of lines "scale KIND mib=N KEY=VALUE ..."."""
    found = {}
    for kind, mib, rest in re.findall(r"\bscale (\w+) mib=(\d+) (.*)$", text, re.M):
        found.setdefault(kind, {})[mib] = {key: int(value) for key, value in
                                           re.findall(r"(\w+)=(\d+)", rest)}
    return found


def memory():
    """What the lab counts in instructions, and a program of this host in entries."""
    said = subprocess.run(
        ["./hamlet", "run", "--on", "lab", "--timeout", "300", "--kernel", "build/hamlet-test.elf",
         "--append", "console=com1 ktest=bench_scale"], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace").stdout
    if "ktest: 1 passed" not in said:
        raise Unusable(f"the tables of a VM were not measured:\n{said[-1000:]}")
    found = sizes(said)
    counted = sizes(subprocess.run([ROOT / COUNTER, "scale"], capture_output=True, text=True,
                                   check=True).stdout)
    for kind, rows in counted.items():
        for mib, values in rows.items():
            found[kind].setdefault(mib, {}).update(values)
    return found


def measure():
    reason = machines.why_not("lab")
    if reason:
        raise Unusable(reason)
    check_file("", KEPT)
    found = {}
    for axis, counts in AXES.items():
        note(f"{len(counts)} boots: {', '.join(map(str, counts))} {axis}")
        found[axis] = {str(count): beside(axis, count) for count in counts}
    note("tables of 64 MiB to 64 GiB")
    found["memory"] = memory()
    write(KEPT, json.dumps(found, indent=2) + "\n")
    return found


def rows(found, name):
    """The table of an axis, or of a kind of pages: a list of cells for each row, its head first."""
    here, words = (found[name], KEYS) if name in AXES else (found["memory"][name], COSTS)
    head = [name if name in AXES else "MiB", *words.values()]
    return [head, *([at, *(str(values.get(key, "-")) for key in words)]
                    for at, values in here.items())]


def written(page, found):
    for name in (*AXES, *KINDS):
        head, *body = rows(found, name)
        lines = [f"| {' | '.join(row)} |" for row in (head, *body)]
        lines.insert(1, "|---" * len(head) + "|")
        page = table.put(page, f"make scale: {name}", lines)
    return page


def told(page=None):
    """What the page has, as measure() returns it."""
    page = PAGE.read_text() if page is None else page
    found = {"memory": {}}
    for name in (*AXES, *KINDS):
        keys = KEYS if name in AXES else COSTS
        here = {at: {key: int(cell) for key, cell in zip(keys, row) if cell != "-"}
                for at, *row in table.cells(page, f"make scale: {name}")}
        (found if name in AXES else found["memory"])[name] = here
    return found


def lines(found):
    """picture -> panel -> line -> its points."""
    grown = {axis: {words: [[int(at), values[key]] for at, values in found[axis].items()]
                    for key, words in KEYS.items()} for axis in AXES}
    by_size = {words: {KINDS[kind]: [[int(mib), values[key]] for mib, values in of_kind.items()
                                     if key in values]
                       for kind, of_kind in found["memory"].items()}
               for key, words in COSTS.items() if key != "map_device"}
    return {"others": grown, "memory": by_size}


def draw(found):
    try:
        import matplotlib
    except ImportError:
        raise Unusable("matplotlib is missing: install python3-matplotlib") from None
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hamlet", "font.size": 9})
    from matplotlib import pyplot
    PICTURES.mkdir(exist_ok=True)
    for name, panels in lines(found).items():
        figure, axes = pyplot.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.4))
        for axis, (title, drawn) in zip(axes, panels.items()):
            for label, points in drawn.items():
                axis.plot(*zip(*points), marker="o", markersize=3, label=label)
            axis.set(title=title, xscale="log", yscale="log")
            axis.minorticks_off()
            ticks = {str(at): at for at in AXES[title]} if name == "others" else SIZES
            axis.set_xticks([*ticks.values()], [*ticks])
            axis.grid(True, color="#dddddd")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=3)
        figure.tight_layout(rect=(0, 0.14, 1, 1))
        figure.savefig(PICTURES / f"{name}.svg", metadata={
            "Date": None, "Creator": None, "Description": json.dumps(panels)})


def main():
    check_file("", PAGE)
    found = measure()
    write(PAGE, written(PAGE.read_text(), found))
    draw(found)
    for name in (*AXES, *KINDS):
        print("\n".join("  ".join(cell.rjust(12) for cell in row) for row in rows(found, name)),
              end="\n\n")
    note(f"tables and pictures of {PAGE.relative_to(ROOT)} are of today")


if __name__ == "__main__":
    sys.exit(ended("scale", main))
