# SPDX-License-Identifier: MIT
"""
Steps that a remapping unit of the lab reports: look-ups, entries as used, invalidation, posts.

From: lab/play/story.py
To:   lab/bochs/plugin/vtd_*.cc (the lines), lab/play/bits.py (what the words mean)
"""

import re

from lab.play import bits

UNIT = re.compile(r"(unit\d+) ((?:[a-z][\w/-]*(?: |$))+)?")
HERE = "lab/bochs/plugin/"


def take(story, row):
    unit, said = UNIT.match(row.words).groups()
    said = (said or "").strip()
    for begin, teller in TELLERS.items():
        if said.startswith(begin):
            return teller(story, row, unit, said)
    text = row.words[len(unit) + 1:]
    marks = ("fault",) if said.startswith(("fault", "blocked", "violation")) else ()
    story.step(row, unit, f"{unit}: {text}.", source=(HERE + "vtd_unit.cc", ""), marks=marks,
               chains=story.chains.request_of(row.facts.get("sid", "")))


def _request(story, sid):
    """The chain of a look-up: of the message that is under way, else of DMA."""
    return {story.chains.request(sid, "dma", f"DMA of {sid}")}


def _entry(facts, key):
    """(bits 127:64, bits 63:0)"""
    return tuple(int(half, 16) for half in facts[key].split("."))


def _words(facts, key):
    return [f"{half:016x}" for half in _entry(facts, key)]


# --- Interrupts ----------------------------------------------------------------------------------

IRTE_SAYS = {"hit": "has entry {n} in its interrupt entry cache: {what}",
             "fill": "reads entry {n} of the interrupt remapping table, and keeps it: {what}",
             "read": "reads entry {n} of the interrupt remapping table: {what}"}


def _irte(story, row, unit, said):
    sid, index, how = row.facts["sid"], row.facts["index"], said.split()[1]
    high, low = _entry(row.facts, "entry")
    what = bits.irte_words(high, low, story.vcpu_at)
    changes = {f"{unit}/irte": [int(index), f"{high:016x}", f"{low:016x}"]}
    if how == "fill":
        changes[f"{unit}/iec/{index}"] = [what, 0]
    story.step(row, unit, f"{unit} {IRTE_SAYS[how].format(n=index, what=what)}.",
               source=(HERE + "vtd_intr.cc", "irte_lookup"),
               title=("VT-d", "Interrupt Entry Cache"),
               chains=story.chains.request_of(sid), changes=changes)


def _iec_stale(story, row, unit, said):
    index = row.facts["index"].rstrip(":")
    now, changes = "", {}
    if "now" in row.facts:
        now = bits.irte_words(*_entry(row.facts, "now"), story.vcpu_at)
        changes[f"{unit}/irte"] = [int(index), *_words(row.facts, "cached"),
                                   *_words(row.facts, "now")]
    cached = story.state.get(f"{unit}/iec/{index}", ["", 0])[0]
    story.step(row, unit, f"Stale: entry {index} in memory is another one by now"
               f"{f' ({now})' if now else ''}, and {unit} still uses the old one.",
               source=(HERE + "vtd_intr.cc", "irte_lookup"),
               title=("VT-d", "Guidance to Software for Invalidations"),
               chains=story.chains.request_of(row.facts["sid"]), marks=("stale",),
               changes={f"{unit}/iec/{index}": [cached, 2], **changes})


def _post(story, row, unit, said):
    facts, sid = row.facts, row.facts["sid"]
    vcpu, vector = story.vcpu_at(facts["pid"]), int(facts["vector"], 16)
    state = story.of(vcpu, "state", "running")
    chain = story.chains.request(sid, "interrupt", f"message of {sid}")
    story.chains.post(chain, vcpu, vector, state)
    story.chains.last = chain
    story.chains.request_ends(sid)
    why = ("ON was 1, so no further notification is sent" if facts["on"] == "1" else
           "SN is 1, so nothing is sent" if facts["notify"] == "0" else
           "ON was 0 and SN is 0, so it sets ON and sends a notification")
    story.step(row, unit, f"{unit} sets PIR[0x{vector:02x}] in the descriptor of {vcpu}, which is "
               f"{state}: {why}.", source=(HERE + "vtd_intr.cc", "post"),
               title=("VT-d", "Interrupt-Posting Hardware Operation"), chains={chain},
               changes=bits.posted(story, vcpu, vector, facts["notify"] == "1"))


