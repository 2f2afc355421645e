#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Lines of the console that a document quotes are lines that some source prints.

`[0] tag: text` (in a code block or in backquotes) fits a format string of a source with
`#define LOG "tag"`, and `hamlet: text` one of any source. A specifier of the format stands for any
text, "..." in the document for the rest of a line. The monitor's command `log` knows each tag.
"""
import functools
import re
import sys

from house import listed, sources, text
from house.report import report

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")
QUOTED = re.compile(r"\[\d+\] ([\w-]+): (.*)|hamlet: (.*)")


@functools.cache
def words():
    """Macros that are a string: BDF_FMT"""
    define = re.compile(rf"^#define (\w+) +({STRING.pattern})", re.M)
    return dict(found for source in sources(".h", ".c") for found in define.findall(text(source)))


@functools.cache
def formats(name):
    """Strings of a source, neighbours joined as the compiler does."""
    code = re.sub(r"/\*.*?\*/", " ", text(name), flags=re.S)
    code = re.sub(r"(?<!define )\b[A-Z]\w+\b", lambda match: words().get(match[0], match[0]), code)
    found = []
    for match in re.finditer(rf"{STRING.pattern}(?:\s*{STRING.pattern})*", code):
        joined = "".join(s[1:-1] for s in STRING.findall(match[0]))
        found.append(joined.replace('\\"', '"').replace("\\n", "").replace("\\\\", "\\"))
    return found


def fits(form, said, begun):
    """Whether a format prints this; of a line not quoted to its end, whether it begins so."""
    parts = [part.replace("\0", "%") for part in CONVERSION.split(form.replace("%%", "\0"))]
    if not begun:
        return bool(re.fullmatch(".*".join(map(re.escape, parts)), said))
    return any(re.fullmatch(".*".join(map(re.escape, [*parts[:n], part[:length]])), said)
               for n, part in enumerate(parts) for length in range(len(part) + 1))


def prints(name, said):
    """A format without words of its own proves nothing; each key= is a word of that source."""
    begun, dots, _ = said.partition("...")
    begun = begun.rstrip() if dots else said
    if not any(re.search(r"[a-z]{2,}", CONVERSION.sub("", form)) and fits(form, begun, bool(dots))
               for form in formats(name)):
        return False
    keys = set(re.findall(r"([a-z][a-z-]*)[\w.-]*=", re.sub(r'"[^"]*"', "", begun))) - {"key"}
    strings = " ".join(formats(name))
    return all(re.search(rf"(?<![\w-]){key}(?![a-z-])", strings) for key in keys)


@functools.cache
def tags():
    """tag -> sources"""
    found = {}
    for name in sources():
        for tag in re.findall(r'^#define LOG\s+"([^"]+)"', text(name), re.M):
            found.setdefault(tag, []).append(name)
    return found


def quotes(name):
    """(line, quoted text) of code blocks and backquotes that are lines of the console."""
    fenced = False
    for number, line in enumerate(text(name).splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        said = [line.strip()] if fenced else re.findall(r"`([^`]+)`", line)
        yield from ((number, quote) for quote in said if QUOTED.fullmatch(quote))


def check(name):
    for number, quote in quotes(name):
        tag, said, rest = QUOTED.fullmatch(quote).groups()
        if tag and tag not in tags():
            yield name, number, f'no source has #define LOG "{tag}"'
        elif tag and said.strip(". ") and not any(prints(source, said) for source in tags()[tag]):
            others = [t for t in tags() if any(prints(source, said) for source in tags()[t])]
            instead = f" (but LOG {', '.join(others)} does)" if others else ""
            yield name, number, f"no source with LOG {tag} prints: {said}{instead}"
        elif not tag and rest.strip(". ") and not any(prints(s, quote) for s in sources()):
            yield name, number, f"no source prints: {quote}"


def unknown_tags():
    """The list of subsystems against the sources of the hypervisor."""
    name = "monitor/cmd/host.c"
    rows = re.search(r"subsystems\[\] = \{(.*?)\};", text(name), re.S)[1]
    tags = {tag for source in sources(".c") if not source.startswith(("lab/", "tests/"))
            for tag in re.findall(r'^#define LOG "(\w+)"', text(source), re.M)}
    known = {row[1:-1] for row in STRING.findall(rows)}
    return [(name, 0, f"`log` and the sources do not agree about {tag}")
            for tag in sorted(known ^ tags)]


def main():
    documents = [name for name in listed() if name.endswith(".md")]
    return report("logs", [*unknown_tags(), *(finding for name in documents
                                              for finding in check(name))])


if __name__ == "__main__":
    sys.exit(main())
