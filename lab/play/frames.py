#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Strips for the book: some steps of a recorded run, one small drawing each, with the sentence that
the page has for it and with what some fields hold after it.

    lab/play/frames.py [--check]    writes docs/frames/ and the lines of the documents that show
                                    them; --check only says what differs, and fails

From: make pictures, lab/book.py, tests/lint/pictures.py
To:   lab/play/strips.py (which strips), lab/play/pictures.py (the runs), lab/play/story.py

A document has `<!-- frames: NAME -->` and below it a line for each frame, which are written here.
Addresses, and what else differs between two builds of Hamlet, are not compared (VARIES).
"""

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
from lab import figures                         # noqa: E402
from lab.play import bits, pictures             # noqa: E402
from lab.play.story import Story                # noqa: E402
from lab.play.strips import STRIPS              # noqa: E402

FOLDER = ROOT / "docs/frames"
MARK = re.compile(r"^<!-- frames: (?P<name>[\w-]+) -->\n(?:!\[.*\]\(.*\)\n)*", re.M)
VARIES = re.compile(r"0x[0-9a-f]{5,}|\+0x[0-9a-f]+|status 0x[0-9a-f]+")
COST = re.compile(r"; \d+ ticks to the next entry| \(0x[0-9a-f]{5,}\)(?=[:;,.]| *$)")

WIDTH, LEFT, LINE, COLUMNS = 272, 10, 15, 41
ACTORS = (("guest", "#2a9d6f"), ("CPU", "#59636e"), ("Hamlet", "#d65f4a"), ("unit", "#7261c9"),
          ("device", "#2d7fb8"))
BANDS = {"guest": ("#2a9d6f", "in the guest"), "hamlet": ("#d65f4a", "in Hamlet"),
         "ready": ("#b97f00", "ready"), "halted": ("#75808f", "halted"),
         "": ("#8a8f98", "not running")}
TEXT = 'font-family="DejaVu Sans, Verdana, sans-serif"'


@dataclass
class Frame:
    number: int
    of: int
    text: str
    actor: str
    band: str               # of BANDS
    vcpu: str
    cells: list             # (name, value, changed, alarm)


# --- Steps ---------------------------------------------------------------------------------------

def _windows(story, strip):
    """[index of a step] for each place where the strip could begin."""
    steps = range(len(story.steps))
    if strip.chain:
        number = next((one.number for one in story.chains.all if one.state == strip.chain), None)
        steps = [index for index in steps if number in story.steps[index].chains]
    first = re.compile(strip.steps[0])
    for start, index in enumerate(steps):
        if not first.match(story.steps[index].raw):
            continue
        window, at = [index], start + 1
        for pattern in strip.steps[1:]:
            at = next((n for n in range(at, len(steps))
                       if re.match(pattern, story.steps[steps[n]].raw)), None)
            if at is None:
                return
            window.append(steps[at])
            at += 1
        yield window


def found(story, name):
    """Indices of the steps of a strip: where they stand closest together."""
    windows = list(_windows(story, STRIPS[name]))
    if not windows:
        sys.exit(f"[hamlet] frames: {name}: the run {STRIPS[name].run} has no such steps")
    return min(windows, key=lambda window: window[-1] - window[0])


def _actor(step):
    begin = step.raw.split(" ")[0]
    if " without an exit" in step.text:
        return "guest"
    if begin.startswith("cpu"):
        return "CPU"
    if begin.startswith("unit") and step.lane != "hamlet":
        return "unit"
    return "device" if begin in ("device", "ioapic") else "Hamlet"


def said(step):
    """Its sentence, without what it cost in this build."""
    return COST.sub("", step.text)


def _cell(path, state, changed):
    """(name, value, changed, alarm)"""
    owner, _, key = path.partition("/")
    field = key.split("/")[-1]
    value, alarm = state.get(path), False
    if owner.startswith("unit"):
        cache, _, key = key.partition("/")
        value, age = value or ("-", 0)
        name, alarm = bits.CACHES.get(cache, cache), age > 0
        value = re.sub(r" at 0x\w+,.*|, for .*", "", value)
        return name, f"{value}{' (old)' if alarm else ''}", path in changed, alarm
    if field in ("pir", "virr", "visr"):
        value = " ".join(f"0x{one}" for one in (value or "").split(",") if one) or "-"
    elif field in ("rvi", "svi", "vppr", "nv"):
        value = bits.SHORT.get(value, f"0x{value or 0:02x}")
    elif field == "ndst":
        value = f"CPU {value}" if value is not None else "-"
    return field.upper() if len(field) < 5 else field, str(value if value is not None else "-"), \
        path in changed, alarm


def _band(state, vcpu, alive):
    """Of BANDS: a descriptor says *ready* before the first turn and after the last one, too."""
    now = state.get(f"vcpu/{vcpu}/state") if alive else ""
    return state.get(f"vcpu/{vcpu}/mode", "hamlet") if now == "running" else now or ""


def frames(story, name):
    strip, state, out, alive = STRIPS[name], {}, [], False
    indices = found(story, name)
    shown = set()
    for at, step in enumerate(story.steps[:indices[-1] + 1]):
        state.update((path, new) for path, _, new in step.changes)
        shown = shown if at > indices[0] else set()
        shown.update(path for path, _, _ in step.changes)
        if step.raw.startswith("sched") and step.lane == f"vcpu {strip.vcpu}":
            alive = step.raw != "sched stopped"
        if at in indices:
            out.append(Frame(len(out) + 1, len(indices), said(step), _actor(step),
                             _band(state, strip.vcpu, alive), strip.vcpu,
                             [_cell(path, state, shown) for path in strip.shows]))
            shown = set()
    return out


# --- Drawing -------------------------------------------------------------------------------------

def _wrapped(text):
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) + 1 > COLUMNS and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _text(x, y, text, *, size=11, fill="#1d2127", more=""):
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{more}>{escape(text)}</text>'


def _head(frame):
    color, words = BANDS[frame.band]
    end = ' text-anchor="end"'
    out = [f'<rect width="{WIDTH}" height="24" fill="{color}"/>',
           _text(LEFT, 16, f"{frame.vcpu}: {words}", fill="#fff"),
           _text(WIDTH - LEFT, 16, f"{frame.number} of {frame.of}", fill="#fff", more=end)]
    x, middle = LEFT, ' text-anchor="middle"'
    for name, paint in ACTORS:
        width = 7 * len(name) + 9
        acts = name == frame.actor
        out += [f'<rect x="{x}" y="32" width="{width}" height="17" rx="8" '
                f'fill="{paint if acts else "#f1f0eb"}"/>',
                _text(x + width / 2, 44, name, size=10, fill="#fff" if acts else "#6a7078",
                      more=middle)]
        x += width + 4
    return out


def _cells(cells, y):
    """(lines of SVG, where they end)"""
    out, x = [], LEFT
    for name, value, changed, alarm in cells:
        width = 7 * max(len(name), len(value)) + 12
        if x > LEFT and x + width > WIDTH - LEFT + 4:
            x, y = LEFT, y + 38
        ground = "#fde0e4" if alarm else "#fff0b8" if changed else "#f6f5f1"
        ink = "#c81e3a" if alarm else "#1d2127"
        out += [f'<rect x="{x}" y="{y}" width="{width}" height="34" rx="4" fill="{ground}" '
                'stroke="#dfddd6"/>', _text(x + 5, y + 13, name, size=9, fill="#6a7078"),
                _text(x + 5, y + 27, value, fill=ink)]
        x += width + 4
    return out, y + (38 if cells else 0)


def height(strip):
    """Of every frame of a strip."""
    return 14 + max(_cells(frame.cells, 58)[1] + LINE * len(_wrapped(frame.text))
                    for frame in strip)


def svg(frame, tall):
    cells, y = _cells(frame.cells, 58)
    lines = [_text(LEFT, y + 14 + LINE * n, line) for n, line in enumerate(_wrapped(frame.text))]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{tall}" '
        f'viewBox="0 0 {WIDTH} {tall}" {TEXT}>',
        f'<rect width="{WIDTH}" height="{tall}" fill="#fff"/>', *_head(frame), *cells, *lines,
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{tall - 1}" fill="none" '
        'stroke="#dfddd6"/>', "</svg>", ""])


# --- Files and documents -------------------------------------------------------------------------

def files(name):
    return [f"{name}-{number}.svg" for number in range(1, len(STRIPS[name].steps) + 1)]


def drawn(stories):
    """({file: SVG}, {strip: [sentence]}) of all strips; `stories`: run -> Story."""
    images, told = {}, {}
    for name, strip in STRIPS.items():
        row = frames(stories[strip.run], name)
        tall = height(row)
        images.update(zip(files(name), (svg(frame, tall) for frame in row)))
        told[name] = [frame.text for frame in row]
    return images, told


def same(one, other):
    return VARIES.sub("#", one) == VARIES.sub("#", other)


def documents():
    return sorted(ROOT.glob("docs/**/*.md"))


def with_lines(text, told, folder):
    """A document's text with the lines of its strips. `folder`: the way to docs/frames."""
    def lines(match):
        name = match["name"]
        if name not in told:
            sys.exit(f"[hamlet] frames: there is no strip {name}")
        kept = re.findall(r"^!\[(.*)\]\((.*)\)$", match[0], re.M)
        now = [(sentence, f"{folder}/{file}") for sentence, file in zip(told[name], files(name))]
        now = [old if old[1:] == new[1:] and same(old[0], new[0]) else new
               for old, new in zip([*kept, *now[len(kept):]], now)]
        return f"<!-- frames: {name} -->\n" + "".join(f"![{alt}]({at})\n" for alt, at in now)
    return MARK.sub(lines, text)


