# SPDX-License-Identifier: MIT
"""
What a header declares and what a source names, as far as regular expressions can tell.

They are on the safe side: a member (.name) counts wherever a file writes ->name or .name.
"""
import functools
import re

from . import sources, text

INCLUDE = re.compile(r'^[#%]include "([^"]+)"', re.M)
KEYWORDS = set("if for while switch return sizeof struct enum union static const void int char "
               "long unsigned extern inline typedef defined __attribute__ format printf".split())
SYSTEM = { # what a header hands on of the compiler's own
    "stdint": {f"{u}int{n}_t" for u in ("u", "") for n in (8, 16, 32, 64)} |
              {"UINT64_C", "UINT64_MAX", "uintptr_t"},
    "stddef": {"size_t", "NULL", "offsetof"},
    "stdbool": {"bool", "true", "false"},
    "stdarg": {"va_list", "va_start", "va_end", "va_arg"},
}
DEFINE = re.compile(r"^[#%]\s*define\s+(\w+)[^\n]*(?:(?<=\\)\n[^\n]*)*", re.M)
DIRECTIVE = re.compile(r"^[#%][^\n]*(?:(?<=\\)\n[^\n]*)*", re.M)
TYPE = re.compile(r"\b(struct|union|enum)\b[^;{}()=]*(?:__attribute__\(.*\))?\s*$")


@functools.cache
def code(name):
    """Without comments, strings and includes."""
    bare = re.sub(r"/\*.*?\*/", " ", text(name), flags=re.S) if not name.endswith(".asm") else \
        re.sub(r";.*", "", text(name))
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', INCLUDE.sub("", bare))


@functools.cache
def words(name):
    """What a file names, .name for a member; a header's comments count: contracts name errors."""
    said = text(name) if name.endswith(".h") else code(name)
    members = {"." + member for member in re.findall(r"(?:->|\.)(\w+)", said)}
    return frozenset(re.findall(r"\b[A-Za-z_]\w*\b", INCLUDE.sub("", said))) | members


@functools.cache
def included(name):
    return tuple(h for h in INCLUDE.findall(text(name)) if h in sources(".h", ".asm"))


def blocks(body):
    """A header's text without what stands in braces; the members of its structs; its constants."""
    members, constants = "", ""
    while match := re.search(r"\{([^{}]*)\}", body):
        kind = TYPE.search(body[:match.start()])
        if kind and kind[1] == "enum":
            constants += match[1] + ","
        elif kind:
            members += match[1]
        body = body[:match.start()] + ("; " if not kind else " @ ") + body[match.end():]
    return body, members, constants


def before(marks, body):
    """Names in front of one of these marks, without parameters; (*name)(...) is a name as well."""
    body = re.sub(r"\(\*\s*(\w+)(\[[^]]*\])?\)", r" \1 ", body)
    while (less := re.sub(r"\([^()]*\)", "<>", body)) != body:
        body = less
    return set(re.findall(rf"\b(\w+)\s*(?=[{marks}])", body))


@functools.cache
def macros(name):
    """macro -> its whole definition"""
    return {define[1]: define[0] for define in DEFINE.finditer(code(name))}


@functools.cache
def declares(name):
    """What a header says first: names, and the members of its structs as .name."""
    said = set(macros(name))
    for define in macros(name).values(): # a list F(NAME, ...): its names become constants somewhere
        if re.search(r"\\\n", define):
            said |= set(re.findall(r"\b\w+\((\w+)", define))
    body, members, constants = blocks(DIRECTIVE.sub("", code(name)))
    said |= set(re.findall(r"\b(?:struct|enum|union)\s+(\w+)\s*@", body))
    said |= before("<;=[", body) | set(re.findall(r"\b(\w+)\b", constants))
    for system in re.findall(r"^#include <(\w+)\.h>", text(name), re.M):
        said |= SYSTEM.get(system, set())
    return frozenset(said - KEYWORDS) | {"." + member for member in before(";[,<", members)}


@functools.cache
def closure(name):
    return frozenset([name]).union(*(closure(header) for header in included(name)))


@functools.cache
def names(name):
    """The words of a file; what a macro expands to is named where the macro is."""
    found = set(words(name))
    for header in closure(name):
        for macro, define in macros(header).items():
            found |= set(re.findall(r"\w+", define)) if macro in words(name) else set()
    return frozenset(found)
