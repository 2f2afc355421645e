# SPDX-License-Identifier: MIT
"""
Debian's own kernel, unmodified, in a VM of Hamlet.

From: make test      To: lab/linux/ (kernel and initrd), guest/load_linux.c, vacpi.c (what is tested)
"""

import re

import pytest
from case import Case, Skip, run
from lab import linux
from lab.say import Unusable


def boot(tmp_path, name, *, words="", linux_words="", modules=(), programs=(), script="", server=None, **options):
    """Boot it on the machine `on`; returns what came of it."""
    reason = linux.why_not()
    if reason:
        pytest.skip(reason)
    try:
        folder = linux.build(tmp_path / "linux", modules, programs, script)
    except Unusable as problem:
        pytest.skip(str(problem))
    vm = (f"name=linux,kernel={folder}/vmlinuz,initrd={folder}/initrd,mem=256M{words},"
          f'cmdline="console=ttyS0 {linux_words}"')
    case = Case(name, vms=[vm], **{"megs": 512, "timeout": 400, **options})
    try:
        return run(case, tmp_path, server)
    except Skip as reason:
        pytest.skip(str(reason))


def test_shell(tmp_path):
    """To a shell that answers what is typed; then off, by ACPI."""
    got = boot(tmp_path, "linux-shell", exits={"linux": 0},
               answers=[(r"/ # ", "dmesg -l emerg,alert,crit,err,warn | sed s/^/warning:/\r"),
                        (r"/ # ", "cat /proc/interrupts; hwclock -u -f /dev/rtc0\r"),
                        (r"hwclock(?s:.*)/ # ", "echo 6 times 7 is $((6 * 7))\r"),
                        (r"7 is 42", "poweroff -f\r")],
               expect=[r"Run /init as init process", r"IO-APIC +4-edge +ttyS0", r"6 times 7 is 42"])
    warnings = re.findall(r"^linux\| warning:\[[ 0-9.]*\] (.*)$", got.text, re.M)
    assert not warnings, warnings
