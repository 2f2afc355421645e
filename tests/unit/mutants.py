#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Break the code in small ways, one at a time, and see whether a unit test notices.

    tests/unit/mutants.py FILE...          every operator below, over these C files; lists what no
                                           test notices, and writes the shares to docs/mutants.md;
                                           fails if the share of a file has risen
    tests/unit/mutants.py --steps FILE...  only statements left out or exchanged with the next one,
                                           where order is a promise; fails if one goes unnoticed

A mutant that compiles to the same code is none. The tests of a file are those that name it in their
lines "// sources:", or include it. A mutant that they pass is tried once more with sanitizers.
`make mutants FILES="..."` from the root; the operators know the style of this house.
"""
import collections
import concurrent.futures
import functools
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/mutants.md"
FLAGS = "-std=gnu11 -w -fno-pie -no-pie -DHAMLET_UNIT -I. -Ibuild -mcx16".split()
PLAIN = ["-O2"]
STRICT = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all".split()
SECONDS = 5  # of CPU time, however busy the host is: more than any test takes; a mutant may loop
HANGS = 120  # seconds on the clock: one that waits for something takes no CPU time
Mutant = collections.namedtuple("Mutant", "start end text line")

# Not broken, as no unit test could see it: what is logged or traced, locks (a test is one thread).
UNSEEN = re.compile(r"\b(log_\w+|TRACE|spin_lock|spin_unlock|static_assert|cpu_relax)\(")
KEYWORDS = "if else for while do switch case default return goto break continue static const struct"


# --- What can be broken ---------------------------------------------------------------------------

def masked(text):
    """The same with comments, strings, preprocessor lines blanked: offsets stay."""
    blank = (r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"'
             r"|'(?:\\.|[^'\\])*'|^#(?:[^\n]*\\\n)*[^\n]*")
    return re.sub(blank, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S | re.M)


def closing(code, at):
    """The offset behind the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth == 0:
            return i + 1
    return len(code)


def bodies(code):
    """Function bodies, by the braces in column 0; one-line functions too."""
    for m in re.finditer(r"^\{.*?^\}|^[a-z][^\n;=]*\)\s(\{[^\n]*\})$", code, re.S | re.M):
        yield m.span(1) if m[1] else m.span()


def statements(code, start, end, guarded=False):
    """Calls and assignments that are a statement of their own: (from, behind its semicolon).
    `guarded`: also those that stand under an `if` without braces."""
    first = r"(?!(?:if|else|for|while)\b)" if guarded else ""
    for m in re.finditer(rf"(?:(?<=\n)|(?<=\{{)) +({first}[a-z*][^;{{}}]*;)", code[start:end]):
        word = re.match(r"\w*", m[1])[0]
        if word not in KEYWORDS.split() and re.search(r"\(|=|\+\+|--", m[1]):
            yield start + m.start(1), start + m.end(1)


SWAPS = [(r" == ", " != "), (r" != ", " == "), (r" < ", " <= "), (r" <= ", " < "),
         (r" > ", " >= "), (r" >= ", " > "), (r" && ", " || "), (r" \|\| ", " && "),
         (r" \+ ", " - "), (r" - ", " + "), (r" & ", " | "), (r" \| ", " & "),
         (r" \+= ", " -= "), (r" -= ", " += "), (r" \|= ", " = "),
         (r" &= ", " = "), (r"\+\+", "--"), (r"(?<=[ (])!(?=[\w(])", ""),
         (r"(?<=[ (])~(?=[\w(])", ""), (r"\bbreak;", ";"), (r"\bcontinue;", ";"),
         (r"\btrue\b", "false"), (r"\bfalse\b", "true")]


def everything(code, start, end):
    """All operators: (from, to, text instead)."""
    part = code[start:end]
    for pattern, instead in SWAPS:
        for m in re.finditer(pattern, part):
            yield start + m.start(), start + m.end(), instead
    for m in re.finditer(r"(?<![\w.])(0x[0-9a-f]+|\d+)(?=[uUlL]*\b)", part):
        yield start + m.start(), start + m.end(), str(int(m[0], 0) + 1)
    for m in re.finditer(r"\b(?:if|while) (\()", part):
        at, behind = start + m.start(1), closing(code, start + m.start(1))
        yield at, behind, f"(!{code[at:behind]})"
    for m in re.finditer(r"\breturn ([^;{]+);", part):
        yield start + m.start(1), start + m.end(1), f"!({m[1]})"
    for at, behind in statements(code, start, end, guarded=True):
        yield at, behind, ";"


