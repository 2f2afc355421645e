# SPDX-License-Identifier: MIT
"""
Hamlet beside KVM: what reads the consoles, makes the tables of docs/peer.md, and compares. Without
a boot; the judge `kvm` measures.

From: make test      To: tests/bench/table.py, tests/bench/kvm.py
"""

import sys

import pytest
from case import ROOT
from lab.say import Unusable

sys.path.insert(0, str(ROOT / "tests/bench"))
import bench    # noqa: E402
import kvm      # noqa: E402
import table    # noqa: E402

PLACES = "".join(f"<!-- make peer: {name} -->\nold\n<!-- end -->\n" for name in table.TABLES)
CONSOLE = """\
case posted-running apicv=Y
warning: something of QEMU's
peer irq_running n=50 min=38 median=40 mean=41 p95=44 max=90
ended posted-running status=1
case posted-polled apicv=Y
peer irq_halted n=50 min=-1 median=1400 mean=1500 p95=1600 max=9000
ended posted-polled status=1
the end
"""


def figures():
    """Each median is another number."""
    found = {}
    for number, (side, way, key) in enumerate(table.wanted()):
        found.setdefault(side, {}).setdefault(way, {})[key] = {"n": 1, "median": 1000 + number}
    return found


def test_console():
    found = kvm.measured(CONSOLE, ["posted-running 1", "posted-polled 1"])
    assert found == {"posted": {
        "irq_running": {"n": 50, "min": 38, "median": 40, "mean": 41, "p95": 44, "max": 90},
        "irq_halted_polled": {"n": 50, "min": -1, "median": 1400, "mean": 1500, "p95": 1600,
                              "max": 9000}}}
    assert kvm.numbers("[0] up\npeer| peer cpuid n=200 median=164\n") == {
        "cpuid": {"n": 200, "median": 164}}


@pytest.mark.parametrize("status", ["status=3", "status=124", ""])
def test_a_program_that_fails(status):
    with pytest.raises(Unusable, match="posted-running did not end well"):
        kvm.measured(CONSOLE.replace("posted-running status=1", f"posted-running {status}"),
                     ["posted-running 1"])


def test_page_and_back():
    """What is written is read again, each figure in its place, and nothing else is changed."""
    found = table.medians(figures())
    page = table.written(f"before\n{PLACES}behind\n", found)
    assert page.startswith("before\n<!--") and page.endswith("behind\n") and "old" not in page
    read = table.told(page)
    assert read == found and len(set(read.values())) > 60
    assert table.written(page, found) == page


def test_what_is_not_there():
    lost = figures()
    del lost["kvm"]["injected"]["cpuid"]
    with pytest.raises(Unusable, match="kvm, injected: no figure for cpuid"):
        table.medians(lost)
    with pytest.raises(Unusable, match="has 0 places <!-- make peer: operations"):
        table.written("a page without places", table.medians(figures()))


def test_ratio():
    """What is equal is called so."""
    assert [table.ratio(*pair) for pair in ((40, 40), (0, 0), (4, 6000), (60, 3), (200, 1100))] == [
        "equal", "equal", "Hamlet direct", "KVM direct", "5.5"]


def test_compared():
    """A tenth is near; what the page does not have is not."""
    page = table.medians(figures())
    place = ("hamlet", "posted", "cpuid")
    assert not table.differences(page, page)
    assert not table.differences(page, page | {place: page[place] + 100})
    assert table.differences(page, page | {place: 1200}) == {place: (page[place], 1200)}
    less = {key: value for key, value in page.items() if key != place}
    assert table.differences(less, page) == {place: (None, page[place])}


def test_the_page():
    """The tables of docs/peer.md are as they are made, and say where Hamlet is no better."""
    page = table.PAGE.read_text()
    told = table.told(page)
    assert set(told) == set(table.wanted())
    assert table.written(page, told) == page
    for key in ("irq_running", "bar_read", "bar_write"):
        assert told["hamlet", "posted", key] == told["kvm", "posted", key]


def test_bench_has_kvm_s_figures():
    """Each name in its rows is one of the page's."""
    told = table.told()
    shown = {row[0]: table.beside(told, row[3]) for row in bench.ROWS if row[3]}
    assert shown["irq_running_posted"] == str(told["kvm", "posted", "irq_running"])
    assert shown["irq_halted_injected"] == str(told["kvm", "injected", "irq_halted_alone"])
    assert shown["direct_mmio_read"] == "0 (0)" and len(shown) == 21
