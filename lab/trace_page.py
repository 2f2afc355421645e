# SPDX-License-Identifier: MIT
"""
A trace as one self-contained page: no server, no network, nothing to install. A timeline per vCPU
that can be dragged and zoomed, exits by reason, and the events themselves.

From: lab/trace.py
"""

import html
import json

from lab import trace as traces

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hamlet: __TITLE__</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
h1 { font-size: 1.3em } h2 { font-size: 1.1em }
table { border-collapse: collapse } td, th { padding: .1em .8em; text-align: left }
td.n, th.n { text-align: right }
.bar { background: #5b8db8; height: .8em; display: inline-block }
canvas { border: 1px solid #bbb; width: 100%; cursor: grab }
#tip { min-height: 1.5em; font-family: monospace }
#list { font: 12px/1.4 monospace; white-space: pre; overflow: auto; max-height: 24em;
        border: 1px solid #bbb }
</style></head><body>
<h1>__TITLE__</h1>
<p>__EVENTS__ events, __DROPPED__ older ones dropped. Drag to move, wheel to zoom.</p>
<canvas id="time" height="60"></canvas><div id="tip"></div>
<h2>Exits by reason</h2><table id="reasons">
<tr><th>reason</th><th class="n">exits</th><th class="n">ticks each</th><th></th></tr>
__REASONS__</table>
<h2>Events</h2><div id="list">__LIST__</div>
<script>
"use strict";
const data = __DATA__, rows = data.rows, height = 34, left = 110;
const canvas = document.getElementById("time"), tip = document.getElementById("tip");
let from = 0, to = data.end || 1;
canvas.height = (rows.length * height + 24) * devicePixelRatio;
canvas.style.height = rows.length * height + 24 + "px";
function width() { return canvas.clientWidth - left; }
function x(t) { return left + (t - from) / (to - from) * width(); }
function draw() {
  canvas.width = canvas.clientWidth * devicePixelRatio;
  const c = canvas.getContext("2d");
  c.scale(devicePixelRatio, devicePixelRatio);
  c.font = "12px system-ui, sans-serif";
  rows.forEach((row, i) => {
    const y = i * height + 4;
    c.fillStyle = "#dfe9f2";
    const bar = (start, end) =>
      c.fillRect(x(start), y + 4, Math.max(1, x(end) - x(start)), height - 12);
    row.slices.forEach(s => bar(s[0], s[1]));
    row.exits.forEach(e => { c.fillStyle = data.colors[e[2]]; bar(e[0], e[0] + e[1]); });
    c.fillStyle = "#222";
    row.marks.forEach(m => c.fillRect(x(m[0]), y, 1, 5));
    c.clearRect(0, y - 4, left - 4, height);
    c.fillText(row.name, 4, y + height / 2);
  });
  c.fillText(from.toFixed(1) + " us", left, rows.length * height + 18);
  c.fillText(to.toFixed(1) + " us", canvas.clientWidth - 80, rows.length * height + 18);
}
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const at = from + (event.offsetX - left) / width() * (to - from);
  const by = event.deltaY > 0 ? 1.25 : 0.8;
  from = at - (at - from) * by; to = at + (to - at) * by; draw();
});
canvas.addEventListener("mousemove", event => {
  const us = (to - from) / width();
  if (event.buttons) { from -= event.movementX * us; to -= event.movementX * us; draw(); return; }
  const row = rows[Math.floor(event.offsetY / height)], t = from + (event.offsetX - left) * us;
  const near = row && [...row.exits, ...row.marks].filter(e => Math.abs(e[0] - t) < 4 * us)[0];
  const told = near && (near.length > 2
    ? data.names[near[2]] + ", " + near[1].toFixed(3) + " us" : near[1]);
  tip.textContent = near ? near[0].toFixed(3) + " us  " + told : "";
});
addEventListener("resize", draw);
draw();
document.body.dataset.drawn = rows.length;
</script></body></html>
"""
LIST_MAX = 5000


def _rows(trace):
    """A row per vCPU, and one for what belongs to none."""
    start = trace.start()
    rows = {}
    for e in trace.events:
        vcpu = trace.owner(e)
        row = rows.setdefault(vcpu,
                              {"name": "machine" if vcpu == traces.NO_VCPU else trace.who(vcpu),
                               "slices": [], "exits": [], "marks": []})
        at = trace.us(e.tsc - start)
        if e.type == "exit" and e.a:
            row["exits"].append([at, trace.us(e.a), e.info])
        elif e.type != "sched":
            row["marks"].append([at, f"{e.type} {traces.words(trace, e)}"])
    for vcpu, _, begin, end in trace.slices():
        rows[vcpu]["slices"].append([trace.us(begin - start), trace.us(end - start)])
    if trace.machine:
        row = rows.setdefault(traces.NO_VCPU, {"name": "machine", "slices": [], "exits": [],
                                               "marks": []})
        row["marks"] += [[trace.us(tick - start), said] for tick, said in trace.machine]
    return [rows[vcpu] for vcpu in sorted(rows)]


def page(trace, title):
    reasons = traces.by_reason(trace)
    most = max((count for _, count, _ in reasons), default=1)
    table = "".join(
        f'<tr><td>{html.escape(name)}</td><td class="n">{count}</td><td '
        f'class="n">{ticks}</td>'
        f'<td><span class="bar" style="width:{count * 20 / most:.2f}em"></span></td></tr>'
        for name, count, ticks in reasons)
    numbers = sorted({e.info for e in trace.events if e.type == "exit"})
    last = max([*(e.tsc for e in trace.events[-1:]), *(tick for tick, _ in trace.machine[-1:])],
               default=1)
    end = trace.us(last - trace.start())
    data = {"rows": _rows(trace), "end": end,
            "names": {n: trace.reasons.get(n, str(n)) for n in numbers},
            "colors": {n: f"hsl({i * 137 % 360} 60% 45%)" for i, n in enumerate(numbers)}}
    listed = traces.text(trace).split("\n")
    shown = "\n".join(listed[:LIST_MAX])
    if len(listed) > LIST_MAX:
        shown += f"\n... {len(listed) - LIST_MAX} more: ./hamlet trace FILE"
    out = PAGE
    for key, value in {"TITLE": html.escape(title), "EVENTS": str(len(trace.events)),
                       "DROPPED": str(trace.dropped), "REASONS": table, "LIST": html.escape(shown),
                       "DATA": json.dumps(data).replace("</", "<\\/")}.items():
        out = out.replace(f"__{key}__", value)
    return out
