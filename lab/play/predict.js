/* SPDX-License-Identifier: MIT */
/* Prediction: what is to come is hidden, and before a step that changes words of a vCPU the reader
 * says what they will be.
 * From: player.js, lanes.js, cards.js      To: controls.js */

const GROUPS = [["on", "sn", "nv", "ndst", "pir"], ["rvi", "svi", "virr", "visr"]];
const WORDS = {
  on: [[0, "0"], [1, "1"]],
  sn: [[0, "0"], [1, "1"]],
  nv: [[0xf0, "0xf0 ANV"], [0xf1, "0xf1 WNV"]]
};
const predict = {
  on: false,
  next: -1,       /* the step that is asked about */
  fields: [],     /* [name, path] */
  right: 0,
  asked: 0,

  toggle() {
    this.on = !this.on;
    this.right = this.asked = 0;
    this.close();
    document.body.classList.toggle("predicting", this.on);
    if (this.on && !player.only) KEYS.c[1]();
    else player.go(player.at);
  },
  close() {
    this.next = -1;
    d3.select("#ask").attr("hidden", "").selectAll("*").remove();
  },
  /* True: the step is not taken yet, because there is a question. */
  asks(next) {
    if (!this.on) return false;
    if (this.next >= 0) return true;
    const step = steps[next], vcpu = player.chain >= 0 && chains[player.chain].vcpu,
          own = name => `vcpu/${vcpu}/${name}`, changes = new Set(step.changes.map(c => c[0]));
    this.fields = GROUPS.filter(group => group.some(name => changes.has(own(name))))
                      .flat()
                      .map(name => [name, own(name)])
                      .filter(([, path]) => player.get(path) !== undefined || changes.has(path));
    if (!vcpu || !this.fields.length) return false;
    this.next = next;
    this.show(step, vcpu);
    return true;
  },
  show(step, vcpu) {
    const form = d3.select("#ask").attr("hidden", null);
    form.selectAll("*").remove();
    form.append("p").html(`Next: <b></b>. What will <b></b> hold then?`);
    const bold = form.selectAll("b").nodes();
    bold[0].textContent = `${label(step.lane)}, ${verb(step).replace(/^\S+\d /, "")}`;
    bold[1].textContent = vcpu;
    const row = form.append("div").attr("class", "row");
    for (const [name, path] of this.fields) {
      const box = row.append("label").text(name.toUpperCase());
      const now = player.get(path), choice = WORDS[name] ||
          (name === "ndst" && cpus.map(cpu => [Number(cpu), `CPU ${cpu}`]));
      if (choice) {
        const select = box.append("select").attr("name", name);
        select.selectAll("option").data(choice).join("option").attr("value", d => d[0]).text(
            d => d[1]);
        select.property("value", String(now === undefined ? choice[0][0] : now));
      } else
        box.append("input")
            .attr("name", name)
            .attr("size", 8)
            .attr("placeholder", "none")
            .attr("autocomplete", "off")
            .property("value", typeof now === "number" ? hex(now) : words(now));
    }
    row.append("button").text("so it will be");
    form.on("submit", () => {
      d3.event.preventDefault();
      this.answer();
    });
  },
  answer() {
    const form = document.getElementById("ask"), next = this.next, fields = this.fields,
          said = Object.fromEntries(fields.map(([name]) => [name, form[name].value]));
    this.close();
    player.go(next);
    const wrong = fields.filter(([name, path]) => !same(said[name], player.get(path)));
    this.asked += fields.length;
    this.right += fields.length - wrong.length;
    const told = d3.select("#ask").attr("hidden", null).append("p").attr(
        "class", wrong.length ? "wrong" : "right");
    told.text(
        (wrong.length ?
             wrong.map(([name, path]) => `${name.toUpperCase()} is ${words(player.get(path))}, not ${
                                said[name] || "none"}`)
                     .join("; ") :
             "So it is") +
        `. ${this.right} of ${this.asked} words.`);
  },
};
/* "0x51,60" and 81 are the same if they name the same vectors. */
function same(said, value) {
  const set = text =>
      String(text).split(/[\s,]+/).filter(Boolean).map(word => parseInt(word, 16)).sort().join();
  return typeof value === "number" ? Number(said || 0) === value : set(said) === set(value || "");
}
function words(value) {
  if (typeof value === "number") return value > 9 ? hex(value) : String(value);
  return (value || "").split(/[\s,]+/).filter(Boolean).map(w => w.replace(/^(0x)?/, "0x")).join(", ");
}
