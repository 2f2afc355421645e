#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Plain technical English in what people read (comments, lines of the log, documents), and its shape.

- words: none of the list below
- columns: no line of a source is longer than 100 columns; code is clang-format's, comments are ours
- declarations: no blank line behind the declarations at the beginning of a function; a name is
  declared where it is first used
"""
import re
import sys

from house import listed, text
from house.report import report

COLUMNS = 100
NAME_IT = "name the component"
WORDS = { # what a reader has to decode, and what to write
    "whoever": NAME_IT,
    "somebody": NAME_IT,
    "someone": NAME_IT,
    "anybody": NAME_IT,
    "nobody": '"no CPU", "no device", ...',
    "everybody": '"every file", "every CPU", ...',
    "is told": '"gets", "receives", "is interrupted"',
    "are told": '"get", "receive"',
    "says so": '"reports it", "has the bit set"',
    "say so": '"report it"',
    "said why": '"logged the reason"',
    "anew": '"again", "from the beginning"',
    "for good": '"permanently", "until ..."',
    "for ever": '"without end", "until ..."',
    "by the way": "leave it out",
}
LISTED = re.compile(r"\b(%s)\b" % "|".join(WORDS).replace(" ", r"\s+"), re.I)
HERE = "tests/lint/words.py"
SOURCE = (".c", ".h", ".asm", ".cc", ".py")
COMMENT = {".c": r"/\*(?:.|\n)*?\*/|//[^\n]*", ".asm": r";[^\n]*",
           ".py": r'"""(?:.|\n)*?"""|(?<![\'"\w])#[^\n]*'}
PRINTS = re.compile(r"\b(?:log_\w+|FAIL|console_line|panic|invariant|say)\(((?:[^;]|\n)*?)\);")
DECLARATION = re.compile(r"    (?:(?:const|static|struct|enum|union|unsigned) )*"
                         r"\w+ [*\w][\w*, \[\]]*(?: = .*|;|,)$")


def blank(said):
    return re.sub(r"[^\n]", " ", said)


def prose(name):
    """The text of a file with everything blanked out that is not for people."""
    said, suffix = text(name), name[name.rfind("."):]
    if suffix == ".md":
        return re.sub(r"```.*?```|`[^`\n]*`", lambda code: blank(code[0]), said, flags=re.S)
    kept = [match.span() for match in re.finditer(COMMENT.get(suffix, COMMENT[".c"]), said)]
    for call in PRINTS.finditer(said) if suffix in (".c", ".h") else ():
        kept += [(call.start(1) + string.start(), call.start(1) + string.end())
                 for string in re.finditer(r'"[^"\n]*"', call[1])]
    bare, at = "", 0
    for start, end in sorted(kept):
        if start >= at:
            bare += blank(said[at:start]) + said[start:end]
            at = end
    return re.sub(r"\n ?[*;#/]{1,2}(?=\s)", lambda margin: "\n" + " " * (len(margin[0]) - 1), bare)


def check_words(name):
    said = prose(name)
    for match in LISTED.finditer(said):
        word = re.sub(r"\s+", " ", match[0].lower())
        line = said.count("\n", 0, match.start()) + 1
        yield name, line, f'"{word}": better {WORDS[word]}'


def check_columns(name):
    for number, line in enumerate(text(name).splitlines(), 1):
        width = len(line.expandtabs(8))
        if width > COLUMNS:
            yield name, number, f"{width} columns; {COLUMNS} are enough"


def check_declarations(name):
    lines = text(name).splitlines()
    for number, line in enumerate(lines):
        at = number + 1
        while line == "{" and at < len(lines) and DECLARATION.match(lines[at]):
            while at < len(lines) and not lines[at].endswith(";"):
                at += 1
            at += 1
        if at > number + 1 and at < len(lines) and not lines[at]:
            yield name, at + 1, "a blank line behind declarations: leave it out"


def main():
    findings = []
    for name in listed():
        if name.endswith((*SOURCE, ".md")) and name != HERE:
            findings += check_words(name)
        if name.endswith(SOURCE):
            findings += check_columns(name)
        if name.endswith((".c", ".h")):
            findings += check_declarations(name)
    return report("words", findings)


if __name__ == "__main__":
    sys.exit(main())
