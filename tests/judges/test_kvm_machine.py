# SPDX-License-Identifier: MIT
"""
The fourth judge: a user's PC. A Debian system of its own, made by mmdebstrap, on Bochs with nested
VMX: Hamlet's folder as it is after `make`, the launcher, and the machine `kvm`, which `auto` takes
where VT-x can be nested, so on most people's computers.

From: make judges      To: pc_init (into that system), pc_script (what is done there),
lab/machines/qemu.py (what is judged)
"""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from host import ROOT, needs, run
from lab import cache, debian, linux
from lab import kernel as kernels
from lab.bochs import LINUX
from lab.nested import image
from lab.say import patiently

HERE = Path(__file__).parent
SUITE = "bookworm"
# What a user of the kvm machine needs, and no more: lab/setup.sh without what builds and tests.
PACKAGES = ("python3 qemu-system-x86 grub-common grub-pc-bin xorriso mtools gdb kmod util-linux")
MEGABYTES = 640
NO_FEATURES = "^metadata_csum,^has_journal"
MODULES = ("ata_piix", "sd_mod", "crc32c_generic", "ext4")
KVM = ("irqbypass", "kvm", "kvm-intel")
WORDS = f"{LINUX} 8250.nr_uarts=1"
BUILT = ("hamlet.elf", "hamlet.sym", "hamlet-test.elf", "precheck", "guests")
TREE = ("hamlet", "lab")


def system():
    """The disk with the Debian system: built once."""
    if not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap is missing: install mmdebstrap")
    target = cache.folder() / f"pc-{cache.key(PACKAGES, SUITE, MEGABYTES, NO_FEATURES)}"
    with cache.lock(target.name):
        if not (target / "ready").exists():
            shutil.rmtree(target, ignore_errors=True)
            (target / "root").mkdir(parents=True)
            _build(target)
            shutil.rmtree(target / "root")
            (target / "ready").write_text("")
    return target / "disk.img"


def _build(target):
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    made = patiently("a Debian system for the user's PC", [
        "mmdebstrap", "--variant=apt", "--aptopt=APT::Install-Recommends \"false\"", *left_out,
        f"--include={','.join(PACKAGES.split())}", SUITE, target / "root.tar", debian.mirror()],
        target)
    assert made.returncode == 0, made.stderr[-2000:]
    # Owners do not matter: in that system all is done by root.
    subprocess.run(["tar", "-x", "--no-same-owner", "--exclude=./dev/*", "-f", target / "root.tar",
                    "-C", target / "root"], check=True)
    (target / "root.tar").unlink()
    disk = target / "disk.img"
    with open(disk, "wb") as empty:
        empty.truncate((MEGABYTES << 20) // image.SECTOR_TRACK * image.SECTOR_TRACK)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", NO_FEATURES, "-E",
                    "root_owner=0:0", "-d", target / "root", disk], check=True)


def folder():
    """Hamlet's folder as an archive: the launcher and its lab, and what `make` has built."""
    out = io.BytesIO()
    demo = subprocess.run(["make", "--no-print-directory", "-n", "run"], cwd=ROOT, text=True,
                          capture_output=True, check=True).stdout
    (line,) = re.findall(r"^\./hamlet run .*$", demo, re.M)
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in (*TREE, *(f"build/{name}" for name in BUILT)):
            archive.add(ROOT / name, name, filter=lambda info: (
                None if "__pycache__" in info.name else info))
        info = tarfile.TarInfo("demo")
        info.size = len(line)
        archive.addfile(info, io.BytesIO(line.encode()))
    return out.getvalue()


# Step -> what it has to show, in this order, and its status.
STEPS = {
    "doctor-before": ([r"kvm +not usable: kvm_intel has nesting off: modprobe -r", "auto +is lab"],
                      0),
    "follow": ([], 0),
    "doctor-after": ([r"kvm +usable\ntcg", r"auto +is kvm"], 0),
    "doctor-of-a-stranger": ([r"kvm +not usable: /dev/kvm cannot be opened", r"group kvm"], 0),
    "demo": ([r"booting on kvm \(auto\)", r"Hello from a guest", r"kvm: 3 of 3 VMs have ended"], 0),
    "kernel-tests": ([r"ktest: \d+ passed, 0 failed"], 0),
    "debugger": ([r"Breakpoint 1, ", r"main(?: \+ \d+)? in section", r"launcher=0",
                  r"Hello from a guest"], 0),
    "two-cpus": ([r"kvm: 1 of 1 VMs"], 0),
    "dma": ([r"kvm: 1 of 1 VMs"], 0),
    "no-unit": ([r"vtd: no DMAR table", r"Hello from a guest", r"kvm: 1 of 1 VMs"], 0),
    "uefi-is-not-here": ([r"needs the packages .*grub-efi-amd64-bin"], 125),
    "doctor-without-apicv": ([r"kvm +usable\n +kvm_intel has enable_apicv off"], 0),
    "without-apicv": ([r"kvm: kvm_intel has enable_apicv off", r"posting=off",
                       r"Hello from a guest", r"kvm: 1 of 1 VMs"], 0),
}


def test_kvm_machine(tmp_path, record_property):
    """doctor, the demo, the tests in the kernel, GDB, guests, as a user of that PC sees them."""
    needs()
    disk = system()
    kernel = kernels.folder()
    files = {"hamlet.tar.gz": folder(), "script": (HERE / "pc_script").read_bytes()}
    initrd = linux.initrd(kernel, HERE / "pc_init", MODULES, files=files, later=KVM)
    image.medium(tmp_path / "iso", kernel, initrd, tmp_path / "pc.iso", WORDS)
    text, _ = run("kvm-machine", tmp_path / "pc.iso", description={"vtd": "off"}, megs=1536,
                  disk=disk)
    said = dict(re.findall(r"^step (\S+)\n((?:.*\n)*?status=\d+)$", text, re.M))
    tests = re.search(r"ktest: (\d+ passed)", text)
    record_property("saw", f"{len(said)} steps: {' '.join(said)}; "
                           f"tests in the kernel: {tests[1] if tests else 'none'}")
    for step, (expected, status) in STEPS.items():
        assert step in said, f"{step} did not end"
        at = 0
        for pattern in expected:
            found = re.compile(pattern).search(said[step], at)
            assert found, f"{step} did not show {pattern!r}:\n{said[step][-3000:]}"
            at = found.end()
        assert said[step].endswith(f"status={status}"), said[step][-3000:]
    assert "the end" in text
