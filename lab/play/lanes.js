/* SPDX-License-Identifier: MIT */
/* The lanes: who did what when. Only what is in view is drawn, so 10,000 steps stay fluid.
 * From: player.js      To: controls.js */

/* A place for each step: with idle time folded the distance grows with the logarithm of the ticks;
 * else it is the ticks. */
const places = {
  folded: true,
  at: [],
  lay() {
    let at = 0;
    this.at = steps.map((step, i) => {
      const since = i ? step.at - steps[i - 1].at : 0;
      at += i === 0 ? 0 : this.folded ? 1 + Math.log2(1 + since) / 3 : Math.max(since, .5) / 40;
      return at;
    });
  },
  end() { return this.at[this.at.length - 1] || 1; },
};

/* What a vCPU or a CPU was in, from step to step: {lane, from, to, what}. */
function bands() {
  const open = {}, found = [], state = {};
  const close = (lane, i) => {
    if (open[lane] && open[lane].what) found.push({...open[lane], to: i});
  };
  const note = (lane, what, name, i) => {
    if (open[lane] && open[lane].what === what && open[lane].name === name) return;
    close(lane, i);
    open[lane] = {lane, from: i, what, name};
  };
  steps.forEach((step, i) => {
    for (const [path, , value] of step.changes) {
      state[path] = value;
      const [kind, who, field] = path.split("/");
      if (kind === "vcpu" && (field === "state" || field === "mode"))
        note(`vcpu ${who}`, phase(state[`vcpu/${who}/state`], state[`vcpu/${who}/mode`]), "", i);
      if (kind === "cpu" && (field === "vcpu" || field === "mode")) {
        const vcpu = state[`cpu/${who}/vcpu`];
        note(`cpu ${who}`, vcpu ? state[`cpu/${who}/mode`] || "hamlet" : "", vcpu || "", i);
      }
    }
  });
  for (const lane of Object.keys(open)) close(lane, steps.length - 1);
  return found;
}

const NARROW = innerWidth <= 700, LEFT = NARROW ? 66 : 118, ROW = 40, TOP = 14, FOOT = 34;
const shape = d3.symbol()
                  .size(d => d.marks.length ? 95 : 58)
                  .type(
                      d => d.marks.includes("notify") ? d3.symbolTriangle :
                          d.marks.includes("deliver") ? d3.symbolDiamond :
                          d.marks.includes("mark")    ? d3.symbolStar :
                          d.marks.length              ? d3.symbolSquare :
                                                        d3.symbolCircle);

