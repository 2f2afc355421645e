#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Signposts lead where they say: the head comment's From: and To:, against the symbols in use.

    From: vmx/run/run.c (exit table), guest/ (events).   To: guest/pc/pio.c (vcpu_on_in), vuart.c.

- From FILE: it uses a symbol of this source; of a header: it names something declared there
- To FILE: this source uses one of its symbols or includes it; of a header: FILE defines something
  declared here, or lies behind it in its room. "To: back to FILE": this source returns there
- (name) or name() behind a place, if that is a function: one that joins the two files, or one of
  the file in From
- (through name), of one place or a list of them: a function pointer leads there; both know the name
- every .c has both. "From: everywhere" is enough; "To: nothing" for what uses only such files
- in any comment: a path and function() behind it: the function is defined there
"""
import fnmatch
import re
import sys

from house import NOT_HERE, functions, head, listed, resolve, room_of, sources, text
from house.graph import graph
from house.headers import closure, declares, included, names
from house.report import report

ENDS = re.compile(r"\b(?:Spec|Contract|Not handled|Not here|INVARIANTS?|From|To)\b[:\w ]*:|"
                  r"Here too")
PLACE = re.compile(r"((?:[\w-]+/)*[\w*-]+\.(?:c|h|asm)\b|(?:[\w-]+/)+(?![\w*]))(?:'s)?"
                   r"(?: (\w+)\(\))?(?: ?\(([^()]*(?:\(\))?[^()]*)\))?")
LIST = re.compile(r",? ?(?:and )?")
ELSEWHERE = ("tests/", "lab/", "docs/")


def signpost(name):
    """The head comment up to the end of the paragraph in which From: or To: stands."""
    return re.sub(r"((?:From|To):(?:.+\n)+)\s*\n(?:.|\n)*", r"\1", "\n".join(head(name)[0]))


def entries(name):
    """(From or To, line, place, what its parentheses say), of each place on a signpost."""
    post, first = signpost(name), head(name)[1]
    for match in re.finditer(r"\b(From|To):", post):
        rest = post[match.end():].replace("\n", " ")
        rest = rest[:(ENDS.search(rest) or re.search(r"$", rest)).start()]
        shared, before = "", None
        for place in reversed(list(PLACE.finditer(rest))): # "(through name)" ends a list
            said = (place[3] or "") + (f" {place[2]}()" if place[2] else "")
            if said.startswith("through "):
                shared = said
            elif said or not before or not LIST.fullmatch(rest[place.end():before.start()]):
                shared = ""
            before = place
            if not place[1].startswith(ELSEWHERE):
                line = first + post.count("\n", 0, match.end() + place.start())
                yield match[1], line, place[1], said or shared


def candidates(place, name):
    """The sources that a place may mean: a folder, a pattern, a path, or a name nearby."""
    if place.endswith("/"):
        return [s for s in sources() if s.startswith(place)]
    if "*" in place:
        return [s for s in sources() if fnmatch.fnmatch(s, place if "/" in place else f"*/{place}")]
    found = resolve(place, name.rpartition("/")[0])
    return [found] if found else []


def knows(name, header):
    """A file includes a header, or names something of one that it sees."""
    return header in included(name) or header in closure(name) and declares(header) & names(name)


def uses(user, used):
    """Symbols by which one source uses, a header declares, what is of another; "": an include."""
    by_include = {""} if knows(user, used) else set()
    if user.endswith(".h"):
        return by_include | graph().defined.get(used, set()) & set(re.findall(r"\w+", text(user)))
    return by_include | graph().edges.get(user, {}).get(used, set())


def behind(header, used):
    """The same, also of the source of the header's name."""
    own = header.removesuffix("h") + "c"
    by_own = graph().edges.get(own, {}).get(used, set())
    return uses(header, used) | by_own | ({""} if own == used else set())


def joins(name, which, place, files):
    """By what a place is joined to a source, in the direction of the signpost; empty: not."""
    if not name.endswith(".h"):
        back = which == "From" or f"back to {place}" in signpost(name)
        return set().union(*(uses(s, name) if back else uses(name, s) for s in files))
    if which == "From":
        return {s for s in files if knows(s, name)}
    words_only = not any(s in graph().owner for s in re.findall(r"(\w+)\(", text(name)))
    inside = [s for s in files if words_only or s.startswith(room_of(name) + "/")]
    return {s for s in inside if name in closure(s)}.union(*(behind(name, s) for s in files))


def check(name):
    for which, line, place, said in entries(name):
        files = [s for s in candidates(place, name) if s != name]
        through = re.match(r"through .*?(\w+)$", said)
        if not files:
            if not name.endswith(place) and not place.startswith(NOT_HERE):
                yield name, line, f"{which}: {place} is not there"
        elif through:
            if not all(through[1] in "".join(map(text, known)) for known in ([name], files)):
                yield name, line, f"{which}: {through[1]} is not in both files"
        elif not (by := joins(name, which, place, files)):
            yield name, line, wrong(name, which, place)
        elif not name.endswith(".h"):
            yield from check_named(name, which, line, place, files, said, by)


def check_named(name, which, line, place, files, said, by):
    for word in re.findall(r"\b([a-z]\w*_\w+|\w+(?=\(\)))", said):
        inside = any(word in functions(s) for s in files)
        if word in by or (inside and which == "From"):
            continue
        if word in graph().owner or f"{word}()" in said or inside:
            yield name, line, \
                f"{which}: not {word}() joins {place} to this file, but {some(by)}"
        elif not any(re.search(rf"\b{word}\b", text(s)) for s in files):
            yield name, line, \
                f"{which}: there is no {word} in {place}; it is joined by {some(by)}"


def some(names, most=8):
    names = sorted(n for n in names if n)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "nothing"


def wrong(name, which, place):
    if name.endswith(".h") and which == "From":
        users = {s for s in sources() if name in included(s)}
        return f"From: {place} names nothing of this header; included by {some(users)}"
    if which == "From":
        return f"From: {place} uses nothing of this file; {some(graph().used_by(name))} do"
    if name.endswith(".h"):
        return f"To: {place} defines nothing that is declared here"
    return f"To: this file uses nothing of {place}; but of {some(graph().edges.get(name, {}))}"


def check_both(name):
    post, used = signpost(name), graph().edges.get(name, {})
    for which, found in (("From", graph().used_by(name)), ("To", used)):
        if not re.search(rf"\b{which}:", post):
            yield name, 1, f"no {which}:; it would be among {some(found)}"
    others = {s for s in used if "From: everywhere" not in signpost(s)}
    if re.search(r"\bTo: nothing\b", post) and others:
        yield name, head(name)[1], f"To: nothing, but it uses {some(others)}"


def check_mentions(name):
    for number, line in enumerate(text(name).splitlines(), 1):
        for path, function in re.findall(r"\b((?:[a-z]\w*/)+\w+\.(?:c|asm)) (\w+)\(\)", line):
            found = resolve(path)
            if found in sources() and function not in functions(found):
                owners = {s for s in sources() if function in functions(s)}
                yield name, number, \
                    f"{path} does not define {function}(); {some(owners)} does"


def main():
    findings = [finding for name in sources() for finding in check(name)]
    findings += [finding for name in sources(".c") for finding in check_both(name)]
    findings += [finding for name in listed() if name.endswith((".c", ".h", ".asm", ".cc"))
                 for finding in check_mentions(name)]
    return report("signposts", findings)


if __name__ == "__main__":
    sys.exit(main())