def _descriptor(story, row, unit, said):
    """The words of the descriptor, behind the post of which it is a part: no step of its own."""
    vcpu, words = story.vcpu_at(row.facts["pid"]), row.facts["pir"].split(".")
    pir = [f"{64 * n + bit:02x}" for n, word in enumerate(reversed(words))
           for bit in range(64) if int(word, 16) >> bit & 1]
    changes = bits.control(vcpu, int(row.facts["after"], 16))
    changes[f"vcpu/{vcpu}/pir"] = ",".join(pir)
    changes[f"vcpu/{vcpu}/pid"] = row.facts["pid"]
    post = story.steps.pop()
    for path, old, _ in post.changes:       # as it was before the post
        story.state.update({path: old}) if old is not None else story.state.pop(path, None)
    row.at, row.words = post.at, f"{post.raw}\n{row.words}"
    story.step(row, post.lane, post.text, source=post.source, title=post.title, chains=post.chains,
               marks=post.marks, changes=changes)


def _notify(story, row, unit, said):
    vector, cpu = int(row.facts["vector"], 16), bits.cpu_of(int(row.facts["dest"], 16))
    chains = story.chains.last_post()
    story.chains.rung.setdefault((cpu, vector), set()).update(chains)
    story.step(row, unit,
               f"{unit} sends vector 0x{vector:02x} ({bits.NOTIFICATIONS.get(vector, '')})"
               f" to CPU {cpu}.", source=(HERE + "vtd_intr.cc", "post"),
               title=("VT-d", "Interrupt-Posting Hardware Operation"), chains=chains,
               marks=("notify",), changes={f"cpu/{cpu}/sent": f"0x{vector:02x}"})


def _remapped(story, row, unit, said):
    sid, vector = row.facts["sid"], int(row.facts["vector"], 16)
    chains = story.chains.request_of(sid)
    story.chains.remapped += sorted(chains)
    story.chains.request_ends(sid)
    story.step(row, unit, f"{unit} sends host vector 0x{vector:02x} to CPU "
               f"{bits.cpu_of(int(row.facts['dest'], 16))}: Hamlet's handler will post it.",
               source=(HERE + "vtd_intr.cc", "remap"),
               title=("VT-d", "Interrupt-Remapping Hardware Operation"), chains=chains,
               marks=("notify",))


# --- DMA -----------------------------------------------------------------------------------------

def _table(story, row, unit, said):
    table, facts = said.split()[0], row.facts
    chains = _request(story, facts["sid"])
    high, low = _entry(facts, "value")
    what = bits.table_words(table, high, low)
    changes = {f"{unit}/walk/{table}": [f"{facts['hpa']}: {high:x}.{low:016x}", what]}
    if table == "root":
        changes.update(_levels(story, unit, below=9))
    story.step(row, unit, f"{unit} reads the {table} entry of {facts['sid']} at {facts['hpa']}: "
               f"{what}.",
               source=(HERE + "vtd_walk.cc", "context_read"),
               title=("VT-d", f"{table.title()} Entry"), chains=chains, changes=changes)
    story.walker = facts["sid"]


def _levels(story, unit, below):
    """What a new walk takes from the page: the entries of levels that it has not reached yet."""
    paths = [f"{unit}/walk/level {level}" for level in range(1, below)]
    return {path: None for path in paths if path in story.state}


def _second_stage(story, row, unit, said):
    facts, value = row.facts, int(row.facts["value"], 16)
    what = bits.stage_words(value, int(facts["level"]))
    story.step(row, unit,
               f"{unit} reads the level {facts['level']} entry of domain {facts['did']} at "
               f"{facts['hpa']}: {what}.",
               source=(HERE + "vtd_walk.cc", "walk"),
               title=("VT-d", "Second-Stage Paging Entries"),
               chains=_request(story, getattr(story, "walker", "?")),
               changes={f"{unit}/walk/level {facts['level']}": [f"{facts['hpa']}: {value:016x}",
                                                          what]})


def _context(story, row, unit, said):
    sid, how = row.facts["sid"], said.split()[1]
    if how in ("gone", "evict"):
        return _gone(story, row, unit, "context", sid, how)
    did = row.facts["did"]
    story.walker = sid
    changes = {f"{unit}/context/{sid}": [f"domain {did}", 0]} if how == "fill" else {}
    story.step(row, unit,
               f"{unit} {'keeps' if how == 'fill' else 'has'} the context entry of {sid} "
               f"in its context-cache: domain {did}.",
               source=(HERE + "vtd_walk.cc", "context_lookup"),
               title=("VT-d", "Context-Cache"), chains=_request(story, sid), changes=changes)


