# SPDX-License-Identifier: MIT
"""
`nested`: Bochs -> Linux with KVM -> QEMU with its VT-d unit and devices -> Hamlet. The proof that
does not rest on a model of ours: KVM's nested VMX and QEMU's devices are other people's.

From: lab/machines/__init__.py, tests/cases/conftest.py (keeps one Server for all its cases)
To:   lab/nested/image.py, lab/nested/init (the other end of the line), lab/machines/qemu.py (the
command line)

Linux takes most of a minute to start, so a Server is started once and runs any number of boots. A
case travels on a disk: Bochs reads a flat disk image straight from the file, so we write the file
while the machine runs, and Linux drops its caches before it reads.

Options: apicv=off (KVM without APICv, and so without nested posting), iommu=... as in qemu.py.
"""

import base64
import os
import pty
import select
import shlex
import shutil
import tempfile
import time
import tty
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from lab.bochs import build, cpu
from lab.machines import bochs, qemu
from lab.machines.boot import Ended, Keyboard, read, stop, type_in
from lab.nested import image
from lab.say import Progress, Unusable

MEGS = 1024
EXCHANGE = 64 << 20        # bytes of the disk that carries a case
BLOCK = 1 << 16            # of a guest's disk: one of zeros alone is not carried
START_LIMIT = 3000         # seconds for Linux to come up, against a hang only
CLOCKS_APART = 1           # seconds, as both are rounded

CONFIG = """\
megs: {megs}
{cpu}
romimage: file={rom}
vgaromimage: file={vga_rom}
display_library: nogui
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata0-master: type=cdrom, path={iso}, status=inserted
ata0-slave: type=disk, mode=flat, path={programs}
ata1-master: type=disk, mode=flat, path={exchange}
com1: enabled=1, mode=file, dev={kernel_log}
com2: enabled=1, mode=term, dev={line}
clock: sync=none, time0=946681200
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
"""


