# SPDX-License-Identifier: MIT
"""
One self-contained file: the steps of a run, or of two side by side, the scripts that play them, and
the library that draws. No server, no network.

From: the launcher `hamlet` (play)
To:   lab/play/story.py (the steps), lab/play/beside.py (two runs); page.html, page.css, player.js,
lanes.js, cards.js, predict.js, controls.js; beside.html, beside.js, which have that page twice;
lab/debian.py (d3, which is Debian's package node-d3)
"""

import html
import json
import os
import re
from pathlib import Path

from lab import cache, debian
from lab import trace as traces
from lab.play import beside
from lab.play.story import Story

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SCRIPTS = ("player.js", "lanes.js", "cards.js", "predict.js", "controls.js")
MARKS = ("notify", "deliver", "stale", "fault", "mark")
LIBRARY = "usr/share/nodejs/d3/dist/d3.min.js"


def library():
    """The text of d3, fetched once into the cache; nothing is installed."""
    installed = Path("/") / LIBRARY
    if not installed.exists():
        installed = debian.unpacked("node-d3", cache.folder() / "d3") / LIBRARY
    return installed.read_text()


class Numbers:
    """Things by the order in which they first came."""

    def __init__(self):
        self.of = {}

    def __call__(self, thing):
        return self.of.setdefault(thing, len(self.of))


def line_of(file, function):
    """Where the function begins, a line of the file; 1 if there is none of that name."""
    if function:
        begins = re.compile(rf"^(?:[\w].*[ *:]|def ){re.escape(function)}\(")
        for number, line in enumerate((ROOT / file).read_text().splitlines(), 1):
            if begins.match(line) and not line.rstrip().endswith(";"):
                return number
    return 1


def _source(source, folder):
    """[file, function, line, where the browser finds it]"""
    if not source:
        return None
    file, function = source
    line = line_of(file, function)
    return [file, function, line, f"{os.path.relpath(ROOT / file, folder)}#L{line}"]


def _order(lane):
    """From the guest down to the device, as on a drawing."""
    kind = re.match(r"[a-z]+", lane).group()
    order = ("vcpu", "cpu", "hamlet", "unit", "ioapic", "device")
    return (order.index(kind) if kind in order else len(order), lane)


def data(story, title, folder):
    """What the page knows of the run, for JSON. `folder`: where the page will be."""
    lanes = sorted({step.lane for step in story.steps}, key=_order)
    paths, sources, titles = Numbers(), Numbers(), Numbers()
    own = {chain.number: [] for chain in story.chains.all}
    rows = []
    for index, step in enumerate(story.steps):
        for chain in step.chains:
            own[chain].append(index)
        rows.append([step.at, lanes.index(step.lane), step.text, sources(step.source),
                     titles(step.title), step.raw, step.chains,
                     [MARKS.index(mark) for mark in step.marks],
                     [[paths(path), old, value] for path, old, value in step.changes]])
    return {"title": title, "lanes": lanes, "steps": rows, "paths": list(paths.of),
            "sources": [_source(source, folder) for source in sources.of],
            "titles": [list(title) or None for title in titles.of],
            "chains": [[chain.kind, chain.name, chain.vcpu, chain.vector, chain.state,
                        own[chain.number]] for chain in story.chains.all],
            "exits": traces.by_reason(story.trace)}


def _json(value):
    """Inside of <script>, where a guest's words may not end it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _filled(name, parts):
    return re.sub(r"__([A-Z]+)__", lambda key: parts.get(key[1], key[0]),
                  (HERE / name).read_text())


def page(trace, title, output):
    folder = output.resolve().parent
    return _filled("page.html", {
        "TITLE": html.escape(title), "STYLE": (HERE / "page.css").read_text(),
        "DATA": _json(data(Story(trace), title, folder)), "LIBRARY": library(),
        "SCRIPT": "\n".join((HERE / script).read_text() for script in SCRIPTS)})


class Pair:
    """Two runs side by side. `runs`: two pairs of a title and a trace."""

    def __init__(self, runs):
        self.titles = [title for title, _ in runs]
        self.stories = [Story(trace) for _, trace in runs]
        self.rows = beside.rows(*self.stories)
        self.first = beside.difference(self.rows)

    def told(self):
        """The first difference, a line for each run; one line if there is none."""
        if self.first is None:
            return ["no event differs"]
        row = self.rows[self.first]
        sentences = beside.sentences(*self.stories, row)
        return ["the first difference:", *(
            f"{title}{f', step {index + 1}' if index >= 0 else ''}: {said}" for title, index, said
            in zip(self.titles, (row.left, row.right), sentences))]

    def page(self, output):
        folder, style = output.resolve().parent, (HERE / "page.css").read_text()
        one = _filled("page.html", {     # what is left out, beside.js puts in
            "TITLE": "one of two", "STYLE": style,
            "SCRIPT": "\n".join((HERE / script).read_text() for script in SCRIPTS)})
        return _filled("beside.html", {
            "TITLE": html.escape(" | ".join(self.titles)), "STYLE": style, "LIBRARY": library(),
            "DATA": _json({"page": one, "rows": [[row.left, row.right, row.kind]
                                                for row in self.rows],
                           "first": -1 if self.first is None else self.first,
                           "runs": [data(story, title, folder) for story, title in
                                    zip(self.stories, self.titles)]}),
            "SCRIPT": (HERE / "beside.js").read_text()})
