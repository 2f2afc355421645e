#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Pictures of the page for the documents: some runs are recorded, each is made a page, and a browser
takes a picture of a step. The step is found by the words of its event, not by its number.

    lab/play/pictures.py FOLDER [NAME]...      FOLDER/NAME.png; the sentence of each is printed

From: make pictures, tests/judges/test_pictures.py, tests/cases/test_play.py
To:   the launcher `hamlet` (run), lab/play/page.py; docs/play.md shows the pictures
"""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
from lab import trace as traces         # noqa: E402
from lab.play import page               # noqa: E402
from lab.play.story import Story        # noqa: E402

GUESTS = ROOT / "build/guests"
POSTING = f"kernel={GUESTS}/posting.elf,name=alpha,mem=16M,vcpus=2,pci=1234:11e8"
WIDTH, PAIR_WIDTH, SCALE, COLORS = 1040, 1300, 1.6, 128
# A Hamlet whose interrupt entries change without a flush. Nothing of it is in a normal build.
UNFLUSHED = ROOT / "build/unflushed"
CHANGED = ("vtd/intremap.c", "(&vtd.irt[index], value);\n    flush(index, 1);\n",
           "(&vtd.irt[index], value);\n")


@dataclass
class Picture:
    run: str
    begins: str             # the recorded event of the step
    cards: str              # below the lanes
    state: str = ""         # of the vCPU, when the interrupt of this chain was posted
    says: str = ""          # in its sentence
    beside: str = ""        # another run: both, at the first difference


PICTURES = {
    "running": Picture("posting", r"unit0 notify", "vcpu,entry,unit", "running"),
    "ready": Picture("posting", r"unit0 post", "vcpu,entry,cpu", "ready"),
    "halted": Picture("posting", r"unit0 notify", "vcpu,entry,cpu", "halted"),
    "stale": Picture("unflushed", r"unit0 iec stale", "vcpu,entry,unit",
                     says="0x52 to alpha.1"),
    "blocked": Picture("fault", r"unit0 (fault|blocked)", "unit,entry,device"),
    "beside": Picture("posting", "", "entry", beside="software"),
}


def unflushed():
    """The path of that Hamlet."""
    name, text, instead = CHANGED
    source = (ROOT / name).read_text()
    if text not in source:
        sys.exit(f"[hamlet] pictures: {name} is another one by now")
    (UNFLUSHED / name).parent.mkdir(parents=True, exist_ok=True)
    (UNFLUSHED / name).write_text(source.replace(text, instead))
    mine = UNFLUSHED.relative_to(ROOT)
    image = f"build/{mine}/hamlet.elf"
    subprocess.run(["make", "-s", f"MINE={mine}", "EXTRA_CFLAGS=-w", image], cwd=ROOT, check=True)
    return ROOT / image


# Name of a run -> arguments of `hamlet run`.
RUNS = {
    "posting": lambda: ["--vm", f'{POSTING},cmdline="running=2 ready=8 halted=4 vcpus=2"'],
    "software": lambda: ["--append", "post=off", *RUNS["posting"]()],
    "unflushed": lambda: ["--kernel", unflushed(), "--vm", f'{POSTING},cmdline="moved=32 vcpus=2"'],
    "fault": lambda: ["--vm", f"kernel={GUESTS}/edu-fault.elf,name=alpha,mem=16M,pci=1234:11e8"],
    "first": lambda: ["--vm", f"kernel={GUESTS}/one-instruction.bin,mem=4M,run=1",
                      "--vm", f"kernel={GUESTS}/hello.elf,mem=16M"],
    "dma": lambda: ["--vm", f"kernel={GUESTS}/edu-dma.elf,name=alpha,mem=16M,pci=1234:11e8"],
    "moved": lambda: ["--vm", f"kernel={GUESTS}/moved.elf,name=alpha,mem=16M,pci=1234:11e8"],
    "forged": lambda: ["--vm", f"kernel={GUESTS}/edu-msi.elf,name=alpha,mem=16M,pci=1234:11e8,"
                       'cmdline="count=2 forge=4"'],
    "line": lambda: ["--vm", f"kernel={GUESTS}/lab-intx.elf,name=alpha,mem=16M,pci=1234:11e9,"
                     "cmdline=count=2"],
}


def recorded(name, folder):
    """The trace of a run; what became of its guests does not count."""
    file = folder / name
    run = subprocess.run([ROOT / "hamlet", "run", "--on", "lab", "--timeout", "60", "--trace", file,
                          *RUNS[name]()], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not file.is_file():
        sys.exit(f"[hamlet] pictures: no trace of {name}:\n{run.stdout[-2000:]}{run.stderr}")
    return traces.read(file.read_text())


def found(picture, story):
    """(index of the step, its chain)"""
    for index, step in enumerate(story.steps):
        chain = next((story.chains.all[number] for number in step.chains
                      if story.chains.all[number].state == (picture.state or
                                                            story.chains.all[number].state)), None)
        if chain and re.match(picture.begins, step.raw) and picture.says in step.text:
            return index, chain
    sys.exit(f"[hamlet] pictures: no step of {picture.run} is {picture.begins!r}")


def browse(*words):
    chromium = shutil.which("chromium") or sys.exit("[hamlet] pictures: chromium is missing")
    return subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu",
                           "--hide-scrollbars", f"--force-device-scale-factor={SCALE}", *words],
                          capture_output=True, check=True, timeout=60).stdout.decode()


def take(address, file, width):
    """The page as high as it is, with as many colours as it needs."""
    dom = browse("--dump-dom", f"--window-size={width},600", address)
    height = re.search(r'data-height="(\d+)"', dom)[1]
    browse(f"--screenshot={file}", f"--window-size={width},{height}", address)
    subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", "--speed", "1", "--nofs",
                    str(COLORS), file], check=True)


def taken(name, runs, folder, scratch):
    """Take the picture; returns its sentence. `runs`: name of a run -> its trace."""
    picture = PICTURES[name]
    for run in filter(None, (picture.run, picture.beside)):
        if run not in runs:
            runs[run] = recorded(run, scratch)
    html, end = scratch / f"{name}.html", f"&theme=light&picture={picture.cards}"
    if picture.beside:
        pair = page.Pair([(run, runs[run]) for run in (picture.run, picture.beside)])
        html.write_text(pair.page(html))
        row, where, width = pair.rows[pair.first], f"row={pair.first + 1}", PAIR_WIDTH
        text = pair.stories[0].steps[row.left].text
    else:
        story = Story(runs[picture.run])
        html.write_text(page.page(runs[picture.run], picture.run, html))
        index, chain = found(picture, story)
        where, width = f"chain={chain.number}&step={index + 1}", WIDTH
        text = story.steps[index].text
    take(f"{html.as_uri()}#{where}{end}", folder / f"{name}.png", width)
    return text


def main():
    folder, *names = sys.argv[1:]
    folder, names, runs = Path(folder), names or list(PICTURES), {}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hamlet-pictures-") as scratch:
        for name in names:
            print(f"{name}: {taken(name, runs, folder, Path(scratch))}", flush=True)


if __name__ == "__main__":
    main()