def wanted(stories):
    """{path: text} of all that is made of the runs."""
    images, told = drawn(stories)
    texts, bench = {FOLDER / name: image for name, image in images.items()}, figures.counted()
    for page in documents():
        up = len(page.relative_to(ROOT / "docs").parts) - 1
        text = with_lines(page.read_text(), told, "/".join([*[".."] * up, "frames"]))
        texts[page] = figures.renewed(text, bench)
    return texts


def differing(texts):
    """Paths of files that are not as the runs say."""
    return [path for path, text in texts.items()
            if not path.exists() or not same(path.read_text(), text)] + \
        sorted(set(FOLDER.glob("*.svg")) - texts.keys())


def recorded():
    """{run: Story} of all strips."""
    with tempfile.TemporaryDirectory(prefix="hamlet-frames-") as scratch:
        return {run: Story(pictures.recorded(run, Path(scratch)))
                for run in dict.fromkeys(strip.run for strip in STRIPS.values())}


def check():
    """What differs from the runs, a line each."""
    return [f"{path.relative_to(ROOT)}: not what the run shows by now; make pictures"
            for path in differing(wanted(recorded()))]


def main():
    if sys.argv[1:] == ["--check"]:
        found = check()
        print("\n".join(found) or f"frames: {len(STRIPS)} strips are as the runs show them")
        return 1 if found else 0
    texts = wanted(recorded())
    for path in differing(texts):
        if path in texts:
            path.write_text(texts[path])
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
