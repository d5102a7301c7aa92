"use strict";
// A run while it goes on. Whatever a model wrote goes through textContent, never through markup.
(() => {
  const MOST_GROUPS = 12, MOST_LINES = 200, MOST_POINTS = 400;
  const FIRST = ["accuracy/mean", "reward/mean", "length/mean", "loss/total", "entropy/mean", "gradient/norm", "groups/informative_rate", "logprob_gap/max", "time/step_seconds", "tokens/rollout_per_second"];
  const VERDICTS = { right: "✓ right", wrong: "✗ wrong", fault: "! verifier fault" };
  const byId = (id) => document.getElementById(id);
  let metrics = [], groups = [], ended = false;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function shown(x) {
    if (x !== 0 && Math.abs(x) < 1e-3) return x.toExponential(2);
    return Math.abs(x) >= 1000 ? x.toFixed(0) : Number(x.toPrecision(4)).toString();
  }

  function chart(phase, key, points) {
    const figure = make("figure");
    const caption = make("figcaption", "", key + " ");
    caption.append(make("span", "", phase), make("span", "now", shown(points[points.length - 1][1])));
    const every = Math.ceil(points.length / MOST_POINTS);
    const kept = points.filter((_, i) => i % every === 0 || i === points.length - 1);
    const xs = kept.map((p) => p[0]), ys = kept.map((p) => p[1]);
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const place = (v, a, b) => (b > a ? (v - a) / (b - a) : 0.5);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 100 100");
    svg.setAttribute("preserveAspectRatio", "none");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    if (kept.length === 1) kept.push(kept[0]); // a line without length: its round ends are a dot
    if (x0 === x1) line.setAttribute("class", "dot-only");
    line.setAttribute("points", kept.map((p) => `${(100 * place(p[0], x0, x1)).toFixed(2)},${(96 - 92 * place(p[1], y0, y1)).toFixed(2)}`).join(" "));
    svg.append(line);
    const ends = make("div", "ends");
    ends.append(make("span", "", `step ${x0}–${x1}`), make("span", "", `${shown(y0)} to ${shown(y1)}`));
    figure.append(caption, svg, ends);
    return figure;
  }

  function drawCharts() {
    const series = new Map();
    for (const line of metrics)
      for (const [key, value] of Object.entries(line)) {
        if (typeof value !== "number" || key === "step" || key === "seconds") continue;
        if (!FIRST.includes(key) && !key.startsWith("pool/") && !key.startsWith("engine/")) continue;
        const name = `${line.phase} ${key}`;
        if (!series.has(name)) series.set(name, []);
        series.get(name).push([line.step, value]);
      }
    if (series.size) byId("charts").replaceChildren(...[...series].sort(inOrder).map(([name, points]) => chart(name.split(" ")[0], name.slice(name.indexOf(" ") + 1), points)));
    else byId("charts").replaceChildren(make("p", "nothing", "No step has ended yet."));
  }

  // The phase that began last stands first; in it the figures in the order of FIRST.
  function inOrder([a], [b]) {
    const phases = [...new Set(metrics.map((line) => line.phase))];
    const place = (name) => [-phases.indexOf(name.split(" ")[0]), (FIRST.indexOf(name.slice(name.indexOf(" ") + 1)) + 99) % 99];
    const [[pa, ka], [pb, kb]] = [place(a), place(b)];
    return pa - pb || ka - kb;
  }

  function groupCard(group) {
    const card = make("article", "group");
    const problem = make("div", "problem");
    const images = make("div", "images");
    const asked = make("div", "asked");
    const question = make("p");
    for (const piece of group.prompt) {
      if ("text" in piece) question.append(piece.text);
      else if (/^[0-9a-f]{8,64}$/.test(piece.image)) {
        const image = make("img");
        image.src = `/image/${piece.image}`;
        image.alt = "image of the problem";
        image.width = 160;
        image.onload = () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) < 100);
        images.append(image);
      }
    }
    const about = make("div", "facts");
    about.append("answer ", make("b", "", group.answer), make("br"), `${group.phase} step ${group.step} · ${group.modality} · ${group.domain}`);
    asked.append(question, about);
    if (images.childElementCount) problem.append(images);
    problem.append(asked);
    const list = make("ul", "responses");
    const counts = new Map(); // equal responses with equal credit stand once
    for (const response of group.responses) {
      const key = JSON.stringify(response);
      counts.set(key, (counts.get(key) || 0) + 1);
    }
    for (const [key, count] of counts) {
      const response = JSON.parse(key);
      const item = make("li", response.state === "wrong" ? "" : response.state);
      const said = make("div", "said");
      said.append(make("span", "verdict", VERDICTS[response.state] + (count > 1 ? ` × ${count}` : "")), response.text || "(nothing)");
      item.append(said);
      const figures = ["reward", "advantage"].filter((key) => typeof response[key] === "number").map((key) => `${key} ${response[key].toFixed(2)}`);
      item.append(make("div", "credit", [...figures, `${response.tokens} tokens`].join(" · ")));
      list.append(item);
    }
    card.append(problem, list);
    return card;
  }

  const worded = (line) => `${line.phase} step ${line.step}` + Object.entries(line).filter(([key, value]) => FIRST.includes(key) && typeof value === "number").map(([key, value]) => `  ${key} ${shown(value)}`).join("");

  function take(change) {
    if (change.restarted) [metrics, groups] = [[], []];
    metrics.push(...change.metrics);
    groups = [...groups, ...change.groups].slice(-MOST_GROUPS);
    const status = change.status;
    ended = !["running", "starting", "gone"].includes(status.status);
    document.title = `${status.name} · vlrl watch`;
    byId("name").textContent = status.name;
    byId("status").textContent = status.status;
    byId("status").className = `status ${status.status === "finished" ? "good" : "open"}`;
    const notes = [];
    if (status.status === "gone") notes.push("The folder isn't there; it is shown again when it is.");
    if (ended) notes.push("The run has ended.");
    if (status.damaged) notes.push(`${status.damaged} damaged lines are passed over.`);
    byId("note").textContent = notes.join(" ");
    if (change.restarted || change.metrics.length) {
      drawCharts();
      byId("log").textContent = metrics.slice(-MOST_LINES).reverse().map(worded).join("\n");
    }
    if (change.restarted || change.groups.length) byId("rollouts").replaceChildren(...(groups.length ? [...groups].reverse().map(groupCard) : [make("p", "nothing", "No rollouts yet.")]));
  }

  let fresh = false;
  const events = new EventSource("/events");
  events.onopen = () => { fresh = true; };
  events.onmessage = (event) => {
    const change = JSON.parse(event.data);
    if (fresh) change.restarted = true; // a new stream begins with all that there is
    fresh = false;
    take(change);
  };
  events.onerror = () => { byId("note").textContent = "The connection is lost; it is tried again."; };
})();
