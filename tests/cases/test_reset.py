# SPDX-License-Identifier: MIT
"""
A reset is a reset: what a guest reads of its PC at the start of each life is what the first life
read, although each life has changed all of it.

From: make test      To: guest/programs/reset-state.c (the list), guest/life/reset.c
"""

import re

import pytest
from case import Case

LIVES = 4
BY_SOFTWARE = ("", "console=com1"), ("-by-software", "console=com1 apicv=off")
CASES = [Case(f"reset-state{name}", append=append, exits={"reset-state": 1},
              vms=["kernel=reset-state.elf,mem=4M,timeout=60"],
              expect=[r"vm=reset-state reset"] * (LIVES - 1))
         for name, append in BY_SOFTWARE]

# What the guest has no value for that differs from the first, or reads otherwise than it writes.
UNCHANGED = {"ESR"}


def told(text, what):
    """{life: {name: value}} of the lines of one kind."""
    lives = {}
    line = rf"^reset-state\| life=(\d) {what} (\S+)=(\S+)"
    for life, name, value in re.findall(line, text, re.M):
        lives.setdefault(int(life), {})[name] = value
    return lives


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_each_life_begins_as_the_first(boot, case):
    text = boot(case).text
    begins, changed = told(text, "begins"), told(text, "changed")
    assert sorted(begins) == list(range(LIVES)) and sorted(changed) == list(range(LIVES - 1))
    first = begins[0]
    same = {name for name in first if changed[0][name] == first[name]} - UNCHANGED
    assert not same, f"never changed, so this shows nothing: {same}"
    for life in range(1, LIVES):
        kept = {name: value for name, value in begins[life].items() if value != first[name]}
        assert not kept, f"life {life} begins with what the one before has left: {kept}"
