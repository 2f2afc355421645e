# SPDX-License-Identifier: MIT
"""
What grows: the tables and pictures of docs/scale.md, made and read without a boot; the judge
`scale` measures.

From: make test      To: tests/bench/scale.py
"""

import html
import json
import re
import sys

import pytest
from case import ROOT
from lab.say import Unusable

sys.path.insert(0, str(ROOT / "tests/bench"))
import scale    # noqa: E402

PLACES = "".join(f"<!-- make scale: {name} -->\nold\n<!-- end -->\n"
                 for name in (*scale.AXES, *scale.KINDS))


def figures():
    """Each is another number; pages of 4 KiB are not measured for all."""
    number = iter(range(1000, 10000))
    found = {axis: {str(count): {key: next(number) for key in scale.KEYS} for count in counts}
             for axis, counts in scale.AXES.items()}
    costs = list(scale.COSTS)
    found["memory"] = {kind: {"64": {key: next(number) for key in costs},
                              "65536": {key: next(number) for key in
                                        (costs[-2:] if kind == "4k" else costs)}}
                       for kind in scale.KINDS}
    return found


def test_page_and_back():
    page = scale.written(PLACES, figures())
    assert "old" not in page and scale.told(page) == figures()
    assert scale.written(page, figures()) == page
    with pytest.raises(Unusable, match="has 0 places <!-- make scale: VMs -->"):
        scale.written("a page without places", figures())


@pytest.mark.parametrize("axis", scale.AXES)
def test_others(axis):
    """There are as many as the table says, with what is measured, and no VM has too many."""
    for count in scale.AXES[axis]:
        vms = [word for word in scale.vms(axis, count) if word.startswith("kernel=")]
        vcpus = sum(map(int, re.findall(r"cmdline=\"test=8 vcpus=(\d+)", " ".join(vms))))
        given = [vm.count("pci=") for vm in vms]
        assert {"VMs": len(vms), "vCPUs": 1 + vcpus, "devices": sum(given),
                "devices of the VM": given[0]}[axis] == count
        assert len(vms) <= 16 and max(given) <= 31 and "vcpus=9" not in " ".join(vms)


def test_console():
    assert scale.sizes("ktest: | scale 2m mib=64 map_cpu=5 end=7\nscale 4k mib=128 check=9\n") == {
        "2m": {"64": {"map_cpu": 5, "end": 7}}, "4k": {"128": {"check": 9}}}


def test_the_page():
    """Tables as they are made, pictures of the same figures, and what the page says of them."""
    page = scale.PAGE.read_text()
    told = scale.told(page)
    assert scale.written(page, told) == page
    for name, panels in scale.lines(told).items():
        picture = (scale.PICTURES / f"{name}.svg").read_text()
        held = re.search(r"<dc:description>(.*?)</dc:description>", picture, re.S)
        assert json.loads(html.unescape(held[1])) == panels, name
        assert f"(scale/{name}.svg)" in page
    for axis in scale.AXES:
        for key in ("cpuid", "config_vendor", "irq_running"):
            assert len({values[key] for values in told[axis].values()}) == 1, (axis, key)
    vcpus = {int(at): values["irq_halted_alone"] for at, values in told["vCPUs"].items()}
    each = (vcpus[64] - vcpus[1]) / 63
    assert abs(each - int(re.search(r"by (\d+) instructions for each", page)[1])) < 2
    memory = told["memory"]
    assert memory["1g"]["65536"]["end"] == memory["1g"]["1024"]["end"]
    assert memory["1g"]["65536"]["check"] < 2 * memory["1g"]["1024"]["check"]
    assert memory["4k"]["65536"]["check"] < 2.1 * (64 << 18)
