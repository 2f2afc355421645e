# SPDX-License-Identifier: MIT
"""
What is started on a machine, what is seen of it, and what came of it.

From: lab/machines/*.py, the launcher `hamlet`, tests/cases/conftest.py
"""

import contextlib
import os
import pty
import random
import re
import select
import socket
import sys
import termios
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path

from lab import channel, report
from lab.lines import Lines
from lab.say import Unusable

BURST, BURST_PAUSE = 8, 0.03    # bytes, seconds
PACE = os.environ.get("HAMLET_PACE", "")    # of this end of a line, for tests: slow, bytes
SLOW = 0.05, 0.3    # seconds before a read and before what is typed, at random

END_ALL = b"\x01x"    # Ctrl-A x at the console: every VM ends, and is reported
LAST_ANSWER = 10    # seconds for that
# An emulator ends when we do, however we end.
WITH_US = ("setpriv", "--pdeathsig", "KILL")


@dataclass
class Boot:
    """One start of a machine."""
    iso: Path
    cpus: int = 1
    megs: int = 256
    devices: list = field(default_factory=list)  # QEMU -device values
    outputs: list = field(default_factory=list)  # files that the machine writes, by chardev=NAME
    timeout: float = 60
    gdb: int = 0                                 # TCP port of the second serial line; 0: none
    debug: int = 0                               # TCP port of the emulator's own stub; 0: none
    options: dict = field(default_factory=dict)  # of one machine: model=, apicv=off, firmware=uefi
    files: dict = field(default_factory=dict)    # name -> bytes before the start: {folder}/NAME
    extras: list = field(default_factory=list)   # more of QEMU's options
    disks: dict = field(default_factory=dict)    # name -> path of an image; lab, nested: a copy


@dataclass
class Ended:
    """How it ended. how: "off" (powered off), "seen" (what was wanted came), "panic" (Hamlet
    stopped itself), "timeout", "broken" (see detail)."""
    how: str
    text: str = ""
    detail: str = ""
    files: dict = field(default_factory=dict)      # Boot.outputs: name -> bytes
    raw: bytes = b""                               # what came, with the sequences of a terminal
    report: bytes = b""                            # of the port of report=: lab/channel.py

    def said(self):
        """Hamlet's report: what came by its own port, and where nothing did, by the console."""
        lines = channel.read(self.report)[0]
        return lines if "hamlet: boot " in lines else self.text

    def trace(self):
        """What came of a trace, in the form of `trace dump`."""
        return channel.read(self.report)[1]


class Console:
    """
    The serial line of a machine: everything it says is kept, shown if asked for, and looked through
    for what is wanted, and for the end of a panic; what the user types, or a case has prepared,
    goes the other way. An answer is a text, or a function that makes one of what was seen.
    """

    def __init__(self, show=False, wanted=None, answers=(), wants_screens=False, panic_ends=True):
        self.bytes = bytearray()
        self.lines = Lines()
        self.wants_screens = wants_screens    # at the end, also where it is not the machine's own
        self.show = show
        self.wanted = wanted            # lab.lines.Wanted
        self.prepare(answers)
        self.searched = self.typed = 0      # the ends of the last moment and before the last answer
        self.panic_ends = panic_ends
        self.end = ""                   # how the run is to end now: "seen", "panic"

    def text(self):
        return self.lines.text()

    @staticmethod
    def _show(data, lines):
        """A terminal gets the bytes; a file or a pipe lines, without a terminal's sequences."""
        if not sys.stdout.isatty():
            data = "".join(f"{line}\n" for line in lines).encode()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def prepare(self, answers):
        self.answers = [(re.compile(pattern.encode()), reply) for pattern, reply in answers]

    def take(self, data):
        """Bytes from the machine; returns what is to be typed in answer."""
        self.bytes += data.replace(b"\r", b"")
        lines = self.lines.take(data)
        if self.show:
            self._show(data, lines)
        if self.wanted and self.wanted.take(lines, self.lines.rest):
            self.end = "seen"
        elif self.panic_ends and any(report.PANIC.match(line) for line in lines):
            self.end = "panic"
        return self._answer()

    def _answer(self):
        while self.answers:
            pattern, reply = self.answers[0]
            ends = pattern.pattern.endswith(b"$")
            match = pattern.search(self.bytes, self.typed if ends else self.searched)
            if not match:
                break
            if not ends:
                self.searched = match.end()
            del self.answers[0]
            said = (reply(match) if callable(reply) else reply).encode()
            if said:
                self.typed = len(self.bytes)
                return said
        return b""


