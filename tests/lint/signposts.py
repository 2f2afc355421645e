#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Signposts lead where they say: the head comment's From: and To: against the symbols that files really use.

    From: vmx/run.c (exit table), guest/ (events).   To: guest/pio.c (vm_pio), vuart.c (through vm->pio).

- From FILE: it uses a symbol of this source; of a header: it includes it, or a header that does
- To FILE: this source uses one of its symbols or includes it; of a header: FILE defines something declared here,
  or lies behind it in its room. "To: back to FILE", where this source returns: FILE uses it
- (name) or name() behind a file, if it is a function's: one that the edge consists of, or one of the file in From
- (through name), of one place or a list of them: a function pointer leads there; both files know the name
- every .c has both. "From: everywhere" is enough; "To: nothing" for what uses only files that are from everywhere
- in any comment: a path and function() behind it: the function is defined there
"""
import fnmatch
import re
import sys

from house import NOT_HERE, functions, head, listed, resolve, room_of, sources, text
from house.budget import report
from house.graph import graph

KINDS = ("signpost", "signpost-missing")
ENDS = re.compile(r"\b(?:Spec|Contract|Not handled|Not here|Here too|INVARIANTS?|From|To)\b[:\w ]*:|\bHere too")
PLACE = re.compile(r"((?:[\w-]+/)*[\w*-]+\.(?:c|h|asm)\b|(?:[\w-]+/)+(?![\w*]))(?:'s)?"
                   r"(?: (\w+)\(\))?(?: ?\(([^()]*(?:\(\))?[^()]*)\))?")


def entries(name):
    """(which, line, place, named functions, what the parentheses say) of each place on a signpost."""
    lines, first = head(name)
    joined = re.sub(r"((?:From|To):(?:.+\n)+)\s*\n(?:.|\n)*", r"\1", "\n".join(lines))
    for match in re.finditer(r"\b(From|To):", joined):
        rest = joined[match.end():].replace("\n", " ")
        rest = rest[:(ENDS.search(rest) or re.search(r"$", rest)).start()]
        places, shared, before = list(PLACE.finditer(rest)), "", None
        for place in reversed(places):
            said = (place[3] or "") + (f" {place[2]}()" if place[2] else "")
            follows = before and re.fullmatch(r",? ?(?:and )?", rest[place.end():before.start()])
            shared = said if said.startswith("through ") else shared if follows and not said else ""
            before, said = place, said or shared
            if not place[1].startswith(("tests/", "lab/", "docs/")):
                named = re.findall(r"\b([a-z]\w*_\w+|\w+(?=\(\)))", said)
                yield match[1], first + joined[:match.end() + place.start()].count("\n"), place[1], named, said


def has(name, which):
    return re.search(rf"\b{which}:", "\n".join(head(name)[0]))


def includes(name, header, depth=2):
    found = re.findall(r'^[#%]include "([^"]+)"', text(name), re.M)
    return header in found or depth > 1 and any(includes(h, header, depth - 1) for h in found if h in sources(".h"))


def links(user, used):
    """Symbols by which one source uses another; "" among them for an include."""
    g = graph()
    by_include = {""} if used.endswith(".h") and includes(user, used) else set()
    if not user.endswith(".h"):
        return by_include | g.edges.get(user, {}).get(used, set())
    own = user[:-2] + ".c"
    declared = {s for s in g.defined.get(used, ()) if re.search(rf"\b{s}\b", text(user))}
    return by_include | declared | g.edges.get(own, {}).get(used, set()) | ({""} if own == used else set())


def only_words(header):
    """No function is declared there: who wants to know more reads who uses the words."""
    return not any(re.search(rf"\b{s}\(", text(header)) for s in graph().owner)


def candidates(place, name):
    if place.endswith("/"):
        return [s for s in sources() if s.startswith(place)]
    if "*" in place:
        return [s for s in sources() if fnmatch.fnmatch(s, place if "/" in place else f"*/{place}")]
    found = resolve(place, name.rpartition("/")[0])
    return [found] if found else []


def check(name):
    for which, line, place, named, said in entries(name):
        files = [s for s in candidates(place, name) if s != name]
        if not files:
            if not name.endswith(place) and not place.startswith(NOT_HERE):
                yield "signpost", name, line, f"{which}: {place} is not there"
            continue
        through = re.match(r"through .*?(\w+)$", said)
        if through:
            if through[1] not in text(name) or not any(through[1] in text(s) for s in files):
                yield "signpost", name, line, f"{which}: {through[1]} is not in both {place} and this file"
            continue
        back = which == "From" or re.search(rf"back to {re.escape(place)}", "\n".join(head(name)[0]))
        if name.endswith(".h"):
            inside = "" if which == "From" or only_words(name) else room_of(name) + "/" # the files behind a room's header
            used = {s for s in files if includes(s, name) and s.startswith(inside)}
            used |= set().union(*(links(name, s) for s in files if which == "To"))
        else:
            used = set().union(*(links(s, name) if back else links(name, s) for s in files))
        if not used:
            yield "signpost", name, line, wrong(name, which, place)
        elif not name.endswith(".h"):
            yield from check_named(name, which, line, place, files, named, said, used)


def check_named(name, which, line, place, files, named, said, used):
    """Words behind a place: a function of the edge, or of the file that the reader came from, or another word of both."""
    for word in named:
        inside = any(word in functions(s) for s in files)
        if word in used or (inside and which == "From"):
            continue
        if word in graph().owner or f"{word}()" in said or inside:
            yield "signpost", name, line, f"{which}: {place} is not joined to this file by {word}(), but by {some(used)}"
        elif not any(re.search(rf"\b{word}\b", text(s)) for s in files):
            yield "signpost", name, line, f"{which}: there is no {word} in {place}; it is joined by {some(used)}"


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


def check_nothing(name):
    """Who leads to nothing uses nothing, but what is from everywhere."""
    if re.search(r"\bTo: nothing\b", "\n".join(head(name)[0])):
        others = {s for s in graph().edges.get(name, {}) if not re.search(r"From: everywhere", "\n".join(head(s)[0]))}
        if others:
            yield "signpost", name, head(name)[1], f"To: nothing, but it uses {some(others, 8)}"


def check_mentions(name):
    """In any comment: a path and a function() behind it."""
    for number, line in enumerate(text(name).splitlines(), 1):
        for path, function in re.findall(r"\b((?:[a-z]\w*/)+\w+\.(?:c|h|asm)) (\w+)\(\)", line):
            found = resolve(path)
            if found in sources(".c", ".asm") and function not in functions(found):
                yield "signpost", name, number, f"{path} does not define {function}(); " + \
                    f"{some({s for s in sources() if function in functions(s)})} does"


def check_both(name):
    for which in ("From", "To"):
        if not has(name, which):
            users = graph().used_by(name) if which == "From" else graph().edges.get(name, {})
            yield "signpost-missing", name, 1, f"no {which}:; it would be among {some(users, 8)}"


def main():
    findings = [finding for name in sources() for finding in [*check(name), *check_nothing(name)]]
    findings += [finding for name in listed() if name.endswith((".c", ".h", ".asm", ".cc")) for finding in check_mentions(name)]
    findings += [finding for name in sources(".c") for finding in check_both(name)]
    return report("signposts", KINDS, findings)


if __name__ == "__main__":
    sys.exit(main())
