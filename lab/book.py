#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The book as a site: the documents, in the order of docs/book/README.md, each picture of
docs/pictures.md in the chapters that name it. Sphinx makes the pages. A link that leads nowhere
ends it, and so does a frame, a sentence or a figure that a run has otherwise.

    lab/book.py FOLDER      FOLDER/index.html is the first page

From: make book      To: docs/book/README.md (the chapters), docs/pictures.md, lab/figures.py,
lab/play/frames.py
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# The path comes first.
from lab import figures             # noqa: E402
from lab.play import frames         # noqa: E402

CONTENTS = "docs/book/README.md"
IMAGE = re.compile(r"^!\[.*\]\(([^)\s]+)\)$", re.M)
LINK = re.compile(r"(?<!!)\[([^]]+)\]\(([^)#\s]+)(#[\w-]+)?\)")
# Alone on its line, a link to a section with a drawing: here stands the drawing itself.
PICTURE = re.compile(r"^\[([^]]+)\]\((?:\.\./)*(\w+\.md)#([\w-]+)\)$", re.M)
DRAWING = re.compile(r"^```text\n.*?^```$", re.S | re.M)

CONF = """\
project = "Hamlet"
html_title = "Hamlet: the book"
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_copy_source = html_show_sourcelink = html_show_copyright = False
highlight_language = "none"
suppress_warnings = ["myst.header"]
html_static_path = ["_static"]
html_css_files = ["book.css"]
"""
# A drawing has up to 108 columns, as tests/lint/pictures.py wants.
STYLE = """\
.content { width: 58em; }
body { margin: 0; }
.content .highlight pre { font-size: 0.78rem; }
h2 { font-size: 1.5em; }
h3 { font-size: 1.2em; }
@media (max-width: 40em) { .content .highlight pre { font-size: 0.62rem; } }
@media print { .content { width: auto; } .content .highlight pre { font-size: 0.58rem; } }
.content img { border: 1px solid #d8d8d8; border-radius: 8px; }
.content img[src$=".svg"] { border: 0; border-radius: 0; margin: 2px; }
"""


def slug(title):
    """The anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def parts():
    """[(title, [(title, name) of a page])] of the table of contents."""
    found = []
    for line in (ROOT / CONTENTS).read_text().splitlines():
        if line.startswith("## "):
            found.append((line[3:], []))
        elif line.startswith("- "):
            found[-1][1].extend((title, resolved(CONTENTS, target))
                                for title, target, _ in LINK.findall(line))
    return found


def resolved(page, target):
    """The name of what a link of a page leads to, from the root."""
    path = (ROOT / page).parent / target
    return str(path.resolve().relative_to(ROOT))


def labs():
    return [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("labs/[0-9]*/README.md"))]


def drawing(page, anchor):
    """The first drawing of a section."""
    for section in re.split(r"^(?=#+ )", (ROOT / page).read_text(), flags=re.M):
        title = section.split("\n", 1)[0].lstrip("# ")
        found = DRAWING.search(section)
        if slug(title) == anchor and found:
            return found[0]
    sys.exit(f"[hamlet] book: {page} has no section #{anchor} with a drawing")


def page_text(page, pages):
    """A page with its drawings, and without links to what is no page of the book."""
    def shown(match):
        name = resolved(page, match[0].split("](")[1].split("#")[0])
        return f"{drawing(name, match[3])}\n\n*{match[1]}*" if name in pages else match[0]

    def linked(match):
        if not match[2].startswith("http"):
            name = resolved(page, match[2])
            if name == CONTENTS:
                return f"[{match[1]}]({os.path.relpath('index.md', Path(page).parent)})"
            if name not in pages:
                return match[1]
        return match[0]

    text = (ROOT / page).read_text()
    if page.startswith("docs/book/"):
        text = PICTURE.sub(shown, text)
    return LINK.sub(linked, text)


def write_sources(source):
    chapters = parts()
    listed = [page for _, group in chapters for _, page in group]
    pages = {"README.md", *listed, *labs()}
    for page in sorted(pages):
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        (source / page).write_text(page_text(page, pages))
        for name in {resolved(page, image) for image in IMAGE.findall((ROOT / page).read_text())}:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    trees = [f"```{{toctree}}\n:caption: {title}\n:maxdepth: 1\n\n" +
             "\n".join(f"{name} <{page}>" for name, page in group) + "\n```"
             for title, group in chapters]
    lab_page = source / "labs/README.md"
    lab_page.write_text(lab_page.read_text() + "\n```{toctree}\n:hidden:\n\n" +
                        "\n".join(name.removeprefix("labs/") for name in labs()) + "\n```\n")
    intro = (ROOT / CONTENTS).read_text().split("\n## ")[0]
    (source / "index.md").write_text(intro + "\n[What Hamlet is](README.md)\n\n" +
                                     "```{toctree}\n:hidden:\n\nREADME.md\n```\n\n" +
                                     "\n\n".join(trees) + "\n")
    (source / "conf.py").write_text(CONF)
    (source / "_static").mkdir()
    (source / "_static/book.css").write_text(STYLE)


def not_as_run():
    """What the documents show otherwise than the runs, a line each."""
    bench = figures.counted()
    if not bench:
        sys.exit("[hamlet] book: no figures to compare with; make bench")
    return [f"{name}:{line}: {what}" for name, line, what in figures.findings(bench)] + \
        frames.check()


def main():
    folder = Path(sys.argv[1])
    wrong = not_as_run()
    if wrong:
        sys.exit("\n".join(wrong))
    source = folder.parent / f"{folder.name}-source"
    for old in (folder, source):
        shutil.rmtree(old, ignore_errors=True)
    source.mkdir(parents=True)
    write_sources(source)
    made = subprocess.run([sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W",
                           "--keep-going", source, folder])
    if made.returncode == 0:
        print(f"[hamlet] book: {folder}/index.html")
    return made.returncode


if __name__ == "__main__":
    sys.exit(main())