def _iotlb(story, row, unit, said):
    facts, how = row.facts, said.split()[1]
    key = f"{facts['sid']} {facts['page']}"
    if how in ("gone", "evict"):
        return _gone(story, row, unit, "iotlb", key, how)
    rights, size = bits.RIGHTS[int(facts["rights"])], bits.size_words(int(facts["size"], 16))
    what = f"{size} at {facts['hpa']}, {rights}"
    changes = {f"{unit}/iotlb/{key}": [what, 0]} if how == "fill" else {}
    verb = "keeps the translation" if how == "fill" else "has the translation in its IOTLB"
    story.step(row, unit,
               f"{unit} {verb} of {facts['page']} for {facts['sid']}: {what}.",
               source=(HERE + "vtd_walk.cc", "iotlb_lookup"),
               title=("VT-d", "IOTLB"),
               chains=_request(story, facts["sid"]), changes=changes)


def _iotlb_stale(story, row, unit, said):
    page = f"0x{int(row.facts['iova'], 16) & ~0xFFF:x}"
    key = f"{unit}/iotlb/{row.facts['sid']} {page}"
    changes = {key: [story.state[key][0], 2]} if key in story.state else {}
    story.step(row, unit, f"Stale: {unit} translates {row.facts['iova']} of {row.facts['sid']} by "
               f"{row.facts['cached']}, and memory says {row.facts['now']} by now.",
               source=(HERE + "vtd_walk.cc", "stale_check"),
               title=("VT-d", "Guidance to Software for Invalidations"), marks=("stale",),
               chains=_request(story, row.facts["sid"]), changes=changes)


def _paging(story, row, unit, said):
    facts, how = row.facts, said.split()[1]
    key = f"domain {facts['did']} level {facts['level']} {facts['page']}"
    if how in ("gone", "evict"):
        return _gone(story, row, unit, "paging", key, how)
    changes = {f"{unit}/paging/{key}": [facts["table"], 0]} if how == "fill" else _levels(
        story, unit, below=int(facts["level"]))
    story.step(row, unit, f"{unit} {'keeps' if how == 'fill' else 'has'} the table of level "
               f"{int(facts['level']) - 1} of domain {facts['did']} in its paging-structure cache: "
               f"{facts['table']}.", source=(HERE + "vtd_walk.cc", "walk"),
               title=("VT-d", "Translating Address Using Caches in Legacy Mode"),
               chains=_request(story, getattr(story, "walker", "?")), changes=changes)


def _dma(story, row, unit, said):
    facts = row.facts
    story.step(row, unit, f"{unit} lets the {said.split()[1]} of {facts['sid']} at {facts['iova']} "
               f"through to {facts['hpa']}, {facts['n']} bytes.",
               source=(HERE + "vtd_walk.cc", "page_access"),
               title=("VT-d", "Legacy Mode Address Translation"),
               chains=_request(story, facts["sid"]))


def _event(story, row, unit, said):
    """That of a fault comes before the line of the fault, which says whose it is."""
    vector, cpu = int(row.facts["vector"], 16), bits.cpu_of(int(row.facts["dest"], 16))
    story.step(row, unit, f"{unit} sends its {said.removeprefix('event ')} event to CPU {cpu}: "
               f"vector 0x{vector:02x}.", source=(HERE + "vtd_fault.cc", ""),
               title=("VT-d", "Remapping Hardware Event Interrupt Programming"))
    if said.endswith("fault"):
        story.event = (story.steps[-1], (cpu, vector))


def _fault(story, row, unit, said):
    sid, facts = row.facts.get("sid", ""), row.facts
    chains = story.chains.request_of(sid)
    event, rung = getattr(story, "event", None) or (None, None)
    if event and event.at == row.at:
        event.chains = tuple(sorted(chains))
    story.chains.fault(sid, chains, rung)
    story.event = None
    where = facts.get("iova") or f"entry {facts.get('index', '?')}"
    story.step(row, unit, f"{unit} blocks the request of {sid} at {where}: reason "
               f"{facts.get('reason', '?')}, {bits.REASONS.get(facts.get('reason', ''), '')}.",
               source=(HERE + "vtd_fault.cc", "fault"), title=("VT-d", "Primary Fault Logging"),
               chains=chains, marks=("fault",),
               changes={f"{unit}/fault": f"{sid} {where} reason {facts.get('reason', '?')}"})


# --- Tables, and what becomes of the caches ------------------------------------------------------

WRITERS = {"root": "vtd/context.c", "context": "vtd/context.c", "interrupt": "vtd/intremap.c",
           "second-stage": "vtd/sspt.c"}


