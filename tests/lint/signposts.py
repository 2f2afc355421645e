#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Signposts lead where they say: the head comment's From: and To: against the symbols that files really use.

    From: vmx/run.c (exit table), guest/ (events).   To: guest/pio.c (vm_pio), vuart.c (through vm->pio).

- From FILE: it uses a symbol of this source; of a header: it includes it, or a header that does
- To FILE: this source uses one of its symbols or includes it; of a header: it defines something declared here
- (name) or name() behind a file, if it is a function's: one that the edge consists of, or one of the file in From
- (through member): a function pointer leads there, of this member, which both files name
- every .c has both. "From: everywhere" and "To: nothing", for what uses nothing but lib, are enough
- in the documents: `file` `function()` or `function()` (`file`) side by side: the function is defined there
"""
import fnmatch
import re
import sys

from house import ROOT, functions, head, listed, resolve, sources, text
from house.budget import report
from house.graph import graph

KINDS = ("signpost", "signpost-missing", "document")
ENDS = re.compile(r"\b(?:Spec|Contract|Not handled|Not here|Here too|INVARIANTS?|From|To)\b[:\w ]*:|\bHere too")
PLACE = re.compile(r"((?:[\w-]+/)*[\w*-]+\.(?:c|h|asm)\b|(?:[\w-]+/)+(?![\w*]))(?:'s)?"
                   r"(?: (\w+)\(\))?(?: ?\(([^()]*(?:\(\))?[^()]*)\))?")


def entries(name):
    """(which, line, place, named functions, what the parentheses say) of each place on a signpost."""
    lines, first = head(name)
    blank = next((n for n, line in enumerate(lines) if not line.strip() and n and any("From:" in l or "To:" in l for l in lines[:n])),
                 len(lines))
    joined = "\n".join(lines[:blank])
    for match in re.finditer(r"\b(From|To):", joined):
        rest = joined[match.end():]
        rest = rest[:(ENDS.search(rest) or re.search(r"\Z", rest)).start()]
        for place in PLACE.finditer(rest.replace("\n", " ")):
            said = place[3] or ""
            if place[1].startswith(("tests/", "lab/", "docs/")):
                continue
            named = [place[2]] if place[2] else []
            named += re.findall(r"\b([a-z]\w*_\w+|\w+(?=\(\)))", said)
            yield match[1], first + joined[:match.end() + place.start()].count("\n"), place[1], named, said


def has(name, which):
    return re.search(rf"\b{which}:", "\n".join(head(name)[0]))


def includes(name, header, depth=2):
    found = re.findall(r'^[#%]include "([^"]+)"', text(name), re.M)
    return header in found or depth > 1 and any(includes(h, header, depth - 1) for h in found if h in sources(".h"))


def links(user, used):
    """Symbols by which one source uses another; {""}: an include, or text only."""
    g = graph()
    if user.endswith(".h"): # what it declares, another defines
        return {s for s in g.defined.get(used, ()) if re.search(rf"\b{s}\b", text(user))} | \
            ({""} if used.endswith(".h") and includes(user, used) else set())
    if used.endswith(".h"):
        return {""} if includes(user, used) else set()
    return g.edges.get(user, {}).get(used, set())


def candidates(place, name):
    if place.endswith("/"):
        return [s for s in sources() if s.startswith(place)]
    if "*" in place:
        return [s for s in sources() if fnmatch.fnmatch(s, place if "/" in place else f"*/{place}")]
    found = resolve(place, name.rpartition("/")[0])
    return [found] if found else []


def check(name):
    known = graph().owner
    for which, line, place, named, said in entries(name):
        files = [s for s in candidates(place, name) if s != name]
        if not files:
            if place not in name:
                yield "signpost", name, line, f"{which}: {place} is not there"
            continue
        through = re.match(r"through .*?(\w+)$", said)
        if through:
            if not any(re.search(rf"\b{through[1]}\b", text(s)) for s in files) or through[1] not in text(name):
                yield "signpost", name, line, f"{which}: {through[1]} is not named by both {place} and this file"
            continue
        edges = {s: links(s, name) if which == "From" else links(name, s) for s in files}
        if which == "To" and name.endswith(".h"):
            edges = {s: links(name, s) for s in files}
        used = set().union(*edges.values())
        if not used:
            yield "signpost", name, line, wrong(name, which, place)
            continue
        for function in named:
            inside = which == "From" and any(function in functions(s) for s in files)
            is_one = function in known or any(function in functions(s) for s in sources(".c", ".asm"))
            if is_one and function not in used and not inside and not name.endswith(".h"):
                yield "signpost", name, line, f"{which}: {place} is no way to {function}(); by it: {some(used)}"
            elif not is_one and function + "()" in said:
                yield "signpost", name, line, f"{which}: {place}: there is no {function}()"


def some(names, most=4):
    names = sorted(n for n in names if n)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "nothing"


def wrong(name, which, place):
    if name.endswith(".h") and which == "From":
        users = {s for s in sources() if includes(s, name, 1)}
        return f"From: {place} does not include this header; {some(users)} do"
    if which == "From":
        return f"From: {place} uses nothing of this file; {some(graph().used_by(name))} do"
    if name.endswith(".h"):
        return f"To: {place} defines nothing that is declared here"
    return f"To: this file uses nothing of {place}; but of {some(graph().edges.get(name, {}), 8)}"


def check_both(name):
    for which in ("From", "To"):
        if not has(name, which):
            users = graph().used_by(name) if which == "From" else graph().edges.get(name, {})
            yield "signpost-missing", name, 1, f"no {which}:; it would be among {some(users, 8)}"


def check_documents():
    pair = re.compile(r"`([\w/]+\.(?:c|h|asm))`,?:? `(\w+)\(\)`|`(\w+)\(\)` \((?:in )?`([\w/]+\.(?:c|h|asm))`")
    for name in listed():
        for number, line in enumerate(text(name).splitlines() if name.endswith(".md") else (), 1):
            for match in pair.finditer(line):
                path, function = match[1] or match[4], match[2] or match[3]
                source = resolve(path) or path
                if (ROOT / source).exists() and function not in functions(source) \
                        and not (source.endswith(".h") and re.search(rf"\b{function}\(", text(source))):
                    owner = [s for s in sources() if function in functions(s)]
                    yield "document", name, number, f"{path} does not define {function}(); {some(owner)} does"


def main():
    findings = [finding for name in sources() for finding in check(name)]
    findings += [finding for name in sources(".c") for finding in check_both(name)]
    return report("signposts", KINDS, [*findings, *check_documents()])


if __name__ == "__main__":
    sys.exit(main())
