/* SPDX-License-Identifier: MIT */
/* What everything holds at this step: descriptors, virtual APICs, caches, entries bit by bit.
 * From: player.js      To: controls.js
 * An element with data-path shows the value of that path, and has it as data-value, too. */

/* Of what a cache holds: the same as memory; not any more; used although it is not. */
const AGES = ["", " \u2014 memory is another by now", " \u2014 stale, and used"];
const NV = {
  0xf0: "ANV",
  0xf1: "WNV"
};
const cards = {
  begin() {
    const root = d3.select("#cards");
    for (const vcpu of vcpus) this.vcpu(root, vcpu);
    for (const unit of units) {
      this.entry(root, unit);
      this.unit(root, unit);
    }
    if (cpus.length) this.processors(root);
    if (devices.length) this.device(root);
    this.parts = [];
  },
  card(root, kind, name, small) {
    const card = root.append("section").attr("class", "card").attr("data-card", kind),
          head = card.append("h2");
    head.append("span").text(name);
    head.append("small").text(small || "");
    return card;
  },
  field(root, name, path, words = String) {
    const box = root.append("div").attr("data-path", path);
    box.append("label").text(name);
    const value = box.append("b");
    updates.push(() => {
      const now = player.get(path);
      box.attr("data-value", now === undefined ? null : now)
          .classed("changed", player.changed.has(path));
      value.text(now === undefined ? "\u2013" : words(now));
    });
  },
  vcpu(root, vcpu) {
    const path = name => `vcpu/${vcpu}/${name}`, card = this.card(root, "vcpu", vcpu);
    updates.push(
        () => card.classed("small", player.focus !== vcpu)
                  .style("order", player.focus === vcpu ? -2 : -1));
    const pill =
        card.select("h2").append("span").attr("class", "pill").attr("data-path", path("state"));
    const where = card.select("h2 small");
    updates.push(() => {
      const state = player.get(path("state")), is = STATES[phase(state, player.get(path("mode")))],
            exit = player.get(path("exit"));
      pill.attr("data-value", state || null)
          .text(is ? is[0] + (exit && is[0] === "in Hamlet" ? `: ${exit}` : "") : "not started")
          .style("--is", is ? is[1] : "var(--halted)");
      const rip = player.get(path("rip")), pid = player.get(path("pid"));
      where.text([pid ? `descriptor ${pid}` : "", rip || ""].filter(Boolean).join(" \u00b7 "));
    });
    const fields = card.append("div").attr("class", "fields");
    this.field(fields, "ON", path("on"));
    this.field(fields, "SN", path("sn"));
    this.field(fields, "NV", path("nv"), v => `${hex(v)}${NV[v] ? " " + NV[v] : ""}`);
    this.field(fields, "NDST", path("ndst"), v => `CPU ${v}`);
    this.route(fields, path);
    const apic = card.append("div").attr("class", "fields apic");
    this.field(apic, "RVI", path("rvi"), v => hex(v));
    this.field(apic, "SVI", path("svi"), v => hex(v));
    this.field(apic, "VPPR", path("vppr"), v => hex(v));
    this.field(apic, "in handler", path("handler"), v => hex(v));
    const grids = card.append("div").attr("class", "grids");
    this.dots(grids, "PIR", path("pir"), "var(--unit)");
    this.dots(grids, "VIRR", path("virr"), "var(--ready)");
    this.dots(grids, "VISR", path("visr"), "var(--guest)");
  },
  /* From the descriptor to the CPU that a post would notify. */
  route(root, path) {
    const svg =
        root.append("div").attr("class", "route").append("svg").attr("viewBox", "0 0 220 40");
    svg.append("rect")
        .attr("x", 6)
        .attr("y", 9)
        .attr("width", 58)
        .attr("height", 22)
        .attr("rx", 5)
        .attr("fill", "none")
        .attr("stroke", "var(--unit)");
    svg.append("text")
        .attr("x", 35)
        .attr("y", 24)
        .attr("text-anchor", "middle")
        .attr("font-size", 11)
        .attr("fill", "var(--ink)")
        .text("a post");
    const line = svg.append("path")
                     .attr("d", "M66 20H150")
                     .attr("fill", "none")
                     .attr("marker-end", "url(#tip)");
    const vector = svg.append("text")
                       .attr("x", 108)
                       .attr("y", 14)
                       .attr("text-anchor", "middle")
                       .attr("font-size", 11)
                       .attr("fill", "var(--ink)");
    const why = svg.append("text")
                    .attr("x", 108)
                    .attr("y", 34)
                    .attr("text-anchor", "middle")
                    .attr("font-size", 10)
                    .attr("fill", "var(--soft)");
    const target = svg.append("rect")
                       .attr("x", 152)
                       .attr("y", 9)
                       .attr("width", 62)
                       .attr("height", 22)
                       .attr("rx", 5)
                       .attr("stroke", "var(--accent)");
    const name = svg.append("text")
                     .attr("x", 183)
                     .attr("y", 24)
                     .attr("text-anchor", "middle")
                     .attr("font-size", 11);
    updates.push(() => {
      const cpu = player.get(path("ndst")), silent = player.get(path("sn")),
            sent = cpu !== undefined && player.get(`cpu/${cpu}/sent`);
      line.attr(
              "stroke",
              silent   ? "var(--halted)" :
                  sent ? "var(--ready)" :
                         "var(--chain)")
          .attr("stroke-width", sent ? 3 : 1.5)
          .attr("stroke-dasharray", silent ? "3 4" : null);
      vector.text(cpu === undefined ? "" : hex(player.get(path("nv")) || 0));
      why.text(
          silent                     ? "SN: not sent" :
              sent                   ? "sent" :
              player.get(path("on")) ? "ON: not again" :
                                       "");
      target.attr("fill", sent ? "var(--ready)" : "none");
      name.text(cpu === undefined ? "\u2013" : `CPU ${cpu}`)
          .attr("fill", sent ? "var(--card)" : "var(--ink)");
    });
  },
  dots(root, name, path, is) {
    const figure = root.append("figure").attr("data-path", path),
          head = figure.append("figcaption");
    head.append("span").text(name);
    const code = head.append("code");
    const svg = figure.append("svg").attr("viewBox", "0 0 136 136").style("--is", is);
    const dot = svg.selectAll("circle")
                    .data(d3.range(256))
                    .join("circle")
                    .attr("class", "dot")
                    .attr("r", 2.9)
                    .attr("cx", d => 8 + 8 * (d % 16))
                    .attr("cy", d => 8 + 8 * Math.floor(d / 16));
    dot.append("title").text(d => hex(d));
    let before = null;
    updates.push(() => {
      const now = player.get(path);
      figure.attr("data-value", now === undefined ? null : now);
      const changed = player.changed.has(path);
      if (now === before && !changed && !figure.classed("was")) return;
      before = now;
      figure.classed("was", changed);
      const set = new Set((now || "").split(",").filter(Boolean).map(word => parseInt(word, 16)));
      dot.attr("class", d => `dot${set.has(d) ? " set" : ""}${set.has(d) && changed ? " new" : ""}`)
          .attr("r", d => set.has(d) ? 4 : 2.2);
      code.text([...set].map(v => hex(v)).join(" "));
    });
  },
  unit(root, unit) {
    const card = this.card(root, "unit", unit, "what it holds, and would use without a look at memory");
    const table = card.append("table").attr("class", "cache");
    const kinds = [
      ["iec", "Interrupt entry cache", "entry "], ["context", "Context-cache", ""],
      ["iotlb", "IOTLB", ""], ["paging", "Paging-structure caches", ""]
    ];
    for (const [kind, name, before] of kinds) {
      const body = table.append("tbody").attr("data-path", `${unit}/${kind}`);
      updates.push(() => {
        const rows =
            player.under(`${unit}/${kind}/`).map(path => ({
                                                   path,
                                                   key: before +
                                                       path.slice(unit.length + kind.length + 2),
                                                   value: player.get(path)
                                                 }));
        const shown = rows.slice(0, 12);
        body.classed("empty", !rows.length).selectAll("tr").remove();
        const head = body.append("tr")
                         .append("th")
                         .attr("colspan", 2)
                         .text(name + (rows.length > 12 ? `, the first 12 of ${rows.length}` : ""));
        if (!rows.length) head.append("span").style("font-weight", 400).text(": empty");
        const row = body.selectAll("tr.e").data(shown).join("tr").attr(
            "class",
            d => `e${d.value[1] ? " stale" : ""}${player.changed.has(d.path) ? " changed" : ""}`);
        row.append("td").text(d => d.key);
        row.append("td").text(d => d.value[0] + AGES[d.value[1]]);
      });
    }
    const queue = table.append("tbody");
    updates.push(() => {
      const now = player.get(`${unit}/queue`), fault = player.get(`${unit}/fault`);
      queue.selectAll("tr").remove();
      queue.append("tr").append("th").attr("colspan", 2).text("Invalidation queue");
      const row = queue.append("tr").classed("changed", player.changed.has(`${unit}/queue`));
      row.append("td").text(now ? `head ${now[0]} tail ${now[1]}` : "not used yet");
      row.append("td").text(now ? now[2] : "");
      if (!fault) return;
      const line = queue.append("tr").attr("class", "stale");
      line.append("td").text("last fault");
      line.append("td").text(fault);
    });
  },
  entry(root, unit) {
    const card = this.card(
        root, "entry", `Tables of ${unit}`, "the entries that it has used last");
    const box = card.append("div"), walk = card.append("table").attr("class", "cache");
    updates.push(() => {
      const irte = player.get(`${unit}/irte`), path = `${unit}/walk/`;
      card.style("display", irte || player.under(path).length ? null : "none");
      if (!player.changed.has(`${unit}/irte`) && box.attr("data-shown") === String(irte))
        box.classed("changed", false);
      else {
        box.attr("data-shown", String(irte));
        bitfields(box, irte);
      }
      walk.selectAll("tr").remove();
      const order = d => d.startsWith("root") ? 0 :
          d.startsWith("context")             ? 1 :
                                                10 - Number(d.split(" ")[1]);
      const rows = player.under(path)
                       .map(p => [p, p.slice(path.length), player.get(p)])
                       .sort((a, b) => order(a[1]) - order(b[1]));
      const row = walk.selectAll("tr").data(rows).join("tr").attr(
          "class", d => player.changed.has(d[0]) ? "changed" : null);
      row.append("td").text(d => d[1]);
      row.append("td").text(d => d[2][1]).append("div").attr("class", "raw").text(d => d[2][0]);
    });
  },
  processors(root) {
    const card = this.card(root, "cpu", "CPUs", "who has one, who waits for it, who sleeps there"),
          table = card.append("table").attr("class", "cache"), head = table.append("tr");
    for (const name of ["", "runs", "run queue", "wake list"]) head.append("th").text(name);
    for (const cpu of cpus) {
      const row = table.append("tr");
      row.append("td").text(`CPU ${cpu}`);
      for (const name of ["vcpu", "queue", "wake"]) {
        const path = `cpu/${cpu}/${name}`, cell = row.append("td").attr("data-path", path);
        updates.push(() => {
          const now = player.get(path);
          cell.attr("data-value", now || null)
              .classed("changed", player.changed.has(path))
              .text(now || "\u2013");
        });
      }
    }
  },
  device(root) {
    const card = this.card(root, "device", "Devices"), table = card.append("table").attr("class", "cache");
    updates.push(() => {
      table.selectAll("tr").remove();
      for (const device of devices)
        for (const name of ["access", "message", "dma", "intx"]) {
          const path = `device/${device}/${name}`, now = player.get(path);
          if (now === undefined) continue;
          const row = table.append("tr")
                          .attr("data-path", path)
                          .attr("data-value", now)
                          .classed("changed", player.changed.has(path));
          row.append("td").text(`${device} ${name}`);
          row.append("td").append("code").text(now);
        }
    });
  },
};
const updates = [];