def _written(story, row, unit, said):
    """Hamlet, or what ran before it, has changed an entry."""
    table, facts = said.split()[2], row.facts
    at = f"at {facts['hpa']}"
    if table == "second-stage":
        old, new = (bits.stage_words(int(facts[key], 16), int(facts["level"]))
                    for key in ("before", "after"))
        name = f"the level {facts['level']} entry of domain {facts['did']} {at}"
    elif table == "interrupt":
        old, new = (bits.irte_words(*_entry(facts, key), story.vcpu_at)
                    for key in ("before", "after"))
        name = f"entry {int(facts['hpa'], 16) >> 4 & 0xFF} of the interrupt remapping table"
    else:
        old, new = (bits.table_words(table, *_entry(facts, key)) for key in ("before", "after"))
        name = f"the {table} entry {at}"
    story.step(row, "hamlet", f"Hamlet has changed {name}. Before: {old}. Now: {new}.",
               source=(WRITERS[table], ""), title=("VT-d", "Page-walk Coherency"),
               changes={f"{unit}/written": f"{name}: {new}"})


CACHED = {"iec": lambda facts: facts["index"], "context": lambda facts: facts["sid"],
          "iotlb": lambda facts: f"{facts['sid']} {facts['page']}"}


def _superseded(story, row, unit, said):
    cache, how = said.split()
    key = CACHED[cache](row.facts)
    path = f"{unit}/{cache}/{key}"
    held = story.state.get(path, ["", 0])[0]
    differs = how == "superseded"
    text = (f"From now on {unit} holds an old entry: {key} in its {bits.CACHES[cache]} ({held}) is "
            "no longer what memory says." if differs else
            f"What {unit} holds as {key} in its {bits.CACHES[cache]} is what memory says, again.")
    story.step(row, unit, text, source=(HERE + "vtd_tables.cc", "compared"),
               title=("VT-d", "Guidance to Software for Invalidations"),
               changes={path: [held, int(differs)]})


# --- Invalidation --------------------------------------------------------------------------------

def _gone(story, row, unit, cache, key, how):
    story.step(row, unit, f"{unit} drops {key} from its {bits.CACHES[cache]}"
               f"{', as a cache may at any time' if how == 'evict' else ''}.",
               source=(HERE + "vtd_queue.cc", "flush_from"),
               title=("VT-d", "Invalidation of Translation Caches"),
               changes={f"{unit}/{cache}/{key}": None})


def _iec_gone(story, row, unit, said):
    _gone(story, row, unit, "iec", row.facts["index"], said.split()[1])


def _fetched(story, row, unit, said):
    high, low = _entry(row.facts, "descriptor")
    what = bits.command_words(high, low)
    story.step(row, unit, f"{unit} fetches a descriptor from its queue: {what}.",
               source=(HERE + "vtd_queue.cc", "queue_run"),
               title=("VT-d", "Queued Invalidation Interface"),
               changes={f"{unit}/queue": [row.facts["head"], row.facts["tail"], what]})


def _wait(story, row, unit, said):
    queue = story.state.get(f"{unit}/queue", ["", "", ""])
    story.step(row, unit,
               f"{unit} has done all before it: it writes status {row.facts['status']} to "
               f"{row.facts['at']}.", source=(HERE + "vtd_queue.cc", "wait_complete"),
               title=("VT-d", "Invalidation Wait Descriptor"),
               changes={f"{unit}/queue": [queue[0], queue[1], "wait: done"]})


def _flush(story, row, unit, said):
    words = row.words[len(unit) + 7:]
    story.step(row, unit, f"{unit} has flushed: {words}.", source=(HERE + "vtd_queue.cc", ""),
               title=("VT-d", "Invalidation of Translation Caches"))


TELLERS = {"table written": _written, "iec superseded": _superseded, "iec agrees": _superseded,
           "context superseded": _superseded, "context agrees": _superseded,
           "iotlb superseded": _superseded, "iotlb agrees": _superseded,
           "iec stale": _iec_stale, "irte stale": _iec_stale, "iec gone": _iec_gone,
           "iec evict": _iec_gone, "iec hit": _irte, "iec fill": _irte, "iec read": _irte,
           "post": _post, "descriptor": _descriptor, "notify": _notify,
           "interrupt remapped": _remapped, "root entry": _table, "context entry": _table,
           "second-stage entry": _second_stage, "context hit": _context, "context fill": _context,
           "context gone": _context, "context evict": _context, "iotlb stale": _iotlb_stale,
           "walk stale": _iotlb_stale, "iotlb hit": _iotlb, "iotlb fill": _iotlb,
           "iotlb gone": _iotlb, "iotlb evict": _iotlb, "paging": _paging, "dma": _dma,
           "fault": _fault, "blocked": _fault, "queue fetched": _fetched, "queue wait": _wait,
           "flush": _flush, "event": _event}
