#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Plain technical English, in what people read: comments, lines of the log, documents; and the shape of the text.

- words: none of the list below
- columns: no line of a source is longer than 100 columns; code is clang-format's, comments are ours
- declarations: no blank line behind the declarations at the beginning of a function; a name is declared where it is
  first used
"""
import re
import sys

from house import listed, text
from house.budget import report

KINDS = ("words", "columns", "declarations")
COLUMNS = 100
WORDS = { # what a reader has to decode, and what to write
    "whoever": "name the component", "nobody": "\"no CPU\", \"no device\", ...", "somebody": "name the component",
    "someone": "name the component", "anybody": "name the component", "everybody": "\"every file\", \"every CPU\", ...",
    "anew": "\"again\", \"from the beginning\"", "is told": "\"gets\", \"receives\", \"is interrupted\"",
    "are told": "\"get\", \"receive\"", "says so": "\"reports it\", \"has the bit set\"", "say so": "\"report it\"",
    "said why": "\"logged the reason\"", "for good": "\"permanently\", \"until ...\"", "by the way": "leave it out",
    "for ever": "\"without end\", \"until ...\"",
}
LISTED = re.compile(r"\b(%s)\b" % "|".join(word.replace(" ", r"\s+") for word in WORDS), re.I)
SOURCE, COMMENT = (".c", ".h", ".asm", ".cc", ".py"), re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
PRINTS = re.compile(r"\b(?:log_\w+|FAIL|console_line|panic|invariant|say)\(((?:[^;]|\n)*?)\);")
DECLARATION = re.compile(r"    (?:(?:const|static|struct|enum|union|unsigned|volatile) )*\w+ [*\w][\w*, \[\]]*(?: = .*|;|,)$")


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def prose(name):
    """The text of a file with everything blanked out that is not for people."""
    said = text(name)
    if name.endswith(".md"):
        return re.sub(r"```.*?```|`[^`\n]*`", blank, said, flags=re.S)
    if name.endswith(".py"):
        kept = [m.span() for m in re.finditer(r'"""(.*?)"""|(?<![\'"\w])#[^\n]*', said, re.S)]
    elif name.endswith(".asm"):
        kept = [m.span() for m in re.finditer(r";[^\n]*", said)]
    else:
        kept = [m.span() for m in COMMENT.finditer(said)]
        for call in PRINTS.finditer(said):
            kept += [(call.start(1) + m.start(), call.start(1) + m.end()) for m in re.finditer(r'"[^"\n]*"', call[1])]
    bare, at = "", 0
    for start, end in sorted(kept):
        if start >= at:
            bare += re.sub(r"[^\n]", " ", said[at:start]) + said[start:end]
            at = end
    return re.sub(r"\n( ?)(\*|;|#|//)(?=\s)", lambda m: "\n" + " " * (len(m[0]) - 1), bare)


def check_words(name):
    said = prose(name)
    for match in LISTED.finditer(said):
        word = re.sub(r"\s+", " ", match[0].lower())
        yield "words", name, said.count("\n", 0, match.start()) + 1, f'"{word}": better {WORDS[word]}'


def check_columns(name):
    for number, line in enumerate(text(name).splitlines(), 1):
        if len(line.expandtabs(8)) > COLUMNS:
            yield "columns", name, number, f"{len(line.expandtabs(8))} columns; {COLUMNS} are enough"


def check_declarations(name):
    lines = text(name).splitlines()
    for number, line in enumerate(lines):
        at = number + 1
        if line != "{":
            continue
        while at < len(lines) and DECLARATION.match(lines[at]):
            while at < len(lines) and not lines[at].endswith(";"):
                at += 1
            at += 1
        if at > number + 1 and at < len(lines) and not lines[at]:
            yield "declarations", name, at + 1, "a blank line behind declarations: declare where it is first used, and leave it out"


def main():
    findings = []
    for name in listed():
        if name.startswith("tests/lint/"):
            continue
        if name.endswith(SOURCE) or name.endswith(".md"):
            findings += check_words(name)
        if name.endswith(SOURCE):
            findings += check_columns(name)
        if name.endswith((".c", ".h")):
            findings += check_declarations(name)
    return report("words", KINDS, findings)


if __name__ == "__main__":
    sys.exit(main())
