"use strict";
// The rollout viewer. Whatever a model wrote goes through textContent, never through markup.
(() => {
  const data = JSON.parse(document.getElementById("payload").textContent);
  const root = document.getElementById("viewer");
  if (!root) return;
  const phaseNames = { sft: "SFT", rl: "RL training", eval: "evaluation" };

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function choice(label, options) {
    const wrapper = make("label", "", label);
    const select = make("select");
    for (const [value, name] of options) select.add(new Option(name, value));
    select.addEventListener("change", changed);
    wrapper.append(select);
    controls.append(wrapper);
    return select;
  }

  function slider(label) {
    const wrapper = make("label");
    const title = make("span");
    const share = make("small");
    const input = make("input");
    input.type = "range";
    input.min = 0;
    input.step = 1;
    input.setAttribute("aria-label", label + " step");
    input.addEventListener("input", changed);
    wrapper.append(title, share, input);
    sliders.append(wrapper);
    return { input, title, share, label };
  }

  const all = data.entries.flatMap((entry) => entry.groups);
  const distinct = (name) => [...new Set(all.map((group) => group[name]))];
  const named = (values) => [["", "all"], ...values.map((value) => [value, value])];

  const controls = make("div", "controls");
  const sliders = make("div", "sliders");
  const rows = make("div");
  const phases = [...new Set(data.entries.map((entry) => entry.phase))].sort((a, b) => (a === "rl" ? -1 : b === "rl" ? 1 : 0));
  const phase = choice("phase", phases.map((name) => [name, phaseNames[name] || name]));
  const modality = choice("modality", named(distinct("modality")));
  const domain = choice("domain", named(distinct("domain").sort()));
  const outcome = choice("problems", [["", "all"], ["mixed", "some right, some wrong"], ["right", "all right"], ["wrong", "all wrong"]]);
  const verdict = choice("responses", [["", "all"], ["right", "right"], ["wrong", "wrong"]]);
  const beside = choice("beside it", [["", "another step"], ["twin", "its twin: text and drawn"]]);
  beside.parentElement.style.display = data.entries.some((entry) => twins(entry.groups).length) ? "" : "none";
  const search = make("input");
  search.type = "search";
  search.placeholder = "words of question, answer, responses";
  search.addEventListener("input", changed);
  const searchLabel = make("label", "", "search ( / )");
  searchLabel.append(search);
  controls.append(searchLabel);
  const early = slider("early");
  const late = slider("late");
  root.append(controls, sliders, rows);

  const more = make("button", "more");
  root.append(more);
  let rowsShown = 0;
  more.addEventListener("click", () => {
    rowsShown = Infinity;
    show();
  });

  const entriesNow = () => data.entries.filter((entry) => entry.phase === phase.value);
  phase.addEventListener("change", reset);

  function reset() {
    const last = entriesNow().length - 1;
    for (const side of [early, late]) side.input.max = Math.max(last, 0);
    early.input.value = 0;
    late.input.value = last;
    sliders.style.display = last > 0 ? "" : "none";
    draw();
  }

  const counted = (group, test) => group.responses.reduce((sum, r) => sum + (test(r) ? r.count : 0), 0);
  const isRight = (r) => r.correct && r.fault === null;

  function outcomeOf(group) {
    const right = counted(group, isRight);
    const judged = counted(group, (r) => r.fault === null);
    return right === 0 ? "wrong" : right === judged ? "right" : "mixed";
  }

  const texts = new Map();
  function textOf(group) {
    if (!texts.has(group)) {
      const said = group.responses.flatMap((r) => [r.text, r.answer, r.note]);
      const asked = group.prompt.map((piece) => piece.text);
      texts.set(group, [group.id, group.answer, group.domain, ...asked, ...said].filter(Boolean).join("\n").toLowerCase());
    }
    return texts.get(group);
  }
  const searchWords = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);

  // What is chosen stands in the address, so that a link shows the same. Steps stand there as steps, not as places.
  const kept = () => ({ phase, modality, domain, problems: outcome, responses: verdict, beside, search });
  const isSelect = (control) => control.tagName === "SELECT";

  function changed() {
    draw();
    const held = new URLSearchParams();
    for (const [name, control] of Object.entries(kept())) if (control.value && !(control === phase && phase.selectedIndex === 0)) held.set(name, control.value);
    const entries = entriesNow();
    for (const side of [early, late]) held.set(side.label, entries[Number(side.input.value)].step);
    history.replaceState(null, "", `#rollouts?${held}`);
  }

  function fromAddress() {
    const [, said] = location.hash.split("?");
    if (said === undefined) return false;
    const held = new URLSearchParams(said);
    for (const [name, control] of Object.entries(kept())) {
      const value = held.get(name) || "";
      if (!isSelect(control)) control.value = value;
      else if ([...control.options].some((option) => option.value === value)) control.value = value;
    }
    if (!phase.value) phase.selectedIndex = 0;
    reset();
    const steps = entriesNow().map((entry) => String(entry.step));
    for (const side of [early, late]) if (steps.includes(held.get(side.label))) side.input.value = steps.indexOf(held.get(side.label));
    draw();
    return true;
  }

  let current = -1;
  function move(by) {
    const cards = [...rows.querySelectorAll(".pair")];
    if (!cards.length) return;
    current = Math.min(Math.max(current + by, 0), cards.length - 1);
    if (cards[current].classList.contains("later")) more.click();
    cards.forEach((card, i) => card.classList.toggle("current", i === current));
    cards[current].scrollIntoView({ block: "center" });
  }

  function step(side, by) {
    side.input.value = Number(side.input.value) + by;
    changed();
  }

  const KEYS = { j: () => move(1), k: () => move(-1), "[": () => step(late, -1), "]": () => step(late, 1), "{": () => step(early, -1), "}": () => step(early, 1), "/": () => search.focus() };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === search) search.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  function passes(group) {
    return (
      (!modality.value || group.modality === modality.value) &&
      (!domain.value || group.domain === domain.value) &&
      (!outcome.value || outcomeOf(group) === outcome.value) &&
      (!verdict.value || group.responses.some((r) => isRight(r) === (verdict.value === "right"))) &&
      searchWords().every((word) => textOf(group).includes(word))
    );
  }

  // Side by side stand the same problem where both steps have it, else problems of one domain, else of one modality.
  function pairUp(left, right) {
    const rest = [...right];
    const take = (test) => {
      const at = rest.findIndex(test);
      return at < 0 ? null : rest.splice(at, 1)[0];
    };
    const pairs = left.map((group) => [group, null]);
    for (const key of ["id", "domain", "modality"])
      for (const pair of pairs) pair[1] = pair[1] || take((group) => group[key] === pair[0][key]);
    return [...pairs, ...rest.map((group) => [null, group])];
  }

  // A text problem and the image that was drawn of it, of one step.
  function twins(groups) {
    const byId = new Map(groups.map((group) => [group.id, group]));
    return groups.filter((group) => byId.has(group.twin)).map((group) => [byId.get(group.twin), group]);
  }

  function share(entry) {
    const groups = entry.groups.filter(passes);
    const right = groups.reduce((sum, group) => sum + counted(group, isRight), 0);
    const total = groups.reduce((sum, group) => sum + counted(group, () => true), 0);
    return total ? `${right} of ${total} responses shown are right` : "";
  }

  const signed = (x) => (x > 0 ? "+" : x < 0 ? "−" : "") + Math.abs(x).toFixed(2);

  function imageOf(digest) {
    const held = data.images[digest];
    if (!held) return make("span", "missing", "image can't be shown");
    const image = make("img");
    const enlarge = Math.max(held.width, held.height) < 100 ? Math.max(1, Math.floor(192 / Math.max(held.width, held.height))) : 1;
    image.src = held.src;
    image.width = Math.min(held.width * enlarge, 340);
    image.alt = "image of the problem";
    image.title = `${held.width} × ${held.height} pixels`;
    if (Math.max(held.width, held.height) < 100) image.className = "tiny";
    return image;
  }

  // An episode, part by part: what the policy wrote is trained on, what tools returned is not.
  function conversation(episode) {
    const whole = make("div", "episode");
    for (const part of episode.parts) {
      const own = part.author === "policy";
      const turn = make("div", own ? "turn policy" : "turn tool");
      turn.append(make("span", "author", own ? "policy" : `${part.author}, not trained on`), part.text || "(nothing)");
      for (const digest of part.images || []) turn.append(imageOf(digest));
      whole.append(turn);
    }
    const notes = [`${episode.turns} turn${episode.turns === 1 ? "" : "s"}`];
    const outcomes = episode.calls.map((c) => `${c.name || "call"} ${c.outcome}${c.duplicate ? " (repeated)" : ""}`);
    if (outcomes.length) notes.push(outcomes.join(", "));
    if (episode.turn_rewards) notes.push(`rewards ${episode.turn_rewards.map(signed).join(" ")}`);
    if (episode.over_limit) notes.push(`over its limit: ${episode.over_limit}`);
    whole.append(make("div", "credit", notes.join(" · ")));
    return whole;
  }

  function responseItem(response) {
    const state = response.fault !== null ? "fault" : response.correct ? "right" : "";
    const item = make("li", state);
    const said = make("div", "said");
    const symbol = { fault: "! verifier fault", right: "✓ right", "": "✗ wrong" }[state];
    said.append(make("span", "verdict", symbol + (response.count > 1 ? ` × ${response.count}` : "")));
    said.append(response.episode ? conversation(response.episode) : response.text || "(nothing)");
    const credit = make("div", "credit");
    const parts = Object.entries(response.reward_parts).map(([name, value]) => `${name} ${signed(value)}`);
    const direction = response.advantage > 0 ? "up" : response.advantage < 0 ? "down" : "";
    credit.append(`reward ${signed(response.reward)}`, parts.length > 1 ? ` (${parts.join(", ")})` : "", " · advantage ");
    credit.append(make("span", direction, signed(response.advantage)), ` · ${response.tokens} tokens · ${response.finish_reason}`);
    if (response.answer !== null) credit.append(` · read as “${response.answer}”`);
    if (response.note) credit.append(` · ${response.note}`);
    if (response.fault !== null) credit.append(` · ${response.fault}`);
    if (!response.used) credit.append(" · not used in the update");
    item.append(said, credit);
    return item;
  }

  function groupCard(group, when) {
    if (!group) return make("p", "nothing", "no problem like the one beside it in this step");
    const card = make("article", "group");
    card.append(make("div", "when", when));
    const problem = make("div", "problem");
    const images = make("div", "images");
    const asked = make("div", "asked");
    const question = make("p");
    const many = group.prompt.filter((piece) => "image" in piece).length > 1;
    let number = 0;
    for (const piece of group.prompt) {
      if ("text" in piece) question.append(piece.text);
      else {
        images.append(imageOf(piece.image));
        number += 1;
        if (many) question.append(make("span", "mark-image", `image ${number}`), " ");
      }
    }
    const facts = make("div", "facts");
    facts.append("answer ", make("b", "", group.answer), make("br"));
    facts.append(make("i", `dot ${group.modality}`), `${group.modality} · ${group.domain}`);
    if (group.difficulty !== null) facts.append(` · difficulty ${group.difficulty.toFixed(2)}`);
    asked.append(question, facts);
    if (number) problem.append(images);
    if (many) problem.classList.add("many");
    problem.append(asked);

    const score = make("div", "score");
    for (const r of group.responses)
      for (let i = 0; i < r.count; i += 1) score.append(make("i", r.fault !== null ? "fault" : r.correct ? "right" : ""));
    score.append(make("span", "", `${counted(group, isRight)} of ${counted(group, () => true)} right`));

    const list = make("ul", "responses");
    for (const r of group.responses) if (!verdict.value || isRight(r) === (verdict.value === "right")) list.append(responseItem(r));
    card.append(problem, score, list);
    return card;
  }

  function draw() {
    const entries = entriesNow();
    const chosen = [early, late].map((side) => {
      const entry = entries[Math.min(Number(side.input.value), entries.length - 1)];
      side.title.textContent = `${side.label}: step ${entry.step}`;
      side.share.textContent = share(entry);
      side.input.setAttribute("aria-valuetext", `step ${entry.step}`);
      return entry;
    });
    const single = entries.length < 2;
    const [left, right] = chosen.map((entry) => entry.groups.filter(passes));
    const byTwin = beside.value === "twin";
    const names = chosen.map((entry) => `step ${entry.step}`);
    if (byTwin) names.fill(`step ${chosen[1].step}`);
    early.input.parentElement.style.display = byTwin ? "none" : "";
    const pairs = byTwin ? twins(chosen[1].groups).filter((pair) => pair.some(passes)) : single ? left.map((group, i) => (i % 2 ? null : [group, left[i + 1] || null])).filter(Boolean) : pairUp(left, right);
    rows.replaceChildren();
    current = -1;
    for (const [a, b] of oneOfEachFirst(pairs)) {
      const row = make("div", "pair");
      row.append(groupCard(a, names[0]));
      if (b || !single) row.append(groupCard(b, names[1]));
      rows.append(row);
    }
    if (!pairs.length) rows.append(make("p", "nothing", byTwin ? "This step shows no twins that pass these filters." : "No problem passes these filters."));
    show();
  }

  function oneOfEachFirst(pairs) {
    const met = {};
    const rank = new Map(pairs.map((pair) => {
      const key = (pair[0] || pair[1]).modality;
      met[key] = (met[key] || 0) + 1;
      return [pair, met[key]];
    }));
    return [...pairs].sort((a, b) => rank.get(a) - rank.get(b));
  }

  function show() {
    const most = Math.max(rowsShown, 4);
    [...rows.children].forEach((row, i) => row.classList.toggle("later", i >= most));
    const left = rows.children.length - most;
    more.textContent = `show ${left} more`;
    more.style.display = left > 0 ? "" : "none";
  }

  root.append(make("p", "fine", "Keys: / search, j and k problems, [ and ] the later step, { and } the earlier one. The address keeps what is chosen."));
  if (!fromAddress()) reset();
  if (location.hash.includes("?")) document.getElementById("rollouts").scrollIntoView();
  window.addEventListener("hashchange", fromAddress);
})();
