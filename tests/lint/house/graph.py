# SPDX-License-Identifier: MIT
"""
Which file uses which, from the symbol tables of what `make all` has built: functions and variables.

A static function is no symbol of the graph, and a call by a pointer is no edge: the edge is where
the address is taken.
"""
import functools
import re
import subprocess
import sys

from . import BUILT, sources, text, ROOT


PROTOTYPE = re.compile(r"(/\*.*?\*/)|"
                       r"^(?:[A-Za-z][\w *()]*?\b(\w+)\([^;{}]*\)|extern [\w *]*\b(\w+)(?:\[\])?);"
                       r"[ \t]*(/\*.*?\*/)?", re.S | re.M)
FILE = r"[\w/]+\.(?:c|asm)\b"


class Graph:
    def __init__(self):
        self.owner = {}   # symbol -> file that defines it
        self.defined = {} # file -> symbols
        self.edges = {}   # file -> file -> symbols
        self.mutable = [] # (variable, file): external and writable

    def used_by(self, name):
        """file -> symbols of `name` that it uses"""
        return {other: uses[name] for other, uses in self.edges.items() if name in uses}


def objects():
    for name in sources(".c", ".asm"):
        built = BUILT / (name + ".o")
        if not built.is_file():
            sys.exit(f"{name}:1: {built} is not there; run `make all` first")
        if built.stat().st_mtime < (ROOT / name).stat().st_mtime:
            print(f"{name}: changed since it was built; run `make all`", file=sys.stderr)
        yield name, built


@functools.cache
def graph():
    g, wanted = Graph(), {}
    of = {str(built): name for name, built in objects()}
    out = subprocess.run(["nm", "-A", "-P", *of], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        built, rest = line.split(": ", 1)
        symbol, kind = rest.split()[:2]
        name = of[built]
        g.defined.setdefault(name, set())
        if kind in "Uw":
            wanted.setdefault(name, set()).add(symbol)
        elif kind.isupper() and kind != "A":
            g.owner[symbol] = name
            g.defined[name].add(symbol)
            if kind in "DBC":
                g.mutable.append((symbol, name))
    for name in g.defined:
        uses = g.edges.setdefault(name, {})
        for symbol in wanted.get(name, ()):
            if symbol in g.owner:
                uses.setdefault(g.owner[symbol], set()).add(symbol)
    return g


def upcalls():
    """
    What the headers named upcalls.h declare, functions and data: (header, line, symbol, files that
    its comments name). A comment counts that stands behind a declaration, or before it in the same
    paragraph.
    """
    for name in sources(".h"):
        if name.endswith("/upcalls.h"):
            first = 1
            for paragraph in text(name).split("\n\n"):
                for line, symbol, said in prototypes(paragraph):
                    yield name, first + line, symbol, said
                first += paragraph.count("\n") + 2


def prototypes(paragraph):
    before = []
    for match in PROTOTYPE.finditer(paragraph):
        if match[1]:
            before = re.findall(FILE, match[1]) or before
        elif match[2] or match[3]:
            line = paragraph.count("\n", 0, match.start())
            yield line, match[2] or match[3], re.findall(FILE, match[4] or "") or before


def cycles(nodes, edges):
    """Strongly connected components of more than one file, the largest first (Tarjan's way)."""
    index, low, stack, found = {}, {}, [], []
    for root in nodes:
        work = [] if root in index else [(root, None)]
        while work:
            node, todo = work.pop()
            if todo is None:
                index[node] = low[node] = len(index)
                stack.append(node)
                todo = iter(sorted(set(edges.get(node, ())) & set(nodes)))
            for other in todo:
                if other not in index:
                    work += [(node, todo), (other, None)]
                    break
                if other in stack:
                    low[node] = min(low[node], low[other], index[other])
            else:
                if low[node] == index[node]:
                    at = stack.index(node)
                    found.append(stack[at:])
                    del stack[at:]
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
    return sorted((sorted(part) for part in found if len(part) > 1), key=len, reverse=True)