class Keyboard:
    """The user's terminal, a key at a time (Ctrl-C still ends the launcher); nothing if stdin is
    no terminal."""

    def __init__(self, wanted):
        self.fd = sys.stdin.fileno() if wanted and sys.stdin.isatty() else None

    def __enter__(self):
        if self.fd is not None:
            self.saved = termios.tcgetattr(self.fd)
            tty.setcbreak(self.fd)
        return self

    def __exit__(self, *_):
        if self.fd is not None:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


class Line:
    """
    The machine's second serial port as a TCP port of this host, for one debugger at a time. No
    debugger is let in before Hamlet listens: a port that is not set up yet loses what it is sent.
    Without a port, nothing.
    """
    READY = re.compile(rb"^\[\d+\] gdb: ", re.M)

    def __init__(self, port):
        self.port, self.client, self.listens = port, None, False
        if not port:
            return
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.server.bind(("127.0.0.1", port))
        except OSError as problem:
            raise Unusable(f"--gdb {port}: {problem.strerror}") from None
        self.ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.name = os.ttyname(self.theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.port:
            self._hang_up()
            self.server.close()
            os.close(self.ours)
            os.close(self.theirs)

    def sources(self, console):
        """What to wait for."""
        if not self.port:
            return []
        if not self.listens and self.READY.search(console.bytes):
            self.server.listen(1)
            self.listens = True
        if self.client:
            return [self.client, self.ours]
        return [self.server, self.ours] if self.listens else [self.ours]

    def serve(self, ready):
        if not self.port:
            return
        if self.server in ready:
            self.client = self.server.accept()[0]
            termios.tcflush(self.ours, termios.TCIOFLUSH)      # of the last one
        if self.client in ready:
            data = self._received()
            if data:
                os.write(self.ours, data)
            else:
                self._hang_up()
        if self.ours in ready:
            self._send(read(self.ours))     # for no client: the machine waits for no one

    def _received(self):
        try:
            return self.client.recv(4096)
        except OSError:
            return b""

    def _send(self, data):
        try:
            if self.client:
                self.client.sendall(data)
        except OSError:
            self._hang_up()

    def _hang_up(self):
        if self.client:
            self.client.close()
            self.client = None


class _Child:
    """A running emulator, and a descriptor that is ready when it has ended."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        self.fd = os.pidfd_open(self.process.pid)
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def ended(self):
        return self.process.poll() is not None


def watch(child, source, sink, console, timeout, line, patience=LAST_ANSWER):
    """
    Pass bytes between a running emulator and the console until one of: the child ends and its line
    is drained, what is wanted is seen, Hamlet has stopped itself, the time is over. Returns
    Ended.how ("off" for a child that ended; the caller looks why). When the time is over Hamlet is
    asked to end its VMs, and so to report where their vCPUs are; also for their screens.
    """
    with Keyboard(console.show) as keyboard, _Child(child) as child:
        how = _watch_until(child, source, sink, console, time.monotonic() + timeout, line, keyboard)
        if how == "timeout" or (how == "seen" and console.wants_screens):
            _write(sink, END_ALL)
            console.wanted, console.answers, console.panic_ends, console.end = None, [], False, ""
            end = time.monotonic() + patience
            _watch_until(child, source, sink, console, end, line, keyboard)
    return how


def _watch_until(child, source, sink, console, end, line, keyboard):
    while time.monotonic() < end:
        ended = child.ended()
        typed = [keyboard.fd] if keyboard.fd is not None else []
        sources = [source, child.fd, *typed, *line.sources(console)]
        ready, _, _ = select.select(sources, [], [], 0 if ended else 0.1)
        line.serve(ready)
        if source in ready:
            data = read(source)
            if data:
                type_in(sink, console.take(data))
                if console.end:
                    return console.end
                continue
            if not ended:
                select.select([child.fd], [], [], 0.05)     # it closes its line, and then ends
        if keyboard.fd in ready:
            _write(sink, os.read(keyboard.fd, 256))
        if ended:
            return "off"
    return "timeout"


def type_in(sink, text):
    """As a person types: a few bytes at a time, so that no receiver of 16 bytes overflows."""
    for at in range(0, len(text), BURST):
        _dawdle() if at == 0 else time.sleep(BURST_PAUSE)
        _write(sink, text[at:at + BURST])


def _dawdle():
    if PACE == "slow":
        time.sleep(random.uniform(*SLOW))


def _write(sink, data):
    """To a machine that may have ended, of which not all has been read."""
    with contextlib.suppress(OSError):
        os.write(sink, data)


def read(fd):
    """What has come on a line."""
    _dawdle()
    try:
        return os.read(fd, 1 if PACE == "bytes" else 65536)
    except OSError:
        return b""


def stop(child):
    """End an emulator that we started."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except Exception:
            child.kill()
            child.wait()
