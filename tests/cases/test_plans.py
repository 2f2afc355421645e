# SPDX-License-Identifier: MIT
"""
Plans A to D: the same guest and device, and what each mechanism takes away in exits.

From: make test      To: tests/bench/plans.py (the table), guest/assign/irq.c, guest/assign/vbar.c
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
    def console(cpus):
        vm = f"kernel=plans.elf,name=alpha,{plans.words(plan, cpus)}"
        return boot(Case(f"plan-{plan}-{cpus}", vms=[vm], cpus=cpus, exits={"alpha": 1})).text
    table[plan] = plans.both(console)
    assert table[plan]["register"][:2] == (1 if plan == "A" else 0, 0)
    assert table[plan]["config"][:2] == (2, 0)     # the address, the data
    for where in ("interrupt", "own CPU"):
        exits, taken, _ = table[plan][where]
        assert taken == (0 if plan == "D" else 1), where
        assert (exits == 0) == (plan == "D"), where


def test_each_plan_costs_no_more_than_the_one_before(table):
    for dearer, cheaper in ("AB", "BC", "CD"):
        for operation in plans.OPERATIONS:
            assert table[cheaper][operation][2] <= table[dearer][operation][2] * 1.05, (dearer,
                                                                                        cheaper,
                                                                                        operation)
    a, b, c, d = (table[plan]["own CPU"][2] for plan in "ABCD")
    assert a > b > d and a > c > d