def _put_disk(target, image):
    """Leave the blocks of the image that are not all zero; returns the commands that put them in
    their places."""
    data = image.read_bytes()
    blocks = [n for n in range(-(-len(data) // BLOCK))
              if data[n * BLOCK:(n + 1) * BLOCK].strip(b"\0")]
    parts = target.with_name(f"{target.name}.parts")
    parts.write_bytes(b"".join(data[n * BLOCK:(n + 1) * BLOCK] for n in blocks))
    commands = []
    # blocks that follow each other
    for _, run in groupby(enumerate(blocks), lambda at: at[1] - at[0]):
        (part, block), *more = run
        commands.append(f"dd if={parts.name} of={target.name} bs={BLOCK} skip={part} seek={block} "
                        f"count={1 + len(more)} conv=notrunc 2>/dev/null")
    return "\n".join([*commands, f"truncate -s {len(data)} {target.name}", f"rm {parts.name}", ""])


def why_not():
    return bochs.why_not() or image.why_not()


def run(boot, console):
    """One boot on a machine of its own."""
    if boot.gdb or boot.debug:
        raise Unusable("nested: no debugger reaches into QEMU there; use --on tcg, kvm or lab")
    with Server() as server:
        return server.run(boot, console)


class Server:
    """A running Linux that boots what it is given. Use as a context, or call close()."""

    def __init__(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="hamlet-nested-"))
        self.child = None
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.child:
            stop(self.child)
            os.close(self.line)
            os.close(self.other)
            self.child = None
        shutil.rmtree(self.scratch, ignore_errors=True)

    def start(self):
        """Start Bochs; returns at once. run() waits until Linux is there."""
        home, folder = build.ensure(), image.ensure()
        self.scratch.mkdir(exist_ok=True)
        exchange = self.scratch / "exchange.img"
        exchange.write_bytes(image.whole_disk(b"", EXCHANGE))
        programs = self.scratch / "programs.img"  # Bochs locks a disk by a file beside its name
        programs.unlink(missing_ok=True)
        programs.symlink_to(folder / "programs.img")
        self.line, self.other = pty.openpty()
        tty.setraw(self.other)
        self.log = self.scratch / "bochs.log"
        text = CONFIG.format(megs=MEGS, cpu=cpu(), rom=bochs.ROM, vga_rom=bochs.VGA_ROM,
                             iso=folder / "linux.iso", programs=programs, exchange=exchange,
                             kernel_log=self.scratch / "kernel.log", line=os.ttyname(self.other),
                             log=self.log)
        self.child = bochs.start(home, self.scratch, text)
        self.ready = False
        self.pending = b""

    def run(self, boot, console):
        """Boot one case; a machine that got stuck in it is given up, and the next case starts a
        new one."""
        if self.child is None or self.child.poll() is not None:
            self.start()
        if not self.ready:
            self._wait_ready()
        self._send(boot)
        ended = self._listen(boot, console)
        if ended.how not in ("off", "broken"):       # it runs on in there
            self.close()
        return ended

    def _wait_ready(self):
        progress = Progress("nested: starting Linux and KVM in Bochs")
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and self.child.poll() is None:
            line = self._line(1)
            progress.tick("...")
            if line and line.startswith(b"\1ready "):
                self._compare_clocks(*map(int, line.split()[1:]))
                self.ready = True
                progress.done("ready")
                return
        tail = (self.scratch / "kernel.log").read_text(errors="replace").strip().splitlines()[-3:]
        self.close()
        raise Unusable(
            f"nested: Linux did not start in Bochs: {' | '.join(tail) or 'it said nothing'}")

    def _compare_clocks(self, linux, machine):
        """Linux counts ticks of the TSC since the start, and Bochs the seconds of its RTC."""
        if abs(linux - machine) > CLOCKS_APART:
            self.close()
            raise Unusable(f"nested: Linux' clock has gone {linux - machine:+d} s away from the "
                           "machine's: it takes the TSC for one of another frequency")

    def _send(self, boot):
        """Write the case to the exchange disk, and announce it."""
        folder = self.scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        for name, data in boot.files.items():
            (folder / "out" / name).write_bytes(data)
        shutil.copy(boot.iso, folder / "hamlet.iso")
        line = qemu.arguments(replace(boot, disks={name: name for name in boot.disks}), "kvm",
                              "hamlet.iso", "out")
        grow = "".join(_put_disk(folder / name, Path(path)) for name, path in boot.disks.items())
        (folder / "start").write_text(f"{grow}exec {shlex.join(line)} -L /programs\n")
        archive = image.cpio(folder)
        if len(archive) > EXCHANGE:
            raise Unusable(f"nested: ISO and disks are {len(archive) >> 20} MiB, and "
                           f"{EXCHANGE >> 20} is the most that it takes")
        with open(self.scratch / "exchange.img", "r+b") as disk:
            disk.write(archive)
        apicv = "0" if boot.options.get("apicv") == "off" else "1"
        os.write(self.line, f"run {len(archive)} {apicv}\n".encode())

    def _listen(self, boot, console):
        """Everything up to init's end line: the console's bytes, then the files."""
        end, files, name, began = time.monotonic() + boot.timeout, {}, None, False
        with Keyboard(console.show) as keyboard:
            while time.monotonic() < end and self.child.poll() is None:
                self._type(keyboard)
                if began and name is None and not self._pass(console):
                    continue
                if console.end:
                    return Ended(console.end, console.text())
                line = self._line(0.1)
                if line is None:
                    continue
                if line == b"\1begin":
                    began = True
                elif line.startswith(b"\1file "):
                    name = line[6:].decode()
                    files[name] = b""
                elif line.startswith(b"\1end "):
                    return self._ended(console, int(line[5:]), files)
                elif name is not None:
                    files[name] += line
        how = "timeout" if self.child.poll() is None else "broken"
        return Ended(how, console.text(), "" if how == "timeout" else "Bochs ended under Linux")

    def _ended(self, console, status, files):
        files = {name: base64.b64decode(data) for name, data in files.items()}
        errors = files.pop("errors", b"").decode(errors="replace").strip()
        report = files.pop("report", b"")
        if status:
            return Ended("broken", console.text(), f"QEMU ended with status {status}: {errors}",
                         files, report)
        return Ended("off", console.text(), errors, files, report)

    def _type(self, keyboard):
        if keyboard.fd is not None and select.select([keyboard.fd], [], [], 0)[0]:
            os.write(self.line, os.read(keyboard.fd, 256))

    def _pass(self, console):
        """Hand over what is the guest's: all up to a byte 0x01, which begins a line of init's. True
        if one is there."""
        if b"\1" not in self.pending:
            self._fill(0.1)
        text, mark, rest = self.pending.partition(b"\1")
        self.pending = mark + rest
        if text:
            type_in(self.line, console.take(text))
        return bool(mark)

    def _line(self, wait):
        """One whole line, without its end; None if there is none yet."""
        if b"\n" not in self.pending:
            self._fill(wait)
        line, newline, rest = self.pending.partition(b"\n")
        if not newline:
            return None
        self.pending = rest
        return line.strip(b"\r")

    def _fill(self, wait):
        if select.select([self.line], [], [], wait)[0]:
            self.pending += read(self.line)
