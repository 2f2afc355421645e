# SPDX-License-Identifier: MIT
"""
What the launcher makes of hosts with KVM that are not here: each reason why `kvm` cannot be used
tells what to do, and QEMU is asked for no more than the host offers.

From: make test      To: lab/machines/kvm.py, the launcher `hamlet` (doctor)
The machine itself: tests/judges/test_kvm_machine.py.
"""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from case import ROOT
from lab import machines
from lab.machines import kvm, qemu
from lab.machines.boot import Boot

KEPT = "options kvm_intel nested=1 in a file of /etc/modprobe.d"
AGAIN = "modprobe -r kvm_intel; modprobe kvm_intel nested=1"
GOOD = {"proc/cpuinfo": "flags\t\t: fpu vmx ept\n", "dev/kvm": "",
        "proc/modules": "kvm_intel 380928 0 - Live 0x0\nkvm 1146880 1 kvm_intel, Live 0x0\n",
        "sys/module/kvm_intel/parameters/nested": "Y\n",
        "sys/module/kvm_intel/parameters/enable_apicv": "Y\n"}
NOT_NESTING = {"sys/module/kvm_intel/parameters/nested": "N\n"}
ABSENT = None

# What is other than on a good host, and what the reason has to say.
HOSTS = {
    "older": ({"sys/module/kvm_intel/parameters/nested": "1\n"}, None),
    "amd": ({"proc/cpuinfo": "flags : fpu svm npt\n"}, ["AMD's SVM"]),
    "in-a-vm": ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, ["no vmx", "its host has to nest"]),
    "off-in-firmware": ({"proc/cpuinfo": "flags : fpu\n"}, ["no vmx", "off in the firmware"]),
    "not-loaded": (dict.fromkeys([*NOT_NESTING, "sys/module/kvm_intel/parameters/enable_apicv"],
                                 ABSENT), ["not loaded: modprobe kvm_intel nested=1", KEPT]),
    "no-nesting": (NOT_NESTING, ["nesting off: " + AGAIN, KEPT]),
    "no-nesting-in-use": ({**NOT_NESTING, "proc/modules": "kvm_intel 380928 2 - Live 0x0\n"},
                          ["end the VMs that run on it, then " + AGAIN, KEPT]),
    "no-nesting-built-in": ({**NOT_NESTING, "proc/modules": "ext4 1 0 - Live 0x0\n"},
                            ["kvm_intel.nested=1 on Linux' command line"]),
    "no-nesting-no-modules": ({**NOT_NESTING, "proc/modules": ABSENT},
                              ["kvm_intel.nested=1 on Linux' command line"]),
    "no-access": ({"dev/kvm": ABSENT}, ["group kvm"]),
}


def host(root, changes=None):
    """A folder with the files of a host's /proc, /sys and /dev that count."""
    for name, text in {**GOOD, **(changes or {})}.items():
        if text is not ABSENT:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return root


@pytest.mark.parametrize("name", HOSTS)
def test_reason(name, tmp_path, monkeypatch):
    monkeypatch.setattr(kvm.shutil, "which", lambda program: f"/usr/bin/{program}")
    changes, wanted = HOSTS[name]
    reason = kvm.why_not(host(tmp_path, changes))
    assert (reason is None) == (wanted is None)
    for words in wanted or []:
        assert words in reason


def test_no_qemu(tmp_path, monkeypatch):
    monkeypatch.setattr(kvm.shutil, "which", lambda program: None)
    assert "install qemu-system-x86" in kvm.why_not(host(tmp_path))


# KVM's extensions, QEMU's answer, enable_apicv -> what is offered.
ASKED = {
    "all": ({121, 129}, "intel-iommu options:", "Y", kvm.Offers()),
    "no-split": ({129}, "intel-iommu options:", "Y", kvm.Offers(split=False)),
    "no-x2apic": ({121}, "intel-iommu options:", "Y", kvm.Offers(x2apic=False)),
    "no-unit": ({121, 129}, "", "Y", kvm.Offers(unit=False)),
    "no-apicv": ({121, 129}, "intel-iommu options:", "N", kvm.Offers(apicv=False)),
}


@pytest.mark.parametrize("name", ASKED)
def test_offers(name, tmp_path, monkeypatch):
    extensions, said, apicv, wanted = ASKED[name]
    monkeypatch.setattr(kvm.fcntl, "ioctl",
                        lambda _, request, number: request == 0xae03 and number in extensions)
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '-device intel-iommu,help' ] && echo '{said}'\n")
    program.chmod(0o755)
    root = host(tmp_path, {"sys/module/kvm_intel/parameters/enable_apicv": apicv})
    assert kvm.offers(root, program) == wanted


# What is offered, the option iommu= -> interrupt controllers, the unit or none, words of doctor.
ALL = kvm.Offers()
LINES = {
    "all": (ALL, "", "split", "intel-iommu,intremap=on", []),
    "more": (ALL, "aw-bits=48:device-iotlb=on", "split",
             "intel-iommu,intremap=on,aw-bits=48,device-iotlb=on", []),
    "unit-off": (ALL, "off", "on", None, []),
    "dma-only": (ALL, "intremap=off", "on", "intel-iommu,intremap=off", []),
    "no-split": (kvm.Offers(split=False), "", "on", "intel-iommu,intremap=off",
                 ["no interrupt remapping"]),
    "no-x2apic": (kvm.Offers(x2apic=False), "", "split", "intel-iommu,intremap=on,eim=off",
                  ["APIC ids below 256"]),
    "no-unit": (kvm.Offers(unit=False, split=False, x2apic=False), "", "on", None,
                ["no DMA or interrupt remapping"]),
    "no-apicv": (kvm.Offers(apicv=False), "", "split", "intel-iommu,intremap=on",
                 ["no posted interrupts"]),
}


@pytest.mark.parametrize("name", LINES)
def test_line(name, tmp_path):
    offered, iommu, controllers, unit, lacks = LINES[name]
    boot = Boot(tmp_path / "iso", options={"iommu": iommu} if iommu else {})
    line = qemu.arguments(boot, "kvm", boot.iso, tmp_path, offered)
    assert line[line.index("-machine") + 1] == f"q35,accel=kvm,kernel-irqchip={controllers}"
    assert [word for word in line if "intel-iommu" in word] == ([unit] if unit else [])
    assert len(offered.lacks()) == len(lacks)
    for words, said in zip(lacks, offered.lacks()):
        assert words in said


@pytest.mark.parametrize("offered", [ALL, kvm.Offers(apicv=False)])
def test_doctor(offered, monkeypatch, capsys):
    """Below a usable machine stands what it lacks."""
    loader = SourceFileLoader("launcher", str(ROOT / "hamlet"))
    launcher = module_from_spec(spec_from_loader("launcher", loader))
    loader.exec_module(launcher)
    monkeypatch.setattr(machines.kvm, "why_not", lambda: None)
    monkeypatch.setattr(machines.kvm, "offers", lambda: offered)
    assert launcher.doctor() == 0
    below = capsys.readouterr().out.partition("kvm     usable\n")[2].partition("\ntcg")[0]
    assert ("no posted interrupts" in below) == bool(offered.lacks())
