# SPDX-License-Identifier: MIT
"""
The third judge: the Linux of the Debian after the one that the tests use, 6.12. As the host of the
lab machine it takes the unit, and as a guest of Hamlet it boots, drives its device, and reboots.

From: make judges      To: tests/cases/test_lab_linux.py and test_linux.py, the same with 6.1
"""

import re

import pytest
import test_lab_linux
from host import CASES, FAULT, HOSTILE, PATIENCE, needs, run, wrong
from lab import kernel as kernels
from lab import linux
from test_linux import TELL_ALL, all_listed, linux_case, no_warnings

SUITE = "trixie"

HOSTS = {"one-cpu": (1, {}), "hostile": (2, {**HOSTILE, "width": "39"})}


@pytest.mark.parametrize("name", HOSTS)
def test_host(name, tmp_path, record_property):
    """vfio moves data and takes interrupts, and neither Linux nor the unit complains."""
    needs()
    cpus, description = HOSTS[name]
    iso = test_lab_linux.medium(tmp_path, description, kernels.folder(SUITE), cpus)
    text, trace = run(f"linux-6.12-{name}", iso, description=description, cpus=cpus, megs=512)
    record_property("saw", "; ".join(re.findall(r"(?:vfio: |DMAR-IR: )((?:moved|Enabled) .*)$",
                                                text, re.M)))
    test_lab_linux.accepted(text, trace)


WORK = """
for n in 1 2 3 4; do
    (head -c 200000 /dev/urandom | gzip | gunzip | md5sum) >/dev/null &
done
linux_device 0000:00:01.0 30
wait
echo release $(uname -r) cpus $(grep -c ^processor /proc/cpuinfo)
"""
# vCPUs, CPUs below them, how often it reboots
GUESTS = [(1, 1, 1), (2, 2, 1), (4, 2, 1)]


@pytest.mark.parametrize("vcpus, cpus, reboots", GUESTS)
def test_guest(vcpus, cpus, reboots, boot, tmp_path, record_property):
    """To a shell, data by the assigned device with interrupts posted, a reboot, the same again."""
    needs()
    program = linux.program(CASES / "linux_device.c", tmp_path / "linux_device")
    work = tmp_path / "work"
    work.write_text(WORK)
    do = r"sh /bin/work; dmesg -r | grep '^<[0-4]>'; "
    got = boot(linux_case(
        tmp_path / "linux", f"linux-6.12-{vcpus}",
        [("linux", f"mem=256M,vcpus={vcpus},pci=1234:11e8,irq=post", "quiet")], cpus=cpus,
        kernel=kernels.folder(SUITE), programs=[program, work], append=TELL_ALL, outputs=["trace"],
        exits={"linux": 0}, timeout=PATIENCE,
        answers=[(r"/ # ", f"{do}reboot -f\r")] * reboots + [(r"/ # ", f"{do}poweroff -f\r")],
        expect=[r"device: moved 122880 bytes in 60 transfers, 60 interrupts",
                rf"release 6\.12\..* cpus {vcpus}\b"] * (reboots + 1)))
    trace = got.files["trace"].decode()
    posts = trace.count(" post sid=00:02.0 ")
    record_property("saw", f"{reboots + 1} boots to a shell, {posts} interrupts posted, "
                           f"exits {got.report.vms['linux'].keys['exits']}")
    assert posts >= 60 * (reboots + 1)
    assert not re.findall(FAULT, trace, re.M) and not wrong(trace), wrong(trace)
    no_warnings(got)
    all_listed(got)
