# SPDX-License-Identifier: MIT
"""
Each lab both ways: with its gap it is not right, and what is seen is shown; with Hamlet's own files
it is.

From: make test      To: labs/labs.py, labs/judges.py, labs/NN-name/gap.patch
"""

import re
import shutil
import sys

import pytest
from case import ROOT

from lab.say import Unusable

sys.path[:0] = [str(ROOT / "labs"), str(ROOT / "tests/unit")]

import labs                                      # noqa: E402

FOLDERS = labs.folders()

# What a reader sees who has done nothing yet.
TOLD = {
    1: r"test_bitmaps: only_the_named_ports_pass: 0x1 != 0",
    2: r"VM entry with invalid control fields",
    3: r"test_radix: largest_page_that_fits",
    4: r"test_vpci: bars_are_sized_and_moved",
    5: r"test_vpci: the_io_bitmap_follows_an_io_bar",
    6: r"test_vtd_dma: attach_gives_the_view",
    7: r"vtd: fault sid=00:02.0 read iova=0x10c000 reason=6",
    8: r"a byte arrived after vtd_unmap.. had returned; .*\n\| \d+ unit0 iotlb stale sid=00:02.0",
    9: r"test_vtd_dma: unmap_is_final",
    10: r"test_vtd_intremap: test_behind_a_bridge",
    11: r"test_posted: post_while_running_notifies_once",
    12: r"vCPU 0 (computes|sleeps) with an interrupt posted, in the search",
    13: r"vCPU 0 sleeps with an interrupt posted, in the search \"one vCPU\", after\n +cpu0 ",
    14: r"test_intx: intx_is_silenced_until_the_guest_is_done",
    15: r"test_assign_order: taken_back_in_order",
    16: r"the victim lives on and noticed nothing",
}


def tried(number, gap, change=lambda mine: None, hole="4"):
    """(right, what is shown) of the lab with its gap, or with Hamlet's files and a change."""
    folder = FOLDERS[number]
    mine = ROOT / f"build/labs/{folder.name}"
    shutil.rmtree(mine, ignore_errors=True)
    if (folder / "holes").exists():
        labs.hide(folder, mine, hole)
        if not gap:
            shutil.copy(ROOT / "tests/labs/attack.c", mine)
    else:
        labs.copy(folder / "gap.patch", mine, gap)
    change(mine)
    right, lines = labs.check(folder, mine)
    return right, "\n".join(lines)


@pytest.mark.parametrize("number", FOLDERS)
def test_gap(number):
    right, said = tried(number, True)
    assert not right and re.search(TOLD[number], said), said


@pytest.mark.parametrize("number", FOLDERS)
def test_whole(number):
    right, said = tried(number, False)
    assert right and said, said


# Answers that a reader may come to, each wrong in a small way: (lab, file, text, instead, told).
WRONG = [
    (1, "vmx/bitmaps.c", "    if (pass && first <= CONFIG_LAST && end > CONFIG_FIRST)\n"
     "        return -EPERM;\n", "", "configuration_ports_never_pass"),
    (8, "vtd/sspt.c", "    flush_range(d, flush.first, flush.end - flush.first);\n}\n\nint vtd_map",
     "}\n\nint vtd_map", " stale "),
    (8, "vtd/sspt.c", "    struct radix_range flush = radix_clear(&d->tree, iova, iova + size);\n"
     "    flush_range(d, flush.first, flush.end - flush.first);\n",
     "    flush_range(d, iova, size);\n    radix_clear(&d->tree, iova, iova + size);\n",
     " stale "),
    (12, "vmx/vcpu/posted.c",
     "    uint64_t old = notify(d, TRACE_PID_RUNNING, ndst);\n",
     "    bool some = posted_pending(d);\n"
     "    uint64_t old = notify(d, TRACE_PID_RUNNING, ndst);\n"
     "    if (!some)\n        return;\n", "(computes|sleeps) with an interrupt posted"),
    (13, "vmx/run/sched.c", "if (sleeps && !(atomic_load(&v->requests) & REQUESTS_UNSEEN)) {",
     "if (sleeps) {", "is left in state|sleeps with"),
    (15, "guest/assign/assign.c", "        if (pci_drain(a->fn))\n", "        if (0)\n", "drain"),
]


@pytest.mark.parametrize("number, file, text, instead, told", WRONG)
def test_wrong(number, file, text, instead, told):
    def change(mine):
        source = (mine / file).read_text()
        assert source.count(text) == 1
        (mine / file).write_text(source.replace(text, instead))
    right, said = tried(number, False, change)
    assert not right and re.search(told, said), said


def test_a_reader(tmp_path):
    """Work that is there is not overwritten; what is no lab, and what is no C, gets a line."""
    folder = tmp_path / FOLDERS[1].name
    shutil.copytree(FOLDERS[1], folder, ignore=shutil.ignore_patterns("mine"))
    assert "your file: labs/01-one-bit/mine/vmx/bitmaps.c" in labs.begin(folder)
    mine = folder / "mine/vmx/bitmaps.c"
    assert "LAB 1" in mine.read_text()
    mine.write_text("my work")
    assert "is there: go on with it" in labs.begin(folder) and mine.read_text() == "my work"
    for words in (["begin"], ["check", "99"], ["check", "x"], ["look", "1"], []):
        assert "which lab?" in labs.main(words)
    right, said = tried(1, False, lambda mine: (mine / "vmx/bitmaps.c").write_text("my work"))
    assert not right and re.search(r"gcc does not take it:\n.*error", said, re.S), said


@pytest.mark.parametrize("number, name, text, says", [
    (7, "guest/core/memory.c", None, "mine/guest/core/memory.c is not there: remove mine"),
    (16, "attack.c", None, "mine/attack.c is not there"),
    (16, "hole", None, "mine/hole is not there"),
    (16, "hole", "../4", "mine/hole names no hole"),
])
def test_a_file_that_is_gone(number, name, text, says):
    """Hamlet's own would be tried in its place, and be right."""
    def change(mine):
        (mine / name).unlink()
        if text:
            (mine / name).write_text(text)
    with pytest.raises(Unusable, match=says):
        tried(number, True, change)


def test_traps():
    """Each row of the page has its switch, which fits the source and names a test of the row; one
    is tried (make judges: each)."""
    rows = re.findall(r"^\| (\d+) \| (.*)$", (ROOT / "docs/passthrough-traps.md").read_text(), re.M)
    assert [int(number) for number, _ in rows] == list(labs.TRAPS)
    for number, row in rows:
        name, text, _, program, test = labs.TRAPS[int(number)]
        assert (ROOT / name).read_text().count(text) == 1, (number, name)
        assert program in row or test in row, (number, program, test)
    red, lines = labs.trap(1)
    assert red and "configuration_ports_never_pass" in "\n".join(lines), lines
    for words in (["trap"], ["trap", "0"], ["trap", "x"]):
        assert "which trap?" in labs.main(words)
