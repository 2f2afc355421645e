/* SPDX-License-Identifier: MIT */
/* Two runs side by side: the page of each in a frame, and one row after the other. A row is an event
 * of both runs, or of one of them.
 * From: lab/play/page.py (the data)      To: controls.js, which has what a frame does for this */
"use strict";
const pair = JSON.parse(document.getElementById("pair").textContent);
const rows = pair.rows.map(([left, right, kind], index) => ({index, steps: [left, right], kind}));
const KINDS = [
  ["the same", "var(--line)"], ["the same, at another place", "var(--halted)"],
  ["how often is a matter of time", "var(--ready)"], ["differs", "var(--alarm)"]
];
const DIFFERS = 3;
const MARKS = {n: "notify", d: "deliver", s: "stale", f: "fault", m: "mark"};
const $ = id => document.getElementById(id);
const frames = [...document.querySelectorAll("iframe")];
const begins = pair.runs.map(run => run.steps.length ? run.steps[0][0] : 0);
const differing = rows.filter(row => row.kind === DIFFERS).map(row => row.index);
let at = 0, timer = null, busy = false;

/* The step of a run in this row; if it has none, the last one before. */
const reached = [[], []];
for (const row of rows)
  row.steps.forEach((step, side) => {
    reached[side][row.index] = step >= 0 ? step : row.index ? reached[side][row.index - 1] : 0;
  });

function go(index) {
  at = Math.max(0, Math.min(rows.length - 1, index));
  const row = rows[at];
  busy = true;
  frames.forEach((frame, side) => {
    const own = frame.contentWindow.hamlet;
    own.document.body.classList.toggle("absent", row.steps[side] < 0);
    own.document.body.classList.toggle("differs", row.kind === DIFFERS);
    own.player.go(reached[side][at]);
  });
  busy = false;
  const [name, color] = KINDS[row.kind];
  $("kind").textContent = name;
  $("kind").style.setProperty("--is", color);
  $("count").textContent = `row ${at + 1} of ${rows.length}`;
  const since = reached.map((own, side) => pair.runs[side].steps[own[at]][0] - begins[side]);
  $("clocks").textContent = since.map(ticks).join(" | ") + " ticks since the first event" +
      (since[0] === since[1] ? "" : `, ${ticks(Math.abs(since[0] - since[1]))} apart`);
  document.body.dataset.row = at;
  d3.select("#strip line").attr("x1", place(at)).attr("x2", place(at));
}
function ticks(value) { return value.toLocaleString("en").replaceAll(",", "\u2009"); }
function place(index) { return 4 + 992 * index / Math.max(1, rows.length - 1); }

function jump(by) {
  const next = by > 0 ? differing.find(index => index > at) :
                        [...differing].reverse().find(index => index < at);
  if (next !== undefined) go(next);
}
function marked(mark) {
  const has = row => row.steps.some(
      (step, side) => step >= 0 && pair.runs[side].steps[step][7].includes(
                                       Object.values(MARKS).indexOf(mark)));
  const next = [...rows.slice(at + 1), ...rows.slice(0, at + 1)].find(has);
  if (next) go(next.index);
}
function toggle() {
  if (timer) {
    clearInterval(timer);
    timer = null;
  } else
    timer = setInterval(() => at === rows.length - 1 ? toggle() : go(at + 1), 700);
  $("play").innerHTML = timer ? "&#x275A;&#x275A;" : "&#x25B6;";
}
function both(key) {
  for (const frame of frames) frame.contentWindow.hamlet.keys[key][1]();
}
function theme(name) {
  document.documentElement.dataset.theme = name;
  for (const frame of frames) frame.contentDocument.documentElement.dataset.theme = name;
}
const KEYS = {
  ArrowRight: ["one event on", () => go(at + 1)],
  ArrowLeft: ["one back", () => go(at - 1)],
  Home: ["first row", () => go(0)],
  End: ["last row", () => go(rows.length - 1)],
  " ": ["play, stop", toggle],
  x: ["the first difference", () => pair.first >= 0 && go(pair.first)],
  v: ["the next difference", () => jump(1)],
  V: ["the difference before", () => jump(-1)],
  n: ["next notification in one of them", () => marked("notify")],
  d: ["next delivery", () => marked("deliver")],
  s: ["next stale entry that was used", () => marked("stale")],
  f: ["next fault", () => marked("fault")],
  m: ["next mark of a guest", () => marked("mark")],
  c: ["only the steps of this chain are bright", () => both("c")],
  g: ["fold idle time", () => both("g")],
  z: ["the chain from edge to edge", () => both("z")],
  "+": ["wider", () => both("+")],
  "-": ["narrower", () => both("-")],
  t: [
    "light, dark", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark")
  ],
  "?": ["these keys", () => $("help").open ? $("help").close() : $("help").showModal()],
};

