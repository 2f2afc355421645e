# SPDX-License-Identifier: MIT
"""
Figures in the documents: a comment behind a figure says what it is, so that it can be compared.

    22<!-- is bench KEY -->         counted by `make bench` (build/bench.json); may be NEAR it
    16<!-- is defined NAME -->      a constant of a source
    0x51<!-- is framed STRIP -->    in a sentence of a strip of docs/frames/
    sixteen<!-- is counted LABS --> so many there are

A drawing has its own above it: <!-- shows framed STRIP: 0x51 0x52 -->.

From: tests/lint/figures.py (all but `bench`), lab/book.py (all), lab/play/frames.py (which writes
those of `bench`)
"""

import functools
import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"(?P<value>0x[0-9a-fA-F]+|[\w.,-]*\w)(?P<end>`?)"
                  r"<!-- is (?P<kind>\w+) (?P<key>[\w-]+) -->")
COMMENT = re.compile(r"<!-- is \w")
SHOWS = re.compile(r"<!-- shows (\w+) ([\w-]+): ([\w. -]+) -->\n")
DRAWING = re.compile(r"```text\n(.*?)```", re.S)
WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
         "fifteen sixteen seventeen eighteen nineteen twenty").split()


def _rules(which):
    """Those that explore_mutants.py breaks, by a function of it."""
    where = ROOT / "tests/explore/explore_mutants.py"
    spec = importlib.util.spec_from_file_location("rules", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return len(getattr(module, which)())


def _steps(tour):
    return len(re.findall(r"^### \d+\.", tour.read_text(), re.M))


COUNTED = {
    "labs": lambda: len(list(ROOT.glob("labs/[0-9]*/README.md"))),
    "tours": lambda: len(list(ROOT.glob("docs/tours/*.md"))),
    "holes": lambda: len(list(ROOT.glob("labs/16-get-out/holes/*.patch"))),
    "chapters": lambda: len(list(ROOT.glob("docs/book/[0-9]*.md"))),
    "rules-of-posting": lambda: _rules("of_posting"),
    "rules-by-ipis": lambda: _rules("by_ipis"),
    **{f"{tour.stem}-steps": functools.partial(_steps, tour)
       for tour in ROOT.glob("docs/tours/*.md")},
    "traps": lambda: len(re.findall(r"^\| \d+ \|", _text("docs/passthrough-traps.md"), re.M)),
    "notes": lambda: len(re.findall(r'^\| "', _text("docs/lecture-notes.md"), re.M)),
}


def pages():
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")),
            *sorted(ROOT.glob("labs/**/*.md"))]


def number(word):
    """Of 0x10, 1,000 or "sixteen"; None."""
    word = word.replace(",", "").lower()
    if word in WORDS:
        return WORDS.index(word)
    try:
        return int(word, 0)
    except ValueError:
        return None


def near(key, figure):
    """How far a figure of the bench may be off: two CPUs advance in steps of some ticks, and a
    guest's own instructions are counted with some."""
    if key.startswith("vmcs_"):
        return 0
    if key.startswith("boot_"):
        return figure // 10     # each line of the log is a part of it
    return 60 if "halted" in key else 20 if figure > 100 else 5


def counted():
    """{key: figure} of the last `make bench`; {}: there was none."""
    file = ROOT / "build/bench.json"
    return json.loads(file.read_text())["lab"] if file.exists() else {}


def _text(name):
    return (ROOT / name).read_text()


def _defined(name):
    rule = re.compile(rf"^(?:#define +|    ){name} +(?:= )?\(?(?:UINT64_C\()?(0x[0-9a-f]+|\d+)",
                      re.M)
    return {int(value, 0) for value in rule.findall(_sources())}


@functools.cache
def _sources():
    return "\n".join(source.read_text() for source in sorted(ROOT.glob("*/**/*.[ch]"))
                     if source.relative_to(ROOT).parts[0] not in ("build", "labs"))


def _wrong(value, kind, key, bench):
    """What is wrong with a figure; None."""
    if kind == "framed":
        sentences = re.findall(rf"^!\[(.*)\]\(.*frames/{key}-\d+\.svg\)$", "\n".join(
            page.read_text() for page in pages()), re.M)
        return None if any(re.search(rf"\b{value}\b", text) for text in sentences) else \
            f"no frame of {key} says {value}"
    figure = number(value)
    if kind == "bench":
        if not bench or (key in bench and figure is not None and
                         abs(figure - bench[key]) <= near(key, bench[key])):
            return None
        return f"make bench counts {bench.get(key)}"
    found = {"defined": _defined, "counted": lambda key: {COUNTED[key]()}}[kind](key)
    return None if figure in found else f"it is {', '.join(map(str, sorted(found))) or 'nowhere'}"


def _finding(value, kind, key, bench):
    known = kind in ("bench", "defined", "framed") or kind == "counted" and key in COUNTED
    wrong = _wrong(value, kind, key, bench) if known else "nothing is known of it"
    return wrong and f"{value} is {kind} {key}: {wrong}"


def _told(text):
    """(offset, value, kind, key) of each figure."""
    for mark in MARK.finditer(text):
        yield mark.start(), mark["value"], mark["kind"], mark["key"]
    for mark in SHOWS.finditer(text):
        for value in mark[3].split():
            yield mark.start(), value, mark[1], mark[2]


def findings(bench):
    """(page, line, what is wrong); `bench` may be {}."""
    for page in pages():
        text, name = page.read_text(), str(page.relative_to(ROOT))
        if len(MARK.findall(text)) != len(COMMENT.findall(text)):
            yield name, 1, "a comment `is` without a figure before it"
        for mark in SHOWS.finditer(text):
            drawing = DRAWING.search(text, mark.end())[1]
            for value in mark[3].split():
                if not re.search(rf"\b{value}\b", drawing):
                    yield name, text.count("\n", 0, mark.start()) + 1, f"{value} is not drawn"
        for at, value, kind, key in _told(text):
            wrong = _finding(value, kind, key, bench)
            if wrong:
                yield name, text.count("\n", 0, at) + 1, wrong


def renewed(text, bench):
    """A page with the figures of the bench, where they are no longer near."""
    def figure(mark):
        if mark["kind"] != "bench" or not _wrong(mark["value"], "bench", mark["key"], bench):
            return mark[0]
        return mark[0].replace(mark["value"], str(bench[mark["key"]]), 1)
    return MARK.sub(figure, text)
