# SPDX-License-Identifier: MIT
"""
Findings against what is still allowed. tests/lint/budget.txt has lines `KIND FOLDER COUNT`: so many
findings of a kind may be left in that folder; where no line stands, none. Counts only fall.

    tests/lint/words.py          more than is allowed: all findings of that folder, and an exit code
    tests/lint/words.py --all    every finding, allowed or not
    tests/lint/words.py --keep   today's counts, room by room, become the budget, if no kind rises
                                 (--keep --anyway, after a merge: even if one does)
"""
import sys
from collections import Counter
from pathlib import Path

from . import room_of

FILE = Path(__file__).resolve().parents[1] / "budget.txt"
TITLE = "# What is still allowed (tests/lint/house/budget.py): kind, folder, count, which falls.\n"


def read():
    """(kind, folder) -> count"""
    lines = [line.split() for line in FILE.read_text().splitlines() if not line.startswith("#")]
    return {(kind, folder): int(count) for kind, folder, count in lines}


def keep(kinds, counts):
    """A room's count may rise, when files move; the sum of a kind may not."""
    before = read()
    for kind in kinds:
        old, new = (sum(count for (k, _), count in table.items() if k == kind)
                    for table in (before, counts))
        if new > old and "--anyway" not in sys.argv:
            sys.exit(f"{FILE.name}: {new} of {kind} instead of {old}: the budget does not rise")
    kept = {key: count for key, count in before.items() if key[0] not in kinds} | dict(counts)
    FILE.write_text(TITLE + "".join(f"{kind} {folder} {count}\n"
                                    for (kind, folder), count in sorted(kept.items())))


def area(name):
    """What a file is counted under: its room, or the first folder of its path."""
    return room_of(name + "/") or (name.split("/")[0] if "/" in name else ".")


def charged(allowed, kind, name):
    """The longest folder with a budget of this kind in which a file lies."""
    fits = [folder for k, folder in allowed if k == kind
            and (folder == "." and "/" not in name or f"{name}/".startswith(folder + "/"))]
    return max(fits, key=len, default=area(name))


def report(title, kinds, findings, sizes=()):
    """
    kinds: all that this check can find; findings: (kind, file, line, what); sizes: (kind, room,
    number), where a number is limited instead of a list. Prints what is over the budget, and one
    line of summary. Returns the exit code of the check.
    """
    findings = sorted(set(findings), key=lambda finding: finding[1:])
    if "--keep" in sys.argv:
        counts = Counter((kind, area(name)) for kind, name, _, _ in findings)
        counts.update({(kind, room): number for kind, room, number in sizes})
        keep(kinds, counts)
    allowed = read()
    spent = Counter((kind, charged(allowed, kind, name)) for kind, name, _, _ in findings)
    for kind, room, number in sizes:
        key = kind, charged(allowed, kind, room)
        spent[key] = max(spent[key], number)
    over = {key for key, count in spent.items() if count > allowed.get(key, 0)}
    for kind, name, line, what in findings:
        if "--all" in sys.argv or (kind, charged(allowed, kind, name)) in over:
            print(f"{name}:{line}: {what}")
    for key in sorted(over):
        print(f"{title}: {key[1]} has {spent[key]} of {key[0]}, {allowed.get(key, 0)} are allowed")
    total = sum(count for (kind, _), count in allowed.items() if kind in kinds)
    if not over and sum(spent.values()) < total:
        print(f"{title}: {sum(spent.values())} of {total} are left: tests/lint/{title}.py --keep")
    left = sorted(Counter(kind for kind, *_ in findings).items())
    print(f"{title}: {'over budget' if over else 'clean'}"
          + (f" (left: {', '.join(f'{count} {kind}' for kind, count in left)})" if left else ""))
    return 1 if over else 0
