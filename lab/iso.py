# SPDX-License-Identifier: MIT
"""
The medium that GRUB starts Hamlet from: a configuration on GRUB's command lines, and the files that
it names.

From: the launcher `hamlet`, tests/cases/conftest.py, lab/nested/image.py (rescue)
To:   boot/multiboot2.c (what arrives), guest/life/config.c (what the words mean)
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab.say import Unusable

# Everything GRUB needs to read a CD by BIOS; the slim medium carries nothing else and is some 1 MB.
SLIM = ("normal configfile multiboot2 serial terminal echo test iso9660 biosdisk boot search "
        "search_fs_file gzio")
BIOS = Path("/usr/lib/grub/i386-pc")
UEFI = Path("/usr/lib/grub/x86_64-efi")

# Words as Hamlet reads them (lib/option.h), and what GRUB's script takes as it stands.
WORD = re.compile(r'(?:[^ \t"\\]|\\.|\\$|"(?:[^"\\]|\\.)*(?:"|\\?$))+', re.S)
PART = re.compile(r'(?:[^,"\\]|\\.|\\$|"(?:[^"\\]|\\.)*")+', re.S)     # of --vm
PLAIN = re.compile(r"[\w.,:=/+@%-]+")

# Keys that belong to the device named by the pci= before them.
DEVICE_KEYS = ("plan", "bar", "dma", "irq", "rom", "intx", "unsafe")


@dataclass
class Module:
    """A file, and its words for Hamlet."""
    path: Path
    words: str = ""
    unpack: bool = True     # GRUB unpacks a gzip'ed file; a Linux wants its initrd as it is


@dataclass
class Menu:
    """What GRUB loads: the hypervisor with its command line, then the modules in order."""
    kernel: Path
    append: str = ""
    modules: list = field(default_factory=list)


def split(text):
    """Split at commas, except within double quotes."""
    return PART.findall(text)


def path_of(value):
    """Of a file that may stand in double quotes, as one with a comma in its name has to."""
    return Path(value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value)


def vm_name(text):
    """The name of the VM of one `--vm KEY=VALUE,...`; the default is that of its kernel's file."""
    words = dict(word.partition("=")[::2] for word in split(text))
    return words.get("name") or path_of(words.get("kernel", "")).stem


def vm_modules(text):
    """
    The modules of one `--vm KEY=VALUE,...`: the kernel first, then each initrd=FILE with its
    string=WORDS. Words that Hamlet is to judge (mem, vcpus, pci, anything unknown) pass through as
    they are: a wrong one is Hamlet's to report, in its own line.
    """
    kernel, initrds, words, name = None, [], [], vm_name(text)
    if '"' in PART.sub("", text):
        raise Unusable(f"--vm {text}: a quotation mark is not closed")
    for word in split(text):
        key, equals, value = word.partition("=")
        if key in ("kernel", "initrd") and not value:
            raise Unusable(f"--vm {text}: {key}= names no file")
        if key == "kernel" and equals:
            kernel = path_of(value)
        elif key == "initrd" and equals:
            initrds.append(Module(path_of(value), "initrd", unpack=False))
        elif key == "string" and initrds:
            initrds[-1].words = f"initrd cmdline={value}"
        elif key == "name":
            continue
        elif key in DEVICE_KEYS and words and words[-1].startswith("pci="):
            words[-1] += "," + word
        elif not equals and words and words[-1].startswith("pin="):   # pin=0,2
            words[-1] += "," + word
        else:
            words.append(word)
    if not kernel:
        raise Unusable(f"--vm {text}: no kernel=FILE")
    for initrd in initrds:
        initrd.words = f"vm={name} {initrd.words}"
    return [Module(kernel, " ".join([f"vm={name}", *words])), *initrds]


CHOICE = 10     # seconds, in which a person may choose another entry