/* [name, high, low, what] of an entry of the interrupt remapping table; VT-d "Interrupt Remapping
 * Table Entry (IRTE) for Remapped Interrupts", and for posted ones. */
const ALWAYS = [
  ["P", 0, 0], ["FPD", 1, 1], ["IM", 15, 15], ["vector", 23, 16], ["SID", 79, 64], ["SQ", 81, 80],
  ["SVT", 83, 82]
];
const FIELDS = {
  0: [...ALWAYS, ["DM", 2, 2], ["RH", 3, 3], ["TM", 4, 4], ["DLM", 7, 5], ["DST", 63, 32]],
  1: [...ALWAYS, ["URG", 14, 14], ["PDAL", 63, 38], ["PDAH", 127, 96]],
};
function bitsOf(high, low) {
  return [...high + low].map(digit => parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
}
function bitfields(box, irte) {
  box.selectAll("*").remove();
  if (!irte) return;
  const bits = bitsOf(irte[1], irte[2]);
  const bit = n => bits[127 - n], posted = bit(15) === "1";
  const fields = FIELDS[posted ? 1 : 0].sort((a, b) => b[1] - a[1]);
  const other = irte[3] && bitsOf(irte[3], irte[4]), bitNow = n => other && other[127 - n];
  const tint = i => i < 0 ? "var(--line)" : d3.schemeTableau10[i % 10];
  const of = n => fields.findIndex(f => n <= f[1] && n >= f[2]);
  const value = f => BigInt("0b" + bits.slice(127 - f[1], 128 - f[2]));
  const draw = (name, value, differs) => {
    box.append("div").attr("class", "bits-of").text(name);
    for (const top of [127, 63]) {
      const row = box.append("div").attr("class", "bits");
      for (let n = top; n > top - 64; n--)
        row.append("span")
            .text(value(n))
            .attr("title", `bit ${n}`)
            .style("--is", tint(of(n)))
            .classed("one", value(n) === "1")
            .classed("first", n < top && of(n) !== of(n + 1))
            .classed("other", differs(n));
    }
  };
  draw(
      `entry ${irte[0]}, ${posted ? "posted" : "remapped"}${other ? ": as it is held" : ""}`, bit,
      () => false);
  if (other) draw("as it is in memory", bitNow, n => bit(n) !== bitNow(n));
  const names = box.append("div")
                    .attr("class", "names")
                    .selectAll("span")
                    .data(fields)
                    .join("span")
                    .style("--is", (d, i) => tint(i));
  names.append("span")
      .style("--is", "transparent")
      .text(d => `${d[0]} ${d[1] === d[2] ? d[1] : `${d[1]}:${d[2]}`} `);
  names.append("code").text(d => {
    const v = value(d), sid = Number(v);
    if (d[0] === "SID")
      return `${hex(sid >> 8).slice(2)}:${hex(sid >> 3 & 31).slice(2)}.${sid & 7}`;
    return d[1] === d[2] ? String(v) : "0x" + v.toString(16);
  });
}