/* --- What a frame calls ------------------------------------------------------------------------ */

window.beside = {
  key(name) {
    if (KEYS[name]) KEYS[name][1]();
    return name in KEYS;
  },
  /* The reader has chosen a step there. */
  moved(frame) {
    const side = frames.indexOf(frame);
    if (busy || side < 0) return;
    const step = frame.contentWindow.hamlet.player.at;
    const row = rows.find(each => each.steps[side] === step);
    if (row) go(row.index);
  },
  begun() {
    if (frames.every(frame => frame.contentWindow.hamlet)) begin();
  }
};

function begin() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  theme(
      wanted.get("theme") ||
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  go(wanted.has("row") ? Number(wanted.get("row")) - 1 : Math.max(0, pair.first));
  if (wanted.has("picture")) picture(wanted.get("picture").split(","));
  document.body.dataset.begun = rows.length;
}
/* For a document, as in controls.js. */
function picture(kinds) {
  document.body.classList.add("picture");
  for (const frame of frames) {
    frame.contentWindow.hamlet.picture(kinds);
    frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
  }
  document.body.dataset.height = document.documentElement.scrollHeight;
}
function draw() {
  $("titles").textContent = pair.runs.map(run => run.title).join(" | ");
  $("first").disabled = pair.first < 0;
  $("found").textContent = differing.length ?
      `${differing.length} rows differ, the first is ${pair.first + 1}` :
      "no event differs";
  const strip = d3.select("#strip").attr("viewBox", "0 0 1000 16").attr(
      "preserveAspectRatio", "none");
  KINDS.forEach(([, color], kind) => {
    const columns = new Set(
        rows.filter(row => row.kind === kind).map(row => Math.round(2 * place(row.index)) / 2));
    strip.append("path").attr("stroke", color).attr(
        "d", [...columns].map(x => `M${x} 3v10`).join(""));
  });
  strip.append("line").attr("y1", 0).attr("y2", 16).attr("stroke", "var(--ink)");
  strip.on("click", function() {
    go(Math.round((d3.mouse(this)[0] - 4) / 992 * (rows.length - 1)));
  });
  const keys = d3.select("#help dl");
  for (const [key, [what]] of Object.entries(KEYS)) {
    keys.append("dt").text({" ": "space", ArrowLeft: "\u2190", ArrowRight: "\u2192"}[key] || key);
    keys.append("dd").text(what);
  }
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || !beside.key(event.key)) return;
    event.preventDefault();
  });
  d3.selectAll("#controls button[data-key]").on("click", function() {
    KEYS[this.dataset.key][1]();
    this.blur();
  });
  const inside = {
    DATA: side => JSON.stringify(pair.runs[side]).replaceAll("<", "\\u003c"),
    LIBRARY: () => $("library").textContent
  };
  frames.forEach((frame, side) => {
    frame.srcdoc = pair.page.replace(/__(DATA|LIBRARY)__/g, (all, key) => inside[key](side));
  });
}
draw();