const lanes = {
  scale: d3.scaleLinear(),
  bands: [],
  width: 800,
  moving: false,

  begin() {
    this.names =
        [...new Set([...vcpus.map(v => `vcpu ${v}`), ...cpus.map(c => `cpu ${c}`), ...run.lanes])];
    const rank = lane => ["vcpu", "cpu", "hamlet", "unit", "ioapic", "device"].findIndex(
        k => lane.startsWith(k));
    this.names.sort((a, b) => rank(a) - rank(b) || d3.ascending(a, b));
    this.bands = bands();
    this.svg = d3.select("#lanes");
    this.height = TOP + this.names.length * ROW + FOOT;
    this.svg.style("height", this.height + "px");
    this.svg.append("defs").html(
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" ' +
        'markerUnits="userSpaceOnUse" orient="auto"><path class="pale" d="M0 0 8 4 0 8z"/></marker>' +
        '<clipPath id="clip"><rect/></clipPath>');
    this.rows = this.svg.append("g");
    this.body = this.svg.append("g").attr("clip-path", "url(#clip)");
    for (const part of ["bands", "names", "axis", "links", "cursor", "marks"])
      this[`g_${part}`] = this.body.append("g");
    this.zoom = d3.zoom().scaleExtent([.02, 60]).on("zoom", () => {
      this.view = d3.event.transform;
      this.draw();
      this.brushed();
    });
    this.svg.call(this.zoom).on("dblclick.zoom", null);
    this.view = d3.zoomIdentity;
    this.resize();
  },
  resize() {
    this.width = this.svg.node().clientWidth || 800;
    this.svg.attr("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.select("#clip rect")
        .attr("x", LEFT)
        .attr("width", this.width - LEFT)
        .attr("height", this.height);
    this.scale.domain([0, 1]).range([LEFT, LEFT + 15]);
    const row = this.rows.selectAll("g")
                    .data(this.names)
                    .join("g")
                    .attr("transform", (d, i) => `translate(0 ${TOP + i * ROW})`);
    row.selectAll("*").remove();
    row.append("line")
        .attr("class", "lane-line")
        .attr("x1", LEFT)
        .attr("x2", this.width)
        .attr("y1", ROW / 2)
        .attr("y2", ROW / 2);
    row.append("text").attr("class", "lane-label").attr("x", NARROW ? 6 : 14).attr("y", ROW / 2 + 4).text(
        d => NARROW ? label(d).replace("device ", "") : label(d));
    overview.begin();
  },
  y(lane) { return TOP + this.names.indexOf(lane) * ROW + ROW / 2; },
  x(i) { return this.view.applyX(this.scale(places.at[i])); },
  /* The steps in view, by their numbers. */
  window() {
    const back = px => this.scale.invert(this.view.invertX(px));
    const from = d3.bisectLeft(places.at, back(LEFT) - 2),
          to = d3.bisectRight(places.at, back(this.width) + 2);
    return [Math.max(0, from - 1), Math.min(steps.length, to + 1)];
  },
  /* Put the step into the middle of what is seen, or just into view. */
  show(i) {
    const x = this.x(i), inside = x > LEFT + 60 && x < this.width - 60;
    if (inside && !this.far) return this.draw();
    const t = d3.zoomIdentity
                  .translate((LEFT + this.width) / 2 - this.view.k * this.scale(places.at[i]), 0)
                  .scale(this.view.k);
    this.svg.call(this.zoom.transform, t);
  },
  /* These steps from edge to edge, as far as they can still be told apart. */
  fit(chosen) {
    const [from, to] = d3.extent(chosen, i => this.scale(places.at[i])),
          room = this.width - LEFT - 110, k = Math.max(.2, Math.min(3.4, room / (to - from || 1)));
    const middle = k * (to - from) > room ? from + room / k / 2 : (from + to) / 2;
    this.svg.call(
        this.zoom.transform,
        d3.zoomIdentity.translate((LEFT + this.width) / 2 - k * middle, 0).scale(k));
  },
  brushed() { overview.follow(); },
  draw() {
    let [from, to] = this.window();
    if (predict.on) to = Math.min(to, player.at + 1); /* the rest is hidden */
    const shown = steps.slice(from, to), many = shown.length > 700;
    const chain = player.chain >= 0 ? chains[player.chain].steps : [], member = new Set(chain);
    this.drawBands(from, to);
    this.drawLinks(chain, from, to);
    const marks = many ?
        shown.filter(d => d.marks.length || member.has(d.index) || d.index === player.at) :
        shown;
    this.g_marks.selectAll("path.mark")
        .data(marks, d => d.index)
        .join(
            enter => enter.append("path")
                         .on("click", d => player.go(d.index))
                         .call(p => p.append("title").text(d => d.text)))
        .attr("d", shape)
        .attr(
            "fill",
            d => d.marks.includes("stale") || d.marks.includes("fault") ? "var(--alarm)" :
                d.marks.includes("notify")                              ? "var(--ready)" :
                                                                          color(d.lane))
        .attr(
            "class",
            d => `mark${d.index === player.at ? " at" : ""}${
                player.only && !member.has(d.index) ? " dim" : ""}`)
        .attr(
            "transform",
            d => `translate(${this.x(d.index)} ${this.y(d.lane)})${
                d.index === player.at ? " scale(1.35)" : ""}`);
    this.g_marks.selectAll("text")
        .data(marks.filter(d => d.marks.includes("mark")), d => d.index)
        .join("text")
        .attr("class", "mark-name")
        .attr("x", d => this.x(d.index) + 8)
        .attr("y", d => this.y(d.lane) - 13)
        .text(d => shortened(d.raw.slice(5)));
    this.g_marks.selectAll("path.crowd")
        .data(many ? this.names : [])
        .join("path")
        .attr("class", "crowd")
        .attr("stroke", d => color(d))
        .attr("stroke-width", 1)
        .attr("opacity", .6)
        .attr(
            "d",
            lane => shown.filter(s => s.lane === lane)
                        .map(s => `M${this.x(s.index).toFixed(1)} ${this.y(lane) - 5}v10`)
                        .join(""));
    this.g_cursor.selectAll("line")
        .data(player.at >= 0 ? [player.at] : [])
        .join("line")
        .attr("class", "cursor")
        .attr("x1", d => this.x(d))
        .attr("x2", d => this.x(d))
        .attr("y1", 4)
        .attr("y2", this.height - FOOT + 6);
    this.drawAxis(shown);
  },
  drawBands(from, to) {
    const edge = predict.on ? this.x(player.at) : Infinity,
          seen = this.bands.filter(b => b.to >= from && b.from <= to && this.x(b.from) < edge);
    const wide = b => this.x(b.to) - this.x(b.from);
    this.g_bands.selectAll("rect")
        .data(seen, b => b.lane + b.from)
        .join("rect")
        .attr("class", "band")
        .attr("rx", 5)
        .attr("x", b => this.x(b.from))
        .attr("width", b => Math.max(1, Math.min(wide(b), edge - this.x(b.from))))
        .attr("y", b => this.y(b.lane) - 11)
        .attr("height", 22)
        .attr("fill", b => STATES[b.what] ? STATES[b.what][1] : "var(--line)");
    const words = b => b.lane.startsWith("cpu") ?
        `${b.name}${b.what === "hamlet" ? ": Hamlet" : ""}` :
        (STATES[b.what] || [b.what])[0];
    const marks = {};
    for (const step of steps.slice(from, to)) (marks[step.lane] = marks[step.lane] || []).push(step);
    const written = seen.filter(b => wide(b) > 30)
                        .map(b => [b, words(b), this.place(b, words(b), marks[b.lane] || [])])
                        .filter(row => row[2] !== null);
    this.g_names.selectAll("text")
        .data(written, ([b]) => b.lane + b.from)
        .join("text")
        .attr("class", "band-name")
        .attr("x", row => row[2])
        .attr("y", ([b]) => this.y(b.lane) + 3.5)
        .text(row => row[1]);
  },
  /* Where a band's name meets no mark; null if nowhere. */
  place(band, words, marks) {
    const room = 6.2 * words.length, last = predict.on ? Math.min(band.to, player.at) : band.to,
          end = Math.min(this.x(last), this.width) - 4;
    let x = Math.max(this.x(band.from), LEFT) + 6;
    for (const mark of marks) {
      const at = this.x(mark.index);
      if (at > x - 8 && at < x + room + 6) x = at + 12;
    }
    return x + room <= end ? x : null;
  },
  drawLinks(chain, from, to) {
    const pairs = d3.pairs(chain).filter(
        ([a, b]) => b >= from && a <= to && b - a < 4000 && (!predict.on || b <= player.at));
    const curve = ([a, b]) => {
      const xa = this.x(a), xb = this.x(b), ya = this.y(steps[a].lane), yb = this.y(steps[b].lane);
      if (ya === yb && xb - xa < 26) return "";
      if (ya === yb) return `M${xa + 7} ${ya}Q${(xa + xb) / 2} ${ya - 17} ${xb - 7} ${yb - 3}`;
      const end = yb > ya ? yb - 8 : yb + 8, mid = (ya + end) / 2;
      return `M${xa} ${ya}C${xa} ${mid} ${xb} ${mid} ${xb} ${end}`;
    };
    this.g_links.selectAll("path")
        .data(pairs, String)
        .join("path")
        .attr("class", "link")
        .attr("marker-end", "url(#tip)")
        .attr("d", curve);
  },
  drawAxis(shown) {
    const y = this.height - 13, labels = [];
    let last = -1e9;
    for (const step of shown.slice(1)) {
      const since = step.at - steps[step.index - 1].at,
            x = (this.x(step.index) + this.x(step.index - 1)) / 2;
      if (!since || x - last < 46 || x < LEFT + 20) continue;
      labels.push({x, since, key: step.index});
      last = x;
    }
    this.g_axis.attr("class", "axis")
        .selectAll("text")
        .data(labels, d => d.key)
        .join("text")
        .attr("text-anchor", "middle")
        .attr("x", d => d.x)
        .attr("y", y)
        .attr("class", d => places.folded && d.since > 5000 ? "fold" : "")
        .text(d => d.since > 99999 ? `+${(d.since / 1000).toFixed(0)}k` : `+${d.since}`);
  },
};

function shortened(text) { return text.length > 26 ? text.slice(0, 25) + "\u2026" : text; }
function label(lane) {
  return lane.replace(/^vcpu /, "").replace(/^cpu /, "CPU ").replace(/^hamlet$/, "Hamlet");
}

/* The whole run, small; the window of the lanes can be dragged. */
const overview = {
  begin() {
    const svg = d3.select("#overview"), width = svg.node().clientWidth || 800;
    svg.selectAll("*").remove();
    svg.attr("viewBox", `0 0 ${width} 46`);
    this.x = d3.scaleLinear().domain([0, places.end()]).range([8, width - 8]);
    const y = d3.scalePoint().domain(lanes.names).range([7, 39]);
    const dense = lane => {
      const columns = new Set(
          steps.filter(s => s.lane === lane).map(s => Math.round(this.x(places.at[s.index]))));
      return [...columns].map(x => `M${x} ${y(lane) - 2}v4`).join("");
    };
    svg.append("g")
        .selectAll("path")
        .data(lanes.names)
        .join("path")
        .attr("d", dense)
        .attr("stroke", color)
        .attr("opacity", .75);
    const loud = steps.filter(s => s.marks.includes("stale") || s.marks.includes("fault"));
    svg.append("path")
        .attr("stroke", "var(--alarm)")
        .attr("stroke-width", 1.5)
        .attr("d", loud.map(s => `M${this.x(places.at[s.index])} 2v42`).join(""));
    this.brush = d3.brushX().extent([[0, 0], [width, 46]]).on("brush", () => {
      if (!d3.event.sourceEvent || d3.event.sourceEvent.type === "zoom" || !d3.event.selection)
        return;
      const [a, b] = d3.event.selection.map(px => lanes.scale(this.x.invert(px))),
                k = (lanes.width - LEFT) / Math.max(1, b - a);
      this.busy = true;
      lanes.svg.call(lanes.zoom.transform, d3.zoomIdentity.translate(LEFT - k * a, 0).scale(k));
      this.busy = false;
    });
    this.g = svg.append("g").call(this.brush);
    this.follow();
  },
  follow() {
    if (this.busy || !this.g) return;
    const back = px => this.x(lanes.scale.invert(lanes.view.invertX(px)));
    const [lo, hi] = this.x.range();
    this.g.call(this.brush.move, [
      Math.max(lo, Math.min(hi - 3, back(LEFT))), Math.min(hi, Math.max(lo + 3, back(lanes.width)))
    ]);
  },
};
