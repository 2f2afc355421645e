/* SPDX-License-Identifier: MIT */
/* The state of the run at a step: each step says what it changes, with the old value and the new
 * one, so the page goes back as it goes forward.
 * From: lab/play/page.py (the data)      To: lanes.js, cards.js, predict.js, controls.js */
"use strict";
const run = JSON.parse(document.getElementById("run").textContent);
const MARKS = ["notify", "deliver", "stale", "fault", "mark"];
const steps =
    run.steps.map(([at, lane, text, source, title, raw, chains, marks, changes], index) => ({
                    index,
                    at,
                    lane: run.lanes[lane],
                    text,
                    source: run.sources[source],
                    title: run.titles[title],
                    raw,
                    chains,
                    marks: marks.map(m => MARKS[m]),
                    changes: changes.map(([path, old, value]) => [run.paths[path], old, value])
                  }));
const chains = run.chains.map(
    ([kind, name, vcpu, vector, state, own], index) =>
        ({index, kind, name, vcpu, vector, state, steps: own}));

const player = {
  at: -1,
  state: {},
  changed: new Set(),
  chain: -1,
  only: false,
  focus: "",
  watchers: [],

  apply(step, forward) {
    for (const [path, old, value] of step.changes) {
      const now = forward ? value : old;
      if (now === null) delete this.state[path];
      else this.state[path] = now;
    }
  },
  go(index) {
    index = Math.max(0, Math.min(steps.length - 1, index));
    predict.close();
    while (this.at < index) this.apply(steps[++this.at], true);
    while (this.at > index) this.apply(steps[this.at--], false);
    const step = steps[index];
    this.changed = new Set(step.changes.map(change => change[0]));
    if (!this.only && !step.chains.includes(this.chain))
      this.chain = step.chains.length ? step.chains[0] : -1;
    const named = step.changes.map(change => change[0].split("/")).find(path => path[0] === "vcpu");
    this.focus = (this.chain >= 0 && chains[this.chain].vcpu) || (named && named[1]) ||
        this.focus || vcpus[0];
    for (const watcher of this.watchers) watcher();
  },
  /* The next step, or the one before, of all or of the chain. */
  move(by) {
    const free = !this.only || this.chain < 0;
    if (free && by > 0 && predict.asks(Math.min(this.at + by, steps.length - 1))) return true;
    if (free) return this.go(this.at + by);
    const own = chains[this.chain].steps;
    const next = by > 0 ? own.find(i => i > this.at) : [...own].reverse().find(i => i < this.at);
    if (next !== undefined && by > 0 && predict.asks(next)) return true;
    if (next !== undefined) this.go(next);
    return next !== undefined;
  },
  jump(mark) {
    const after = [...steps.slice(this.at + 1), ...steps.slice(0, this.at + 1)];
    const found = after.find(step => step.marks.includes(mark));
    if (!found) return;
    this.only = false;
    this.go(found.index);
  },
  follow(chain) {
    this.chain = chain;
    this.go(chains[chain].steps[0]);
    lanes.fit(chains[chain].steps);
  },
  get(path) { return this.state[path]; },
  under(prefix) { return Object.keys(this.state).filter(path => path.startsWith(prefix)).sort(); },
};

/* The names in the second part of paths: vCPUs, CPUs, devices, units. */
function named(kind) {
  const found = new Set();
  for (const path of run.paths) {
    const [first, second] = path.split("/");
    if (first === kind) found.add(second);
  }
  return [...found].sort();
}
const vcpus = named("vcpu"), cpus = named("cpu"), devices = named("device");
const units = [
  ...new Set(run.paths.map(path => path.split("/")[0]).filter(name => /^unit\d/.test(name)))
].sort();

function hex(value, digits = 2) { return "0x" + Number(value).toString(16).padStart(digits, "0"); }
function ticks(value) { return value.toLocaleString("en").replaceAll(",", "\u2009"); }
function color(lane) {
  const kind = lane.split(" ")[0].replace(/\d+$/, "");
  return `var(--${{
    vcpu: "guest",
    cpu: "accent",
    device: "device",
    unit: "unit",
    hamlet: "hamlet",
    ioapic: "device"
  }[kind] || "soft"})`;
}
const STATES = {
  guest: ["in the guest", "var(--guest)"],
  hamlet: ["in Hamlet", "var(--hamlet)"],
  ready: ["ready", "var(--ready)"],
  halted: ["halted", "var(--halted)"]
};
function phase(state, mode) {
  return state === "running" ? (mode === "guest" ? "guest" : "hamlet") : state;
}
