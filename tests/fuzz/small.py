#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Keep tests/fuzz/corpus small: of all inputs, the stored ones and those that were found since, the
few that reach everything. Files with a name in words stay: each is the input of a fault that was
found.

From: make fuzz-small      To: tests/fuzz/corpus/
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def shrink(folder, name):
    stored = CORPUS / name
    stored.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # By edges alone: to keep how often each is passed would take ten times as many files.
        command = [folder / name, "-set_cover_merge=1", "-use_counters=0", scratch, stored,
                   folder / "corpus" / name]
        subprocess.run(command, check=True, capture_output=True)
        for old in stored.glob("*"):
            if re.fullmatch(r"[0-9a-f]{40}", old.name):
                old.unlink()
        for new in Path(scratch).iterdir():
            shutil.move(new, stored / new.name)
    files = list(stored.glob("*"))
    print(f"{name}: {len(files)} files, {sum(path.stat().st_size for path in files)} bytes")


def main():
    for name in sys.argv[2:]:
        shrink(Path(sys.argv[1]), name)


if __name__ == "__main__":
    main()