def build(target, menu, firmware="bios", others=()):
    """Write the ISO `target`. firmware="bios" is the slim medium of the machines here; "both"
    starts by UEFI as well. `others`: (title, Menu), entries behind the first."""
    with tempfile.TemporaryDirectory(prefix="hamlet-iso-") as name:
        tree = Path(name)
        (tree / "boot/grub").mkdir(parents=True)
        lines = [f"set timeout={CHOICE if others else 0}", "serial --unit=0 --speed=115200",
                 "terminal_input serial console",
                 "terminal_output serial console", "insmod gzio",
                 'if [ "$grub_platform" = efi ]; then insmod all_video; fi']
        if others:
            lines += [f"menuentry '{title}' {{\n{_entry(tree, entry)}\n}}"
                      for title, entry in [("Hamlet", menu), *others]]
        else:
            lines += [_entry(tree, menu), "boot"]
        (tree / "boot/grub/grub.cfg").write_text("\n".join(lines) + "\n")
        _rescue(Path(target), tree, firmware)


def for_grub(words):
    """Words for Hamlet, in such quotes that GRUB's script finds no variable and no command in
    them. GRUB takes these quotes away, and gives Hamlet the words in quotes of its own."""
    texts = [re.sub(r'\\(.)|"', lambda found: found[1] or "", word, flags=re.S)
             for word in WORD.findall(words)]
    return " ".join(text if PLAIN.fullmatch(text) else "'" + text.replace("'", r"'\''") + "'"
                    for text in texts)


def _entry(tree, menu):
    lines = [f"echo 'GRUB: loading Hamlet and {len(menu.modules)} module(s)'",
             f"multiboot2 {_add(tree, menu.kernel)} {for_grub(menu.append)}".rstrip()]
    for module in menu.modules:
        command = "module2" if module.unpack else "module2 --nounzip"
        lines.append(f"{command} {_add(tree, module.path)} {for_grub(module.words)}".rstrip())
    return "\n".join(lines)


def _add(tree, path):
    """Copy a file into the tree under a name of its own; its path for GRUB."""
    path = Path(path)
    check_file(path)
    number = len(list((tree / "boot").glob("[0-9]*-*")))
    name = re.sub(r"[^\w.-]", "_", path.name)      # GRUB's script would read a blank, a $, a ;
    inside = f"/boot/{number}-{name}"
    shutil.copy(path, tree / inside[1:])
    return inside


def check_file(path):
    """Unusable, if it is not one that can be copied."""
    if not path.exists():
        raise Unusable(f"{path}: no such file")
    if not path.is_file():
        raise Unusable(f"{path}: {'a folder' if path.is_dir() else 'no ordinary file'}")


def _rescue(target, tree, firmware):
    if firmware == "bios":
        return rescue(target, tree, SLIM)
    if not (BIOS.is_dir() and UEFI.is_dir()):
        raise Unusable(
            "an ISO for BIOS and UEFI needs the packages grub-pc-bin and grub-efi-amd64-bin")
    return rescue(target, tree)


def rescue(target, tree, modules=""):
    """The folder `tree`, with a boot/grub/grub.cfg in it, as the ISO `target`. `modules`: those of
    GRUB for a medium that only a BIOS starts; else it has all, and starts by UEFI as well. What was
    there before stays until the new one is whole."""
    half = target.with_name(f".{target.name}.half")
    command = ["grub-mkrescue", "--fonts=", "--themes=", "--locales=", "-o", str(half)]
    if modules:
        command += ["-d", str(BIOS), f"--install-modules={modules}"]
    try:
        half.unlink(missing_ok=True)
        done = subprocess.run([*command, str(tree)], capture_output=True, text=True)
        if done.returncode or not half.exists():
            raise Unusable(f"grub-mkrescue failed: {_reason(done.stderr)}")
        half.replace(target)
    except FileNotFoundError as error:
        raise Unusable(
            "grub-mkrescue is missing: install grub-common, xorriso and mtools") from error
    finally:
        half.unlink(missing_ok=True)


def _reason(said):
    """xorriso names it; what comes behind is only that it has failed."""
    told = [line.strip() for line in said.splitlines() if line.strip(" .")]
    named = [line for line in told if " : FAILURE : " in line or " : FATAL : " in line]
    return (named or told[-1:] or ["it did not say why"])[0]
