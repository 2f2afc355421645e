/* SPDX-License-Identifier: MIT */
/* Keys, buttons, the caption, the script, and the address: #step=12&chain=3&theme=dark;
 * with &picture=vcpu,entry for a document.
 * From: player.js, lanes.js, cards.js, predict.js */

const KEYS = {
  ArrowRight: ["step", () => player.move(1)],
  ArrowLeft: ["back", () => player.move(-1)],
  Home: [
    "first step",
    () => player.go(player.only && player.chain >= 0 ? chains[player.chain].steps[0] : 0)
  ],
  End: [
    "last step",
    () => player.go(
        player.only && player.chain >= 0 ? chains[player.chain].steps.slice(-1)[0] :
                                           steps.length - 1)
  ],
  " ": ["play, stop", () => toggle()],
  c: [
    "only the steps of this chain: one interrupt, or one request",
    () => {
      player.only = !player.only;
      player.go(nearest());
    }
  ],
  i: ["next interrupt", () => nextChain(1)],
  I: ["interrupt before", () => nextChain(-1)],
  n: ["next notification", () => player.jump("notify")],
  d: ["next delivery", () => player.jump("deliver")],
  s: ["next stale entry that was used", () => player.jump("stale")],
  f: ["next fault", () => player.jump("fault")],
  m: ["next moment that a guest has named", () => player.jump("mark")],
  g: [
    "fold idle time",
    () => {
      places.folded = !places.folded;
      relay();
    }
  ],
  z: [
    "this chain from edge to edge",
    () => player.chain >= 0 && lanes.fit(chains[player.chain].steps)
  ],
  "+": ["wider", () => lanes.svg.call(lanes.zoom.scaleBy, 1.4)],
  "-": ["narrower", () => lanes.svg.call(lanes.zoom.scaleBy, 1 / 1.4)],
  p: ["predict: say what comes, then see it", () => predict.toggle()],
  e: ["this frame as SVG", () => saveFrame()],
  t: [
    "light, dark", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark")
  ],
  "?": [
    "these keys",
    () => {
      const help = document.getElementById("help");
      help.open ? help.close() : help.showModal();
    }
  ],
};
const $ = id => document.getElementById(id);
let timer = null;

function toggle() {
  if (timer) {
    clearInterval(timer);
    timer = null;
  } else
    timer = setInterval(() => {
      if (player.move(1) === false || player.at === steps.length - 1) toggle();
    }, 700);
  $("play").innerHTML = timer ? "&#x275A;&#x275A;" : "&#x25B6;";
}
/* A step of the chain: this one, or the next one that has any. */
function nearest() {
  if (player.chain < 0) {
    const next = steps.find(step => step.index >= player.at && step.chains.length);
    if (!next) return player.at;
    player.chain = next.chains[0];
  }
  const own = chains[player.chain].steps;
  return own.includes(player.at) ? player.at : own.find(i => i >= player.at) ?? own[0];
}
function nextChain(by) {
  const order = chains.filter(chain => chain.kind === "interrupt" && chain.steps.length);
  const at = order.findIndex(chain => chain.index === player.chain);
  const next = at >= 0 ? order[at + by] : order.find(chain => chain.steps[0] >= player.at);
  if (next) player.follow(next.index);
}
function theme(name) { document.documentElement.dataset.theme = name; }
function relay() {
  places.lay();
  lanes.resize();
  lanes.far = true;
  lanes.show(player.at);
  lanes.far = false;
  caption();
}

