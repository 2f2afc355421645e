# SPDX-License-Identifier: MIT
"""
Fetch from Debian without touching the system's own apt configuration.

From: lab/bochs/build.py (a source package of a later release), lab/kernel.py (kernels, never
installed), tests/judges/

The mirror is whichever one the system's sources name. Everything apt writes (lists, archives) goes
to a scratch folder, so no root is needed and nothing is left behind.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import cache
from lab.say import Unusable, patiently

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """Address of the mirror that the system's apt sources name for Debian itself."""
    out = _said("apt-get", "indextargets", "--format",
                "$(COMPONENT)|$(RELEASE)|$(SITE)|$(REPO_URI)", "Created-By: Packages")
    for line in out.splitlines():
        component, release, _, uri = line.split("|")
        if component == "main" and re.search(r"/debian/?$", uri) and "-" not in release:
            return uri
    raise Unusable(
        "apt's sources name no Debian mirror (component main); add one to /etc/apt/sources.list")


def _said(*command, env=None):
    return subprocess.run(command, capture_output=True, text=True, env=env).stdout


def _environment(scratch):
    return dict(os.environ, APT_CONFIG=str(scratch / "apt.conf"), LC_ALL="C")


def _configure(scratch, line):
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (scratch / name).mkdir(parents=True)
    (scratch / "sources.list").write_text(line + "\n")
    (scratch / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{scratch}/sources.list";\nDir::Etc::sourceparts '
        f'"{scratch}/parts";\n'
        f'Dir::State::lists "{scratch}/lists";\nDir::Cache "{scratch}/cache";\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        'APT::Update::Error-Mode "any";\n')     # an index that cannot be fetched is a failure


@contextlib.contextmanager
def index(suite, kind="deb"):
    """The environment in which apt knows the packages of one suite, and no others; a folder
    `scratch` goes with it."""
    with tempfile.TemporaryDirectory(prefix="hamlet-apt-") as name:
        scratch = Path(name)
        _configure(scratch, f"{kind} [signed-by={KEYRING}] {mirror()} {suite} main")
        read = patiently(f"reading the index of Debian {suite}", ["apt-get", "update"], scratch,
                         env=_environment(scratch))
        if read.returncode:
            why = re.findall(r"^[EW]: (Failed to fetch .*)", read.stderr, re.M) or \
                read.stderr.split("\n")
            raise Unusable(f"apt-get update failed (network?): {why[0]}")
        yield _environment(scratch)


def source_tarball(package, version, suite, target):
    """
    Fetch the upstream tarball of `package` (a version that starts with `version`) from `suite` to
    the path `target`. Mirrors have been seen to lack the .dsc, so the tarball counts, proved by its
    SHA256 in the signed Sources index.
    """
    with index(suite, "deb-src") as environment:
        scratch = Path(environment["APT_CONFIG"]).parent
        record = _said("apt-cache", "showsrc", "--only-source", package, env=environment)
        sums = re.findall(rf"^ ([0-9a-f]{{64}}) \d+ "
                          rf"({re.escape(package)}_{re.escape(version)}\S*\.orig\.tar\.\S+)$",
                          record, re.M)
        if not sums:
            raise Unusable(f"{package}: Debian {suite} has no source of version {version}")
        digest, tarball = sums[-1]
        got = scratch / tarball
        patiently(f"{package}: fetching {tarball}",
                  ["apt-get", "source", "--download-only", package], scratch,
                  good=got.exists, cwd=scratch, env=environment)
        if not got.exists():
            raise Unusable(f"{package}: the mirror did not serve {tarball}")
        if hashlib.sha256(got.read_bytes()).hexdigest() != digest:
            raise Unusable(f"{package}: {tarball} does not have the SHA256 of the Sources index")
        shutil.move(got, target)


def needed_by(package, pattern, env=None):
    """The first package whose whole name matches `pattern` among those that `package` depends on;
    None. `env`: of index(), else the system's own release."""
    out = _said("apt-cache", "depends", package, env=env)
    names = re.findall(rf"Depends: ({pattern})$", out, re.M)
    return names[0] if names else None


def binary_package(package, target, env=None):
    """Download the .deb of `package` into the folder `target`; its path. `env` as above."""
    before = set(target.glob("*.deb"))
    done = patiently(f"{package}: fetching", ["apt-get", "download", package], target, cwd=target,
                     env=env)
    new = set(target.glob("*.deb")) - before
    if done.returncode or not new:
        raise Unusable(f"{package}: apt-get download failed: {done.stderr.strip()[-200:]}")
    return new.pop()


def unpacked(packages, target, env=None):
    """The folder `target`, in the cache, with the files of one package or several; fetched once.
    Nothing of theirs is installed."""
    with cache.lock(target.name):
        if (target / "ready").exists():
            return target
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for package in packages.split():
            path = binary_package(package, target, env)
            subprocess.run(["dpkg", "-x", str(path), str(target)], check=True)
            path.unlink()
        (target / "ready").write_text("")
    return target
