# SPDX-License-Identifier: MIT
"""
Compile the lab machine's models and their glue against a built Bochs; once per change, into
the cache.

From: lab/machines/bochs.py; by hand: /usr/bin/python3 -m lab.bochs.plugin.build
To:   glue*.cc (they alone see Bochs) and the models beside them

The result is a folder for LTDL_LIBRARY_PATH: Bochs' own plugins, except that libbx_ioapic.so
is ours.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import cache
from lab.bochs import build as bochs
from lab.say import Unusable, note

HERE = Path(__file__).parent
COMPILE = ["g++", "-std=c++17", "-fPIC", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter"]


def sources():
    return sorted(HERE.glob("*.cc"))


def ensure(home):
    """The plugin folder for the Bochs at `home` (a folder from lab.bochs.build.ensure)."""
    digest = hashlib.sha256(" ".join(COMPILE).encode())
    for path in sorted([*sources(), *HERE.glob("*.h")]):
        digest.update(path.name.encode() + path.read_bytes())
    target = home.parent / f"{home.name}-lab-{digest.hexdigest()[:12]}"
    with cache.lock(target.name):
        if not (target / "libbx_ioapic.so").exists():
            _build(home, target)
    return target


def _build(home, target):
    note("compiling the lab machine's VT-d unit and device")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for library in (home / "plugins").glob("libbx_*.so"):
        if library.name != "libbx_ioapic.so":
            (target / library.name).symlink_to(library)
    source = home / "source"
    includes = [f"-I{source / folder}" for folder in ("", "iodev", "cpu", "instrument/stubs")]
    jobs, objects = [], []
    for path in sources():
        objects.append(target / f"{path.stem}.o")
        command = [*COMPILE, *(includes if path.stem.startswith("glue") else []), "-c", path, "-o",
                   objects[-1]]
        jobs.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True))
        if len(jobs) % min(os.cpu_count() or 1, 4) == 0:
            jobs[-1].wait()
    trouble = "".join(job.communicate()[0] for job in jobs if job.wait())
    scratch = target / "new.so"
    if trouble or subprocess.run(["g++", "-shared", *objects, "-o", scratch]).returncode:
        raise Unusable(f"the lab machine's plugin does not compile:\n{trouble}")
    for path in objects:
        path.unlink()
    scratch.rename(target / "libbx_ioapic.so")


if __name__ == "__main__":
    try:
        print(ensure(bochs.ensure()))
    except Unusable as problem:
        sys.exit(f"[hamlet] {problem}")