function caption() {
  const step = steps[player.at], before = steps[player.at - 1];
  document.body.dataset.step = step.index;
  $("count").textContent = `step ${step.index + 1} of ${steps.length}`;
  $("tick").textContent = ticks(step.at);
  const since = before ? step.at - before.at : 0;
  $("since").textContent = since ? `+${ticks(since)} tick${since > 1 ? "s" : ""}` : "same tick";
  $("text").textContent = step.text;
  const links = d3.select("#links");
  links.selectAll("*").remove();
  if (step.source) {
    const [file, name, line, href] = step.source, link = links.append("span");
    link.append("a").attr("href", href).attr("target", "_blank").text(`${file}:${line}`);
    if (name) link.append("span").text(` ${name}()`);
  }
  if (step.title) links.append("span").text(`${step.title[0]} \u201c${step.title[1]}\u201d`);
  if (step.raw) links.append("span").append("code").text(step.raw.split("\n")[0]);
  const own = player.chain >= 0 ? chains[player.chain].steps : [];
  const item = d3.select("#strip").selectAll("li").data(own.slice(0, 60), d => d).join("li");
  item.text(i => `${label(steps[i].lane).replace(/^device \S+/, "device")} ${verb(steps[i])}`)
      .attr("title", i => steps[i].text)
      .on("click", i => player.go(i))
      .attr(
          "class",
          i => i === player.at ? "at" :
              i < player.at    ? "done" :
                                 "later");
  const here = document.querySelector("#strip li.at");
  if (here) $("strip").scrollTop = here.offsetTop - $("strip").offsetTop - 26;
  d3.selectAll("#controls .jump")
      .each(function() { this.disabled = !Number(this.querySelector("i").textContent); });
  $("only").setAttribute("aria-pressed", player.only);
  $("fold").setAttribute("aria-pressed", places.folded);
  $("predict").setAttribute("aria-pressed", predict.on);
  $("chain").value = player.chain;
  script(own);
}
/* A word or two for the strip: what the recorded event is called. */
function verb(step) {
  const words = step.raw.split("\n")[0]
                    .replace(/^(unit\d+|cpu\d+|device \S+) /, "")
                    .split(" ")
                    .filter(word => !word.includes("="));
  return words.slice(0, 2).join(" ") || "access";
}
function script(own) {
  const pool = player.only && own.length ?
      own :
      d3.range(Math.max(0, player.at - 8), Math.min(steps.length, player.at + 14));
  const at = Math.max(0, pool.indexOf(player.at)), first = Math.max(0, at - 8),
        member = new Set(own);
  const rows = pool.slice(first, first + 20).filter(i => !predict.on || i <= player.at).map(i => steps[i]);
  const row =
      d3.select("#script")
          .selectAll("li")
          .data(rows, d => d.index)
          .join(enter => {
            const li = enter.append("li").on("click", d => player.go(d.index));
            li.append("span").attr("class", "t");
            li.append("span")
                .attr("class", "l")
                .style("--is", d => color(d.lane))
                .text(d => label(d.lane));
            li.append("span").attr("class", "w").text(d => d.text).attr("title", d => d.text);
            return li;
          })
          .order();
  row.attr("class", d => d.index === player.at ? "at" : member.has(d.index) ? "of" : "");
  row.select(".t").text(d => {
    const from = steps[player.at].at;
    return d.at === from ? "0" : (d.at > from ? "+" : "\u2212") + ticks(Math.abs(d.at - from));
  });
}

function saveFrame() {
  const link = document.createElement("a");
  link.href = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(frame());
  link.download = `hamlet-step-${player.at + 1}.svg`;
  link.click();
}
/* The lanes with their colours written out, and the sentence above them. */
function frame() {
  const copy = lanes.svg.node().cloneNode(true), style = getComputedStyle(document.documentElement);
  const rules = [...document.styleSheets[0].cssRules]
                    .map(rule => rule.cssText)
                    .filter(text => /lane|axis|mark|link|band|cursor|pale/.test(text))
                    .join("\n");
  const plain = text =>
      text.replace(/var\((--[a-z]+)\)/g, (all, name) => style.getPropertyValue(name).trim());
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `0 -34 ${lanes.width} ${lanes.height + 34}`);
  copy.insertAdjacentHTML(
      "afterbegin",
      `<style>${rules} text { font-family: sans-serif }</style>` +
          '<rect y="-34" width="100%" height="100%" fill="var(--card)"/>' +
          '<text x="14" y="-12" font-size="14" fill="var(--ink)"></text>');
  copy.querySelector("text").textContent = steps[player.at].text;
  return plain(new XMLSerializer().serializeToString(copy));
}

/* For a document: the lanes and these cards, and nothing to press. */
function picture(kinds) {
  document.body.classList.add("picture");
  d3.selectAll(".card").each(function() {
    const at = kinds.indexOf(this.dataset.card);
    this.classList.toggle("shown", at >= 0 && !this.classList.contains("small"));
    this.classList.toggle("left", at === 0);
    this.style.order = at;
  });
  relay();
  if (player.chain >= 0) lanes.fit(chains[player.chain].steps);
  document.body.dataset.height = document.documentElement.scrollHeight;
}

