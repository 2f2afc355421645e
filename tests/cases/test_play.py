# SPDX-License-Identifier: MIT
"""
The page that plays a recorded run: posted interrupts for a vCPU that runs, that is ready, that is
halted, each step as Hamlet and the machine have recorded it; and a browser shows what was recorded.

From: make test      To: lab/record.py, lab/play/, guest/programs/posting.c
"""

import json
import re
import shutil
import subprocess
import urllib.parse

import pytest
from case import PATIENCE, ROOT

from lab import trace as traces
from lab.play import beside, page, pictures
from lab.play.story import Story

SENT = ["device message", "unit0 iec", "unit0 post"]
HANDLED = ["cpu0 delivered", "cpu0 eoi"]
TURN = ["pid running", "sched runs", "pid taken", "cpu0 entry"]
CHAINS = {
    "running": [*SENT, "unit0 notify", "cpu0 notified", "cpu0 folded", *HANDLED],
    "ready": [*SENT, "pid running", *TURN, *HANDLED],
    "halted": [*SENT, "unit0 notify", "cpu0 exit", "pid ready", "queue halted", *TURN,
               *HANDLED]}
COUNTS = {"running": 2, "ready": 8, "halted": 4}


def record_run(folder, name):
    """The file that a run leaves."""
    run = subprocess.run([ROOT / "hamlet", "run", "--on", "lab", "--trace", "run",
                          *pictures.RUNS[name]()], cwd=folder, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert [path.name for path in folder.iterdir()] == ["run"]
    return folder / "run"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_run(tmp_path_factory.mktemp("play"), "posting")


@pytest.fixture(scope="module")
def story(recorded):
    return Story(traces.read(recorded.read_text()))


def steps_of(story, chain):
    return [step for step in story.steps if chain.number in step.chains]


def event(step):
    """Who, and what: of a line of the machine, or of Hamlet's."""
    words = [word for word in step.raw.split("\n")[0].split() if "=" not in word]
    return f"{words[0]} {words[2]}" if words[0] == "device" else " ".join(words[:2])


def test_one_chain_for_each_interrupt(story):
    """From the device's message to the guest's EOI, in the order of docs/posting.md."""
    found = {}
    for chain in story.chains.all:
        if chain.kind == "interrupt":
            steps = [event(step) for step in steps_of(story, chain)]
            assert steps == CHAINS[chain.state], steps
            found[chain.state] = found.get(chain.state, 0) + 1
    assert found == COUNTS


def test_the_steps_are_the_recorded_events(recorded, story):
    """One clock, and nothing left out: each line of the machine is a step, with its words."""
    ticks = [step.at for step in story.steps]
    assert ticks == sorted(ticks)
    said = re.findall(r"^trace: m (\d+) (.*)$", recorded.read_text(), re.M)
    told = [(str(step.at), line) for step in story.steps for line in step.raw.split("\n")
            if re.match(r"(device|unit|cpu|ioapic)", line)]
    assert told == said
    text = subprocess.run([ROOT / "hamlet", "trace", recorded], capture_output=True, text=True,
                          check=True).stdout
    shown = [int(row.split()[0]) for row in text.split("\n")[1:] if row]
    assert shown == sorted(shown) and text.count(" post sid=00:02.0 ") == sum(COUNTS.values())


def test_lists_of_a_cpu(story):
    """Each vCPU stands on one list at most. The last that has halted is the last of the wake list,
    the last that was woken or preempted the last of the run queue."""
    state, told = {}, {"queue halted": 0, "queue running": 0, "pid halted": 0}
    for step in story.steps:
        state.update((path, new) for path, _, new in step.changes)
        queue, wake = ((state.get(f"cpu/0/{name}") or "").split(", ") for name in ("queue", "wake"))
        assert not set(queue) & set(wake) - {""} and len(queue) == len(set(queue))
        told[event(step)] = told.get(event(step), 0) + 1
        who = step.lane.removeprefix("vcpu ")
        if step.raw.startswith("pid halted"):
            assert wake[-1] == who
        if step.raw.startswith("queue"):
            assert queue[-1] == who and who not in wake
        if step.raw.startswith("queue halted") and who == "alpha.0":
            assert step.text.endswith("a notification has come to CPU 0, at an exit of alpha.1.")
        if step.raw.startswith(("pid running", "sched runs")):
            assert who not in queue + wake
    causes = [re.search(r"there is (.*) for it, from CPU 0, at an exit of alpha\.0\.$",
                        step.text)[1] for step in story.steps
              if step.raw.startswith("queue halted") and step.lane == "vcpu alpha.1"]
    assert causes == ["an INIT signal", "a request to stop"]
    assert told["queue halted"] > COUNTS["halted"] and told["queue running"] >= COUNTS["ready"] / 4


def test_back_and_forth(story):
    """A step undone leaves what was before."""
    state = dict(story.state)
    for step in reversed(story.steps):
        for path, old, new in reversed(step.changes):
            assert state.get(path) == new
            state.update({path: old}) if old is not None else state.pop(path, None)
    assert not state


def test_sources_and_titles(story, tmp_path):
    """What a step names is there: the function in the file, the title among the references."""
    references = (ROOT / "docs/references.md").read_text()
    data = page.data(story, "x", tmp_path)
    for source in filter(None, data["sources"]):
        file, function, line, link = source
        assert (ROOT / file).exists() and (tmp_path / link.split("#")[0]).resolve() == ROOT / file
        assert not function or function in (ROOT / file).read_text().splitlines()[line - 1], source
    for title in filter(None, data["titles"]):
        assert f'"{title[1]}"' in references, title


def test_each_source_is_there():
    """Also of steps that this run does not have."""
    pair = re.compile(r'source=\((?:([A-Z]+)(?: \+ )?)?(?:"([^"]+)")?, "(\w*)"\)')
    found = 0
    for module in (ROOT / "lab/play").glob("*.py"):
        text = module.read_text()
        folders = dict(re.findall(r'^([A-Z]+) = "(.+)"$', text, re.M))
        for folder, name, function in pair.findall(text):
            file = folders.get(folder, "") + name
            assert (ROOT / file).is_file(), (module.name, file)
            assert not function or page.line_of(file, function) > 1, (module.name, file, function)
            found += 1
    assert found > 30


def test_pictures_of_the_documents(story):
    """What a picture in docs/play.md shows still happens in its run; `make judges` takes all."""
    said = (ROOT / "docs/play.md").read_text()
    for state in CHAINS:
        index, chain = pictures.found(pictures.PICTURES[state], story)
        assert chain.state == state
        assert f"![{story.steps[index].text}](play/{state}.png)" in said


def test_the_marks_of_a_run(story):
    """posting.elf names its parts; each is one step, before the first interrupt of that part."""
    marks = [step for step in story.steps if step.marks == ("mark",)]
    assert [(step.lane, step.raw) for step in marks] == [
        ("vcpu alpha.0", f"mark {state}") for state in CHAINS]
    for step, state in zip(marks, CHAINS):
        first = next(chain for chain in story.chains.all if chain.state == state)
        assert step.at < steps_of(story, first)[0].at


# --- In a browser --------------------------------------------------------------------------------

# It presses the keys that a user presses, and reads what is then on the page.
DRIVER = """
function press(key) { dispatchEvent(new KeyboardEvent("keydown", {key})); }
function value(path) { return document.querySelector(`[data-path="${path}"]`).dataset.value; }
function dots(path) {
  const set = document.querySelectorAll(`[data-path="${path}"] circle.set`);
  return [...set].map(dot => dot.__data__);
}
function shown(vcpu) {
  const text = document.getElementById("text").textContent;
  const seen = {step: Number(document.body.dataset.step), text};
  for (const name of ["state", "on", "sn", "nv", "ndst", "rvi", "svi"])
    seen[name] = value(`vcpu/${vcpu}/${name}`);
  for (const name of ["pir", "virr", "visr"]) seen[name] = dots(`vcpu/${vcpu}/${name}`);
  return seen;
}
/* The first answer is that nothing changes, the others are right. */
function predicted(number) {
  const found = {asked: [], told: [], later: 0}, end = chains[number].steps.length;
  player.follow(number);
  press("p");
  press("Home");
  for (let i = 0; i < end; i++) {
    press("ArrowRight");
    const button = document.querySelector("#ask button");
    found.later += document.querySelectorAll("#strip li.later").length &&
        getComputedStyle(document.querySelector("#strip li.later")).display !== "none";
    found.later += [...document.querySelectorAll("#lanes path.mark")].filter(
        mark => mark.__data__.index > player.at).length;
    if (!button) continue;
    const at = player.at, next = steps[predict.next];
    for (const [path, , value] of next.changes) {
      const input = document.getElementById("ask")[path.split("/")[2]];
      if (input && found.asked.length) input.value = value;
    }
    found.asked.push(next.index);
    if (player.at !== at) throw "it went on without an answer";
    button.click();
    found.told.push(document.getElementById("ask").textContent);
  }
  press("p");
  return found;
}
const seen = {opened: [Number(document.body.dataset.step), document.getElementById("chain").value]};
for (const number of CHAINS) {
  const box = document.getElementById("chain");
  box.value = number;
  box.dispatchEvent(new Event("change"));
  const count = document.querySelectorAll("#strip li").length;
  seen[number] = [];
  for (let i = 0; i < count; i++) { seen[number].push(shown("alpha.0")); press("ArrowRight"); }
  press("Home");
  seen[number].push(shown("alpha.0"));
}
document.body.dataset.predicted = encodeURIComponent(JSON.stringify(predicted(CHAINS[0])));
document.body.dataset.lanes = document.querySelectorAll("#lanes .lane-label").length;
document.body.dataset.seen = encodeURIComponent(JSON.stringify(seen));
"""


def browser():
    found = shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed; the page was made, but no browser has opened it")
    return found


def browsed(html, driver, folder):
    """What a browser makes of the page, when this script has played with it."""
    outside = r"\bsrc=|<link|url\(|@import|https?:"
    assert not re.search(outside, html.split("<script")[0])
    assert "default-src 'none'" in html
    (folder / "driven.html").write_text(
        f"<script>{driver}</script></body>".join(html.rsplit("</body>", 1)))
    return dumped(folder / "driven.html")


def dumped(file):
    run = subprocess.run([browser(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                          file.as_uri()], capture_output=True, timeout=PATIENCE)
    dom = run.stdout.decode("utf-8", "replace")
    assert "data-seen=" in dom, run.stderr[-500:]
    return dom


def drive(folder, recorded, chains):
    """What a browser shows at each step of these chains: {chain: [...]}; and of a prediction."""
    subprocess.run([ROOT / "hamlet", "play", recorded, "-o", folder / "page.html"], check=True)
    dom = browsed((folder / "page.html").read_text(),
                  DRIVER.replace("CHAINS", json.dumps(chains)), folder)
    seen = re.search(r'data-seen="([^"]+)"', dom)
    assert 'data-lanes="6"' in dom      # two vCPUs, a CPU, Hamlet, a unit, a device
    predicted = re.search(r'data-predicted="([^"]+)"', dom)
    return [json.loads(urllib.parse.unquote(found[1])) for found in (seen, predicted)]


def vectors(words):
    return [int(word, 16) for word in words.split(",") if word]


def expected(raw):
    """What the recorded event itself says of the vCPU: a descriptor's words, or a CPU's."""
    said, out = dict(re.findall(r"(\w+)=(\S*)", raw)), {}
    control = said.get("after") or (said.get("control") if raw.startswith("pid") else None)
    if control:
        word = int(control, 16)
        out.update(on=str(word & 1), sn=str(word >> 1 & 1), nv=str(word >> 16 & 0xFF),
                   ndst=str(word >> 32))
    if "after" in said:
        whole = int(said["pir"].replace(".", ""), 16)
        out["pir"] = [bit for bit in range(256) if whole >> bit & 1]
    if raw.startswith("cpu"):
        out.update({name: str(int(said[name], 16)) for name in ("rvi", "svi")})
        out.update({name: vectors(said[name]) for name in ("virr", "visr")})
    if " notified " in raw:
        out.update(on="0", pir=vectors(said["pir"]))
    if " folded " in raw:
        out["pir"] = []
    return out


def assert_predicted(story, chain, predicted):
    """A question before each step that changes words of the vCPU, and nothing shown of later ones;
    who says that nothing changes is wrong about PIR and ON of the post, and of nothing else."""
    words = re.compile(r"vcpu/alpha\.0/(on|sn|nv|ndst|pir|rvi|svi|virr|visr)$")
    assert predicted["later"] == 0
    assert predicted["asked"] == [
        story.steps.index(step) for step in steps_of(story, chain)
        if any(words.match(path) for path, _, _ in step.changes)]
    first, *others = predicted["told"]
    assert first == "ON is 1, not 0; PIR is 0x51, not none. 3 of 5 words."
    assert len(others) > 2 and all(told.startswith("So it is.") for told in others)


def test_a_browser_shows_what_was_recorded(recorded, story, tmp_path):
    chains = {state: next(chain for chain in story.chains.all if chain.state == state)
              for state in CHAINS}
    seen, predicted = drive(tmp_path, recorded, [chain.number for chain in chains.values()])
    assert_predicted(story, chains["running"], predicted)
    first = story.chains.all[0]
    assert seen["opened"] == [story.steps.index(steps_of(story, first)[0]), str(first.number)]
    for state, chain in chains.items():
        steps, told = steps_of(story, chain), seen[str(chain.number)]
        assert [at["text"] for at in told[:-1]] == [step.text for step in steps]
        assert told[-1] == told[0], "back at its first step the page shows something else"
        for step, at in zip(steps, told):
            assert at["step"] == story.steps.index(step)
            want = expected(step.raw)
            assert {name: at[name] for name in want} == want, step.text
        assert told[2]["state"] == state and told[2]["pir"] == [chain.vector]
        assert told[-3]["visr"] == [chain.vector] and not told[-2]["visr"]
        assert told[2]["on"] == ("0" if state == "ready" else "1")


PHONE = """<!doctype html><body style="margin: 0"><iframe style="width: 390px; height: 844px">
</iframe><script>document.querySelector("iframe").srcdoc = PAGE;</script></body>"""
WIDTHS = """const wide = document.documentElement;
player.go(steps.findIndex(step => step.raw.startsWith("unit0 notify")));
scrollTo(0, 600);
const next = document.querySelector("[data-key=ArrowRight]").getBoundingClientRect();
parent.document.body.dataset.seen = [wide.scrollWidth - wide.clientWidth,
    next.top >= 0 && next.bottom <= innerHeight];
"""


def test_on_a_phone(recorded, tmp_path):
    """Nothing is wider than the screen, and the buttons are on it without scrolling."""
    html = page.page(traces.read(recorded.read_text()), "x", tmp_path / "page.html")
    html = f"<script>{WIDTHS}</script></body>".join(html.rsplit("</body>", 1))
    (tmp_path / "phone.html").write_text(PHONE.replace(
        "PAGE", json.dumps(html).replace("<", "\\u003c")))
    assert 'data-seen="0,true"' in dumped(tmp_path / "phone.html")


# --- Two runs ------------------------------------------------------------------------------------

def later(text):
    """The same run of a Hamlet that lies elsewhere, and begins later."""
    text = re.sub(r"^trace: m (\d+)", lambda m: f"trace: m {int(m[1]) + 12345}", text, flags=re.M)
    text = re.sub(r"^(trace: e \d+) (\w+)", lambda m: f"{m[1]} {int(m[2], 16) + 12345:x}", text,
                  flags=re.M)
    for pid in set(re.findall(r"^trace: pid (\w+)", text, re.M)):
        moved = f"{int(pid, 16) + 0x740000:x}"
        text = re.sub(rf"(?<=pid=0x){pid}\b|(?<=^trace: pid ){pid}\b|\b{pid}(?= \w+$)", moved, text,
                      flags=re.M)
        text = re.sub(rf"\.{pid:0>8}(?=\w{{8}}\b)", f".{moved:0>8}", text)      # in an entry
    return re.sub(r"(hpa|at|rip)=0x(\w+)", lambda m: f"{m[1]}=0x{int(m[2], 16) + 0x1000:x}", text)


def differing(one, other):
    """The pair of two texts, and what the launcher prints of it."""
    pair = page.Pair([(name, traces.read(text)) for name, text in (("a", one), ("b", other))])
    return pair, pair.told()


def test_what_may_differ(recorded):
    """Ticks and addresses of the host; all of both runs stands in the rows, in order."""
    text = recorded.read_text()
    pair, told = differing(text, later(text))
    assert told == ["no event differs"] and {row.kind for row in pair.rows} == {beside.SAME}
    assert pair.stories[0].steps[-1].at == pair.stories[1].steps[-1].at - 12345
    assert len(pair.rows) == len(pair.stories[0].steps)


def swapped(match):
    """The second part at the tick of the first, and before it."""
    tick = re.match(r"trace: m \d+", match[0])[0]
    return re.sub(r"^trace: m \d+", tick, match[2] + match[1], flags=re.M)


CHANGES = {     # what is changed in the run, and what the launcher prints of it
    "a post finds another state": (
        r"( post .*) on=0 sn=1 urg=0 notify=0", r"\1 on=0 sn=1 urg=1 notify=1",
        "a, step {n}: unit0 sets PIR[0x51] in the descriptor of alpha.0, which is ready: SN is 1, "
        "so nothing is sent."),
    "an interrupt is not delivered": (
        r"^trace: m \d+ cpu0 delivered .*\n", "",
        "a, step {n}: CPU 0 delivers virtual interrupt 0x51 to alpha.0, which was at "),
    "the flush comes before the change": (
        r"((?:^trace: m \d+ unit0 (?:table written interrupt|iec superseded).*\n)+)"
        r"((?:^trace: m \d+ unit0 (?:queue|flush|iec gone).*\n)+)", swapped,
        "a, step {n}: Hamlet has changed entry "),
    "a slice more": (r"^(trace: m \d+ cpu0 exit reason=52 .*\n)", r"\1\1", None)}


@pytest.mark.parametrize("name", CHANGES)
def test_the_first_event_that_differs(name, recorded):
    before, after, says = CHANGES[name]
    text = recorded.read_text()
    changed = re.sub(before, after, text, count=1, flags=re.M)
    assert changed != text
    pair, told = differing(text, later(changed))
    if says is None:
        assert told == ["no event differs"]
        return
    row = pair.rows[pair.first]
    assert told[0] == "the first difference:" and told[1].startswith(says.format(n=row.left + 1))
    assert all(row.kind == beside.SAME for row in pair.rows[:pair.first])


PAIR_DRIVER = """
addEventListener("load", () => {
  const press = (key, to = window) => to.dispatchEvent(new KeyboardEvent("keydown", {key}));
  const side = ({contentDocument: own}) => [
    Number(own.body.dataset.step), own.body.classList.contains("absent"),
    own.getElementById("text").textContent];
  const shown = () => [Number(document.body.dataset.row), ...frames.map(side)];
  const seen = {opened: shown(), kind: document.getElementById("kind").textContent, walk: []};
  press("Home");
  for (let i = 0; i < WALK; i++) { seen.walk.push(shown()); press("ArrowRight"); }
  press("End");
  press("V");
  seen.before = shown();
  press("x", frames[1].contentWindow);      // as if the reader had clicked there before
  seen.first = shown();
  press("v");
  seen.next = shown();
  frames[1].contentWindow.hamlet.player.go(0);
  seen.moved = shown();
  document.body.dataset.seen = encodeURIComponent(JSON.stringify(seen));
});
"""


def test_a_browser_shows_both(recorded, tmp_path):
    """By hardware and by software: the same up to the entry that the unit reads."""
    (tmp_path / "soft").mkdir()
    soft = record_run(tmp_path / "soft", "software")
    made = subprocess.run([ROOT / "hamlet", "play", recorded, "--beside", soft, "-o",
                           tmp_path / "both.html"], capture_output=True, text=True, check=True)
    pair = page.Pair([("run", traces.read(file.read_text())) for file in (recorded, soft)])
    for line in pair.told():
        assert f"[hamlet] {line}\n" in made.stdout + made.stderr
    assert "keeps it: post vector 0x51 to alpha.0" in pair.told()[1]
    assert "keeps it: remap to vector 0x" in pair.told()[2]
    walk = pair.first + 40
    dom = browsed((tmp_path / "both.html").read_text(), PAIR_DRIVER.replace("WALK", str(walk)),
                  tmp_path)
    seen = json.loads(urllib.parse.unquote(re.search(r'data-seen="([^"]+)"', dom)[1]))
    last = [0, 0]
    for at, shown in enumerate(seen["walk"]):
        row = pair.rows[at]
        last = [step if step >= 0 else before for step, before in zip((row.left, row.right), last)]
        assert shown[0] == at and [side[0] for side in shown[1:]] == last
        assert [side[1] for side in shown[1:]] == [row.left < 0, row.right < 0]
        assert [side[2] for side in shown[1:]] == [
            story.steps[step].text for story, step in zip(pair.stories, last)]
    wrong = [n for n, row in enumerate(pair.rows) if row.kind == beside.DIFFERS]
    assert seen["opened"] == seen["first"] == seen["walk"][pair.first] and seen["kind"] == "differs"
    assert [seen[name][0] for name in ("before", "next", "moved")] == [wrong[-1], wrong[1], 0]
