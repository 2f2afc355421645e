# SPDX-License-Identifier: MIT
"""
Debian's own kernels, never installed: a package unpacked in the cache, and the modules in it.

From: lab/nested/image.py, lab/linux/__init__.py
To:   lab/debian.py (where the packages come from)
"""

import lzma
import re

from lab import cache, debian
from lab.say import Unusable

META = "linux-image-amd64"          # depends on the kernel of the day


def folder(suite=""):
    """Folder of the kernel's package of the system's own release, or of `suite`. Without network,
    one kept earlier."""
    if suite:
        return _of_suite(suite)
    name = debian.needed_by(META, r"linux-image-\d\S*")
    target = cache.folder() / (name or "linux-image")
    try:
        if not name:
            raise Unusable(f"apt knows no {META}: run apt-get update")
        return debian.unpacked(name, target)
    except Unusable:
        kept = sorted(cache.folder().glob("linux-image-*/ready"))
        if not kept:
            raise
        return kept[-1].parent


def _of_suite(suite):
    """A kernel of another release stays the one that was fetched first: to ask for a newer one
    takes minutes."""
    target = cache.folder() / f"linux-{suite}"
    if (target / "ready").exists():
        return target
    with debian.index(suite) as index:
        name = debian.needed_by(META, r"linux-image-\d\S*", index)
        if not name:
            raise Unusable(f"Debian {suite} has no {META}")
        return debian.unpacked(name, target, index)


def image(kernel):
    """Path of the kernel's image."""
    (path,) = (kernel / "boot").glob("vmlinuz-*")
    return path


def release(kernel):
    """What uname -r says under this kernel."""
    return image(kernel).name.partition("-")[2]


def modules(kernel, names):
    """{name: bytes} of the modules and all they depend on, in an order in which they can
    be inserted."""
    chosen = {}

    def visit(name):
        name = name.replace("-", "_")
        if name in chosen:
            return
        data = _module(kernel, name)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for need in filter(None, needs.group(1).decode().split(",") if needs else []):
            visit(need)
        chosen[name] = data

    for name in names:
        visit(name)
    return chosen


def _module(kernel, name):
    """The bytes of a kernel module, unpacked if the package has it compressed."""
    pattern = name.replace("-", "_").replace("_", "[-_]")
    for path in kernel.rglob("*.ko*"):
        if re.fullmatch(rf"{pattern}\.ko(\.xz)?", path.name):
            data = path.read_bytes()
            return lzma.decompress(data) if path.suffix == ".xz" else data
    raise Unusable(f"Debian's kernel package has no module {name}")