/* Where the page opens: the first posted interrupt, else the first DMA, else the first exit. */
function interesting() {
  const begun = chains.filter(chain => chain.steps.length);
  return begun.find(chain => chain.kind === "interrupt" && chain.vcpu) ||
      begun.find(chain => chain.kind === "dma");
}

/* The page of one of two runs: the keys are those of beside.js, which also says which step it is. */
function isBeside() { return parent !== window && "beside" in parent; }
function takePart() {
  document.body.classList.add("beside");
  window.hamlet = {document, player, keys: KEYS, picture};
  player.watchers.push(() => parent.beside.moved(window.frameElement));
  parent.beside.begun();
}

function pressed(key) {
  if (KEYS[key]) KEYS[key][1]();
  return key in KEYS;
}

function begin() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  theme(
      wanted.get("theme") ||
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  $("title").textContent = run.title;
  for (const mark of MARKS)
    d3.select(`#controls .${mark} i`).text(steps.filter(step => step.marks.includes(mark)).length);
  const groups = d3.nest()
                     .key(
                         chain => chain.kind === "dma" ? "requests of DMA" :
                             chain.state               ? `interrupts, vCPU ${chain.state}` :
                                                         "other messages")
                     .entries(chains.filter(chain => chain.steps.length));
  d3.select("#chain")
      .on("change",
          function() {
            player.only = Number(this.value) >= 0;
            if (player.only) player.follow(Number(this.value));
            else player.go(player.at);
            this.blur();
          })
      .append("option")
      .attr("value", -1)
      .text("no chain");
  d3.select("#chain")
      .selectAll("optgroup")
      .data(groups)
      .join("optgroup")
      .attr("label", d => d.key)
      .selectAll("option")
      .data(d => d.values.slice(0, 500))
      .join("option")
      .attr("value", d => d.index)
      .text(
          d => d.vcpu ? `${hex(d.vector)} to ${d.vcpu}, step ${d.steps[0] + 1}` :
                        `${d.name}, step ${d.steps[0] + 1}`);
  const most = d3.max(run.exits, d => d[1]) || 1,
        exits = d3.select("#exits table").selectAll("tr").data(run.exits).join("tr");
  exits.append("td").text(d => d[0]);
  exits.append("td").attr("class", "n").text(d => d[1]);
  exits.append("td").attr("class", "n").text(d => `${d[2]} ticks each`);
  exits.append("td").attr("class", "b").append("div").style("width", d => `${12 * d[1] / most}em`);
  d3.select("#legend")
      .selectAll("span")
      .data([
        ...Object.values(STATES), ["notification sent", "var(--ready)"],
        ["stale or blocked", "var(--alarm)"]
      ])
      .join("span")
      .style("--is", d => d[1])
      .text(d => d[0]);
  const keys = d3.select("#help dl");
  for (const [key, [what]] of Object.entries(KEYS)) {
    keys.append("dt").text({" ": "space", ArrowLeft: "\u2190", ArrowRight: "\u2192"}[key] || key);
    keys.append("dd").text(what);
  }
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || /SELECT|INPUT/.test(event.target.tagName))
      return;
    if (isBeside() ? parent.beside.key(event.key) : pressed(event.key)) event.preventDefault();
  });
  d3.selectAll("#controls button[data-key]").on("click", function() {
    KEYS[this.dataset.key][1]();
    this.blur();
  });
  addEventListener("resize", () => {
    lanes.resize();
    lanes.draw();
  });
  places.lay();
  cards.begin();
  lanes.begin();
  player.watchers.push(
      () => updates.forEach(update => update()), () => lanes.show(player.at), caption);
  const chain = chains[Number(wanted.get("chain") ?? -1)], first = chain || interesting();
  player.only = Boolean(chain);
  if (first) player.follow(first.index);
  if (wanted.has("step")) player.go(Number(wanted.get("step")) - 1);
  else if (!first) player.go(Math.max(0, steps.findIndex(step => /\bexits? /.test(step.text))));
  if (wanted.has("picture")) picture(wanted.get("picture").split(","));
  document.body.dataset.drawn = lanes.names.length;
  if (isBeside()) takePart();
}
begin();
