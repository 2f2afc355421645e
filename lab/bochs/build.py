# SPDX-License-Identifier: MIT
"""
Build Bochs 3.0, mended, from Debian's source package; once, into the cache.

From: lab/machines/bochs.py, lab/nested/image.py;
      by hand: /usr/bin/python3 -m lab.bochs.build [mended|stock|gdb]
To:   lab/bochs/mends.py (the edits and their reasons), lab/bochs/plugin/ (compiled against the same
      source)

Debian 12 ships 2.7, which knows no posted interrupts, and a Bochs without the internal debugger
runs twice as fast. The folder is named by a hash of recipe and mends: a change of either builds
again, anything else comes from the cache.
"""

import os
import shutil
import subprocess
import sys
import tarfile

from lab import cache, debian
from lab.bochs import mends
from lab.say import Progress, Unusable, note

VERSION = "3.0"
SUITE = "trixie"
RECIPE = """
    --with-nogui --disable-docbook --enable-cpu-level=6 --enable-x86-64 --enable-vmx=2 --enable-smp
    --enable-pci --enable-e1000 --enable-ne2000 --enable-all-optimizations --enable-a20-pin
    --enable-avx --enable-evex --enable-memtype --enable-fpu --enable-cdrom --enable-usb
    --enable-usb-ohci --enable-usb-ehci --enable-usb-xhci
    --enable-plugins CXXFLAGS=-O2 CFLAGS=-O2
""".split()

# What is built, and with which edits. A debugger's stub excludes the fast paths, so it is a build
# of its own.
VARIANTS = {
    "mended": (RECIPE, mends.MENDS + mends.SWITCHES),
    "stock": (RECIPE, mends.SWITCHES),             # without the mends, to see what they mend
    "gdb": ([word for word in RECIPE if word not in ("--enable-all-optimizations", "--enable-smp")]
            + ["--enable-gdb-stub"], mends.MENDS + mends.SWITCHES),
}


def home(variant="mended"):
    """Folder of the build in the cache. In it: source/ (with the binary), plugins/, ready (once it
    is complete)."""
    recipe, edits = VARIANTS[variant]
    return cache.folder() / f"bochs-{cache.key(VERSION, recipe, edits, mends.added(edits))}"


def ensure(variant="mended"):
    """The folder of a complete build; builds it if need be."""
    target = home(variant)
    with cache.lock(target.name):
        if not (target / "ready").exists():
            _build(target, *VARIANTS[variant])
    return target


def _build(target, recipe, edits):
    note(f"building Bochs {VERSION} (once; some two minutes)")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    source = _unpack(tarball(), target / "source")
    try:
        mends.apply(source, edits)
    except ValueError as error:
        raise Unusable(str(error)) from error
    _step(target, source, "Bochs: configure", ["./configure", *recipe])
    _step(target, source, "Bochs: compile", ["make", f"-j{min(os.cpu_count(), 4)}"])
    _collect(source, target / "plugins")
    (target / "ready").write_text("")


def tarball():
    kept = cache.folder() / f"bochs-{VERSION}.orig.tar.xz"
    if not kept.exists():
        debian.source_tarball("bochs", VERSION, SUITE, kept)
    return kept


def _unpack(tarball, source):
    scratch = source.parent / "unpack"
    with tarfile.open(tarball) as archive:
        archive.extractall(scratch)
    (top,) = scratch.iterdir()
    top.rename(source)
    scratch.rmdir()
    return source


def _step(target, source, what, command):
    """Run one step with its output in build.log, showing how many files it has compiled."""
    progress, count = Progress(what), 0
    alone = dict(os.environ, MAKEFLAGS="")      # under `make -s` it would name no file
    with open(target / "build.log", "a") as log:
        child = subprocess.Popen(command, cwd=source, env=alone, text=True, errors="replace",
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        for line in child.stdout:
            log.write(line)
            count += " -c " in line
            progress.tick(f"{count} files" if count else "...")
    if child.wait():
        raise Unusable(f"{what} failed; see {target}/build.log")
    progress.done()


def _collect(source, plugins):
    """Bochs finds its plugins in the folders of LTDL_LIBRARY_PATH: put them all in one."""
    plugins.mkdir()
    for library in source.rglob(".libs/libbx_*.so"):
        shutil.copy2(library, plugins / library.name)


if __name__ == "__main__":
    try:
        print(ensure(*sys.argv[1:2]))
    except Unusable as problem:
        sys.exit(f"[hamlet] {problem}")
