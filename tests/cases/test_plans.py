# SPDX-License-Identifier: MIT
"""
Plans A to D: the same guest and device, and what each mechanism takes away in exits.

From: make test      To: tests/bench/plans.py (the table), guest/irq.c, guest/vbar.c
"""

import sys

import pytest
from case import Case, ROOT

sys.path.insert(0, str(ROOT / "tests/bench"))
import plans    # noqa: E402


@pytest.fixture(scope="module")
def table():
    return {}


@pytest.mark.parametrize("plan", plans.PLANS)
def test_plan(boot, table, plan):
    vm = f"kernel=plans.elf,name=alpha,mem=8M,pci=1234:11e8,plan={plan}"
    table[plan] = plans.figures(boot(Case(f"plan-{plan}", vms=[vm], exits={"alpha": 1})).text)
    assert table[plan]["register"][0] == (1 if plan == "A" else 0)
    assert table[plan]["config"][0] == 2           # the address, the data
    assert (table[plan]["interrupt"][0] == 0) == (plan == "D")


def test_each_plan_costs_no_more_than_the_one_before(table):
    for dearer, cheaper in ("AB", "BC", "CD"):
        for operation in plans.OPERATIONS:
            assert table[cheaper][operation][1] <= table[dearer][operation][1] * 1.05, (dearer, cheaper, operation)
    assert table["D"]["interrupt"][1] < table["C"]["interrupt"][1]