# Of the steps in guest/assign/: what need not be noticed when it is (left out: "- ..."; exchanged
# with the next: "~ ..."), and why.
VIEW = "both change only what the guest sees, and vm->lock is held"
LATER = "only another CPU could come between, and a test is one thread"
EXPLAINED = {
    "~ vpci_header_init(&a->v);": "it reads the identity of the function, and no Command",
    "~ vpci_ext_init(&a->v);": "each has registers of its own",
    "~ intx_init(a);": "each has registers of its own",
    "~ pci_snoop_always(a->fn);": "each has a register of its own",
    "~ faults_bus_master(a, false);": VIEW,
    "~ assign_shield(vm, a->fn, true);": "the function itself is left out of those to spare",
    "~ vtd_fault_listen(a->requester);": "each is about a source-id of its own",
    "~ vmsi_release(&a->v);": "each has entries and registers of its own",
    "~ vmsi_reroute(&a->v);": "each has entries and registers of its own",
    "~ assign_reset_in_use(a);": "the reset does not read what is cleared",
    "~ faults_init();": "at boot, before there is any device",
    "~ vpci_set_shadow(&a->v, PCI_COMMAND, 2, 0);": VIEW,
    "~ vbar_reset(&a->v);": "all of it comes before the reset",
    "~ vmsi_reset(&a->v);": "all of it comes before the reset",
    "~ vmsix_reset(&a->v);": "each has registers of its own",
    "~ assign_shield(a->vm, a->fn, false);": "it is about resets of other functions",
    "~ hardware_disable(x, true);": LATER,
    "~ vioapic_line(x->a->vm->ioapic, x->pin, false);": LATER,
    "~ vioapic_line(a->vm->ioapic, x->pin, false);": LATER,
    "~ vtd_irte_free(l->irte, 1);": LATER,
    "~ vioapic_on_eoi(a->vm->ioapic, x->pin, guest_ended, x);": VIEW,
    "~ vpci_set_shadow(&a->v, PCI_INTERRUPT_PIN, 1, 1);": VIEW,
    "~ vpci_set_shadow(&a->v, PCI_INTERRUPT_LINE, 1, x->pin);": VIEW,
    "~ line_leave(x);": LATER,
}


def steps(code, start, end):
    """Each call left out, and exchanged with the next one of its block."""
    found = [(at, behind) for at, behind in statements(code, start, end)
             if re.match(r"(\w+ = )?\w+\(", code[at:behind])
             and not UNSEEN.match(code[at:behind])]
    for at, behind in found:
        if "- " + code[at:behind] not in EXPLAINED:
            yield at, behind, ";"
    for (at, middle), (second, behind) in zip(found, found[1:]):
        if not code[middle:second].strip() and "~ " + code[at:middle] not in EXPLAINED:
            yield at, behind, code[second:behind] + code[middle:second] + code[at:middle]


def mutants_of(name, operators):
    text = (ROOT / name).read_text()
    code = masked(text)
    hidden = [(m.start(), closing(code, m.end() - 1)) for m in UNSEEN.finditer(code)]
    for start, end in bodies(code):
        for at, behind, instead in operators(code, start, end):
            if not any(a <= at < b for a, b in hidden) and not UNSEEN.match(code[at:behind]):
                yield Mutant(at, behind, instead, text.count("\n", 0, at) + 1)


# --- Is it noticed? -------------------------------------------------------------------------------

def named(source, pattern):
    return re.findall(pattern, source, re.M)


class Test:
    """A unit test: the sources that it is linked with, and those that it includes."""

    def __init__(self, path):
        source = path.read_text()
        self.main = str(path.relative_to(ROOT))
        self.linked = " ".join(named(source, r"^// sources: *(.*)$")).split()
        self.included = named(source, r'^#include "(.*\.c)"$')

    def has(self, name):
        return name in self.linked + self.included


@functools.cache
def compiled(source, flags, folder):
    """The object of an unchanged source."""
    out = f"{folder}/{source.replace('/', '_')}{len(flags)}.o"
    subprocess.run(["gcc", *FLAGS, *flags, "-c", source, "-o", out], cwd=ROOT, check=True)
    return out


