# SPDX-License-Identifier: MIT
"""
A user's own kernel: `./hamlet new` makes one that boots, and `./hamlet test` judges it.

From: make test      To: lab/project.py, lab/suite.py, lab/new/
"""

import re
import subprocess
from xml.etree import ElementTree

import documents
import pytest
from case import ROOT, Case
from test_gdb import debug

from lab import say, suite

HAMLET = ROOT / "hamlet"
# A planted bug: the address that the device is given, and the VM has nothing there.
RIGHT = "(uint64_t)target, sizeof(target)"
PLANTED = "(uint64_t)target ^ 0x40000000, sizeof(target)"
WRONG = """
vm = kernel=../planted/planted.elf,mem=16M,pci=1234:11e8
expect = ^factorial of 5 is 121$
exits = 1
status = 7
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Two folders that `./hamlet new` has made, and whose kernels are built by nothing else; one
    has a bug."""
    top = tmp_path_factory.mktemp("kernels")
    for name in ("mine", "planted"):
        subprocess.run([HAMLET, "new", top / name], check=True, capture_output=True)
        main = top / name / "main.c"
        assert RIGHT in main.read_text()
        if name == "planted":
            main.write_text(main.read_text().replace(RIGHT, PLANTED))
        subprocess.run(["make", "-s", "-C", top / name], check=True, env={"PATH": "/usr/bin:/bin"})
    return top


def test_a_kernel_to_start_from(kernels, tmp_path):
    """It boots, drives the device, and passes its test; what is not as a case says is named in
    words, and fails."""
    folder = kernels / "mine"
    (folder / "wrong.case").write_text(WRONG)
    (folder / "absent.case").write_text("vm = kernel=absent.elf\n")
    done = subprocess.run([HAMLET, "test", folder, "-j1", "--junit", tmp_path / "junit.xml"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stdout
    rows = done.stdout.split("\n")
    assert rows[:3] == ["TAP version 13", "1..3", "not ok 1 - absent"], rows
    assert rows[3] == "# absent.elf: no such file", rows
    assert rows[4:6] == ["ok 2 - mine", "not ok 3 - wrong"], rows
    assert rows[6:8] == ["# status 3, and not 7", "# vm planted: exit=3"], rows
    assert re.fullmatch(r"# vm planted: fault of 00:02\.0: write 0x4010\w+ write not permitted",
                        rows[8]), rows
    assert re.fullmatch(r"# planted\| FAIL main\.c:\d+: memcmp.*", rows[11]), rows
    assert "# not shown, in this order: ^factorial of 5 is 121$" in rows, rows
    assert any(row.endswith("exits, and 1 at most") for row in rows), rows
    documents.shown("own-kernel", done.stdout)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [root.attrib[key] for key in ("tests", "failures", "skipped")] == ["3", "2", "0"]


def test_its_bug_under_gdb(boot, kernels, tmp_path):
    """As docs/own-kernel.md finds it."""
    kernel = kernels / "planted/planted.elf"
    case = Case("own-kernel-gdb", vms=[f"kernel={kernel},mem=16M,pci=1234:11e8"],
                append="console=com1 gdb=com2,wait", exits={"planted": 3})
    debug(boot, tmp_path, case, [*documents.typed("own-kernel-gdb", "(gdb) "), "delete", "detach"],
          [], program=kernel)
    documents.shown("own-kernel-gdb", (tmp_path / "gdb.log").read_text())


def test_new_overwrites_nothing(tmp_path):
    done = subprocess.run([HAMLET, "new", tmp_path], capture_output=True, text=True)
    assert done.returncode == 125 and not list(tmp_path.iterdir()), done.stderr


BAD = [
    ("vm kernel=a", r":1: no line KEY = VALUE with a key of vm, "),
    ("vm = kernel=a\nkernel = a", r":2: no line KEY = VALUE"),
    ("vm = kernel=a\nstatus = one", r":2: status is a number, and not one"),
    ("vm = kernel=a\nexpect = (", r":2: expect \(: no regular expression"),
    ("vm = kernel=a\ncpus = 1\ncpus = 2", r":3: cpus stands there twice"),
    ("expect = a", r": no line vm = kernel=FILE"),
    ("vm = \udcff", r"a.case: no text in UTF-8"),
]


@pytest.mark.parametrize("text,says", BAD)
def test_a_wrong_case_is_named(tmp_path, text, says):
    (tmp_path / "a.case").write_text(text, errors="surrogateescape")
    with pytest.raises(say.Unusable, match=says):
        suite.collect(tmp_path, "")


def test_words_of_a_case(tmp_path):
    (tmp_path / "a.case").write_text(
        "\ufeff# a comment\n\nvm = kernel=a\nvm=kernel=b , mem=4M\non = tcg\nuntil = ready = 1\n")
    (case,) = suite.collect(tmp_path, "")
    assert case.words() == [
        "--on", "tcg", "--vm", "kernel=a", "--vm", "kernel=b , mem=4M", "--cpus", "1",
        "--megs", "256", "--timeout", "300", "--expect", "ready = 1"]
    with pytest.raises(say.Unusable, match="no file NAME.case with b in it"):
        suite.collect(tmp_path, "b")
