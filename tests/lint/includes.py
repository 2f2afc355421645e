#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
An include is there because something of it is named: a macro, a type, a function, a constant.

- nothing of a header, nor of what it includes itself, is named: the include is left over
- nothing of the header itself is named, but something that it includes: include that one instead

A header that declares nothing, a source's own header, and, in a header, another one of its folder
may always be included.
"""
import sys

from house import sources, text
from house.headers import closure, declares, included, names
from house.report import report


def check(name):
    used, own = names(name), name.rpartition(".")[0] + ".h"
    for header in included(name):
        if header == own or declares(header) & used or not declares(header):
            continue
        if name.endswith(".h") and header.rpartition("/")[0] == name.rpartition("/")[0]:
            continue # its folder's public header hands it on
        line = next(n for n, said in enumerate(text(name).splitlines(), 1) if f'"{header}"' in said)
        yield name, line, \
            f"nothing of {header} is named here: {better(name, header, used)}"


def reaches(name, header, without):
    """Whether a file still sees a header if another one no longer includes it."""
    return any(other == header and name != without or reaches(other, header, without)
               for other in included(name))


def better(name, header, used):
    others = frozenset().union(*(closure(other) for other in included(name) if other != header))
    through = sorted(h for h in closure(header) - others if declares(h) & used)
    users = [s for s in sources() if name in closure(s) and declares(header) & names(s)
             and not reaches(s, header, name)]
    return (f"include {', '.join(through)} instead" if through else "leave it out") + \
        (f", and include it in {', '.join(users)}" if users else "")


def main():
    return report("includes", [finding for name in sources() for finding in check(name)])


if __name__ == "__main__":
    sys.exit(main())
