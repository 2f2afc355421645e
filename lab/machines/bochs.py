# SPDX-License-Identifier: MIT
"""
`lab`: Bochs, mended, on a host without VT-x. Complete (APICv, posted interrupts) and fast (a boot
in a second).

From: lab/machines/__init__.py
To:   lab/bochs/build.py, lab/bochs/plugin/build.py (VT-d unit and device), lab/bochs/dmar.py
(their table)

Options: model (default corei7_skylake_x, which then leaks nothing), threads (of each core), cores
(of each package), vmx=off (locked off by the firmware), stock=1 (Bochs without the mends),
serial=off (no serial port: the console is then what Hamlet reports to port 0xE9), vtd=off (no unit,
no DMAR table). Every other one describes processor, unit and device: units=, slow=, ...
(docs/lab.md). An output "trace" is what they did.
"""

import os
import pty
import re
import subprocess
import tempfile
import tty
from pathlib import Path

from lab.bochs import LEAKS_NOTHING, MODEL, build, cpu, dmar
from lab.bochs.plugin import build as plugin
from lab.machines.boot import WITH_US, Ended, Line, stop, watch
from lab.say import Unusable

ROM = Path("/usr/share/bochs/BIOS-bochs-latest")
VGA_ROM = Path("/usr/share/vgabios/vgabios.bin")
HERE = ("edu", "pcie-root-port")  # of QEMU's devices: what is here anyway, or has no part here
MODEL = "corei7_skylake_x"
# options that are not part of the description of unit and device
OURS = ("model", "threads", "cores", "vmx", "stock", "serial", "vtd")

# time0 is fixed so that every run is the same run.
CONFIG = """\
megs: {megs}
{cpu}
romimage: file={rom}
vgaromimage: file={vga_rom}
display_library: nogui
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
{disk}{console}
clock: sync=none, time0=946681200
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
"""


def why_not():
    for path, package in ((ROM, "bochsbios"), (VGA_ROM, "vgabios")):
        if not path.exists():
            return f"{path} is missing: install {package}"
    return None


def tables(options, cpus):
    """ACPI tables that Bochs' firmware has not got: signature -> bytes."""
    found = {}
    if options.get("vtd") != "off":
        found["DMAR"] = dmar.table(options, cpus)
    if int(options.get("ecam", "0"), 0):
        found["MCFG"] = dmar.mcfg()
    return found


def run(boot, console):
    if len(boot.disks) > 1:
        raise Unusable("lab: there is room for one disk")
    if boot.devices:
        raise Unusable(f"lab: no {boot.devices[0]} there (--device is for QEMU; lab has its own "
                       f"1234:11e8, docs/lab.md)")
    with tempfile.TemporaryDirectory(prefix="hamlet-lab-") as name:
        return _run(Path(name), boot, console)


def _run(scratch, boot, console):
    home = build.ensure("gdb" if boot.debug else "stock" if boot.options.get("stock") else "mended")
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    log = scratch / "bochs.log"
    text = CONFIG.format(megs=boot.megs, cpu=_cpu(boot),
                         rom=ROM, vga_rom=VGA_ROM, iso=boot.iso, disk=_disk(boot, scratch),
                         console=_console(boot, theirs), log=log)
    if boot.debug:
        text += f"gdbstub: enabled=1, port={boot.debug}, text_base=0, data_base=0, bss_base=0\n"
    with Line(boot.gdb) as line:
        if boot.gdb:
            text += f"com2: enabled=1, mode=term, dev={line.name}\n"
        child = start(home, scratch, text, boot.options.get("vmx") == "off", plugin.ensure(home),
                      _description(boot, scratch))
        try:
            how = watch(child, ours, ours, console, boot.timeout, line)
        finally:
            stop(child)
            os.close(ours)
            os.close(theirs)
    port_e9 = (scratch / "bochs.out").read_bytes()
    if boot.options.get("serial") == "off":
        console.take(port_e9)
    result = ended(how, console, log)
    result.report = port_e9
    if "trace" in boot.outputs:
        result.files["trace"] = (scratch / "trace").read_bytes()
    return result


def _cpu(boot):
    return cpu(boot.cpus, boot.options.get("model", MODEL), int(boot.options.get("threads", "1")),
               int(boot.options.get("cores", "1")))


def _description(boot, scratch):
    """Unit and device in the words of HAMLET_LAB."""
    words = [f"{key}={value}" for key, value in boot.options.items() if key not in OURS
             and key not in dmar.ONLY_TABLE]
    if boot.options.get("vtd") == "off":
        words.append("units=0")
    if not {"model", "arch_capabilities"} & boot.options.keys():
        words.append(f"arch_capabilities={LEAKS_NOTHING:#x}")
    if "trace" in boot.outputs:
        words.append(f"trace={scratch / 'trace'}")
    return ",".join(words)


def _disk(boot, scratch):
    """The one disk there is room for, which stays as it is: Bochs writes to a file of its own."""
    if not boot.disks:
        return ""
    (path,) = boot.disks.values()
    link = scratch / "disk.img"      # Bochs locks a disk, and writes, beside its name
    link.symlink_to(Path(path).resolve())
    return f"ata0-slave: type=disk, mode=volatile, path={link}\n"


def _console(boot, line):
    if boot.options.get("serial") == "off":
        return "com1: enabled=0\nport_e9_hack: enabled=1"
    return f"com1: enabled=1, mode=term, dev={os.ttyname(line)}\nport_e9_hack: enabled=1"


def start(home, scratch, text, vmx_off=False, plugins=None, description=""):
    """Start Bochs with the configuration `text`; `plugins`: a folder other than its own."""
    config = scratch / "bochsrc"
    config.write_text(text)
    environment = dict(os.environ, LTDL_LIBRARY_PATH=str(plugins or home / "plugins"),
                       HAMLET_LAB=description)
    if vmx_off:
        environment["HAMLET_LAB_VMX_OFF"] = "1"
    with open(scratch / "bochs.out", "w") as out, open(scratch / "bochs.err", "w") as errors:
        return subprocess.Popen([*WITH_US, str(home / "source/bochs"), "-q", "-f", str(config)],
                                env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=errors)


def ended(how, console, log):
    """Bochs ends a power-off by way of a "panic" line, which is normal; any other one is the
    machine breaking down."""
    if how != "off":
        return Ended(how, console.text())
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    panics = [line for line in lines if re.match(r"^\d+p", line)]
    if not panics or re.search("soft power off|Shutdown port", panics[-1]):
        return Ended("off", console.text())
    return Ended("broken", console.text(), panics[-1].strip())