class Workshop:
    """Builds and runs the tests of one file, with the file as it is or broken."""

    def __init__(self, name, tests, folder):
        self.name, self.tests, self.folder = name, [t for t in tests if t.has(name)], folder
        self.text = (ROOT / name).read_text()

    def build(self, test, work, flags):
        """The test with the broken file of the folder `work`; None: it is no C any more."""
        changed = test.main if self.name in test.included else self.name
        source = changed if changed == test.main else f"{work}/{self.name}"
        out = f"{work}/{changed.replace('/', '_')}{len(flags)}.o"
        run = subprocess.run(["gcc", f"-I{work}", *FLAGS, *flags, "-c", source, "-o", out],
                             cwd=ROOT, capture_output=True)
        return out if run.returncode == 0 else None

    def passes(self, test, work, changed, flags):
        objects = [compiled(s, flags, self.folder)
                   for s in [test.main, "tests/unit/stubs.c", *test.linked]
                   if s != self.name and not (s == test.main and self.name in test.included)]
        program = f"{work}/program"
        subprocess.run(["gcc", "-no-pie", *flags, *objects, changed, "-lcmocka", "-o", program],
                       cwd=ROOT, check=True, capture_output=True)
        try:
            return subprocess.run(["prlimit", f"--cpu={SECONDS}", program], cwd=ROOT,
                                  capture_output=True, timeout=HANGS).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def verdict(self, text, original=None):
        """same: it compiles to `original`, or not at all; noticed; ALIVE."""
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            path = pathlib.Path(work) / self.name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            for flags in (tuple(PLAIN), tuple(STRICT)):
                objects = {}
                for test in self.tests:
                    key = test.main if self.name in test.included else self.name
                    if key not in objects:
                        objects[key] = self.build(test, work, flags)
                    if not objects[key]:
                        return "same"
                if original is None:
                    return {k: pathlib.Path(o).read_bytes() for k, o in objects.items()}
                if all(pathlib.Path(o).read_bytes() == original.get(k)
                       for k, o in objects.items()):
                    return "same"
                for test in list(self.tests): # the one that noticed the last mutant first
                    key = test.main if self.name in test.included else self.name
                    if not self.passes(test, work, objects[key], flags):
                        self.tests = [test] + [t for t in self.tests if t is not test]
                        return "noticed"
            return "ALIVE"


def examine(name, operators, tests, folder, pool):
    """(number of mutants, those that no test notices). The file as it is must pass."""
    shop = Workshop(name, tests, folder)
    if not shop.tests:
        sys.exit(f"mutants: no unit test has {name}")
    original = shop.verdict(shop.text)
    if shop.verdict(shop.text + "\n__attribute__((used)) static int more;\n", original) != "ALIVE":
        sys.exit(f"mutants: the tests of {name} do not pass as it is")
    mutants = sorted(set(mutants_of(name, operators)))
    broken = [shop.text[:m.start] + m.text + shop.text[m.end:] for m in mutants]
    verdicts = list(pool.map(lambda text: shop.verdict(text, original), broken))
    lines = shop.text.splitlines()
    alive = [(m, lines[m.line - 1].strip(), shop.text[m.start:m.end])
             for m, v in zip(mutants, verdicts) if v == "ALIVE"]
    return len([v for v in verdicts if v != "same"]), alive


# --- The page -------------------------------------------------------------------------------------

def share(alive, count):
    return round(100 * alive / max(count, 1))


def note(name, count, alive):
    """Replace or add the row of this file in docs/mutants.md; rows are in order of names. Returns
    false, and the row stays, if the share would rise."""
    row = f"| `{name}` | {count} | {alive} | {share(alive, count)} % |"
    head, *rows = re.split(r"(?m)^(?=\| `)", PAGE.read_text().rstrip("\n"))
    was = re.search(rf"\| `{re.escape(name)}` \|.* (\d+) % \|", "".join(rows))
    if was and share(alive, count) > int(was[1]):
        print(f"{name}: {share(alive, count)} % are alive, docs/mutants.md says {was[1]} %")
        return False
    rows = [r.rstrip("\n") for r in rows if not r.startswith(f"| `{name}` |")]
    PAGE.write_text("\n".join([head.rstrip("\n"), *sorted(rows + [row])]) + "\n")
    return True


def main():
    only_steps = sys.argv[1:2] == ["--steps"]
    names = sys.argv[1 + only_steps:]
    tests = [Test(p) for p in sorted((ROOT / "tests/unit").glob("test_*.c"))]
    survivors = risen = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name in names:
            began = time.monotonic()
            count, alive = examine(name, steps if only_steps else everything, tests, folder, pool)
            survivors += len(alive)
            for m, line, old in alive:
                print(f"ALIVE {name}:{m.line}: {line}\n        "
                      f"{' '.join(old.split())}  ->  {' '.join(m.text.split())}")
            print(f"{name}: {count} mutants, {len(alive)} alive, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
            if not only_steps:
                risen += not note(name, count, len(alive))
    return (only_steps and survivors > 0) or risen > 0


if __name__ == "__main__":
    sys.exit(main())
