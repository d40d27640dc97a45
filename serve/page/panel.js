// What the stages found in the selected picture, in plain words.
import { $, h, many, percent, seconds, title } from "./dom.js";
import { bench } from "./pictures.js";
import { doubtful, meaning } from "./words.js";

const DEFECTS = { exposure_dark: "Too dark", exposure_over: "Over-exposed", blur: "Blurred", occlusion: "Covered", low_information: "Nothing to see" };
const KINDS = { product_hollow: "product with holes" }; // whose names do not say it
const UNSURE = 0.6; // a category below this picks no weights of its own, by default
const QUIET = ["waiting", "working", "ok"]; // states that nobody must read about
const STAGES = { fetch: "Reading", filter: "Usable?", classify: "What is it?", detect: "Where is it?", coarse: "Roughly", fine: "To the hair", products: "Files" };

export function setUpPanel() {
  bench.addEventListener("selected", render);
  bench.addEventListener("changed", (event) => event.detail === bench.selected && render());
}

let told = {}; // what the panel said last

function render() {
  const picture = bench.selected;
  if (!picture) return;
  const { state, answer, error } = picture;
  if (told.picture !== picture || told.state !== state) {
    if (!QUIET.includes(state) || doubtful(picture)) document.querySelector(".panel").scrollTop = 0; // or its reason is out of sight
    told = { picture, state };
  }
  const parts = [];
  if (state === "waiting" || state === "working") parts.push(verdict("working", "Looking at it", "Usable? What is it? Where? Which pixels?"));
  if (state === "error") {
    parts.push(verdict("error", error.heading ?? "Something went wrong", error.message));
    if (error.again !== false) parts.push(button("Try again", () => bench.again(picture, picture.anyway)));
  }
  if (doubtful(picture)) parts.push(verdict("doubtful", "Cut out, with doubts", summary(picture), "Look at “Unsure edges” before you use it."));
  else if (state === "ok") parts.push(verdict("ok", picture.matte ? "Cut out, corrected by you" : "Cut out", picture.matte ? "" : summary(picture)));
  if (state === "filtered" || state === "failed") {
    const { heading, means, remedy } = meaning(answer.reason, answer.detail);
    parts.push(verdict(state, heading, means, remedy));
    if (answer.stage === "filter" && state === "filtered") parts.push(button("Cut out anyway", () => bench.again(picture, true)));
    if (answer.reason === "internal_error") parts.push(button("Try again", () => bench.again(picture)));
  }
  if (answer) parts.push(facts(picture));
  $("found").replaceChildren(...parts.filter(Boolean));
  const measured = answer ? [times(answer.seconds ?? {}), quality(answer)].filter(Boolean) : [];
  $("measured").replaceChildren(...measured);
  $("measured").hidden = !measured.length;
}

function verdict(state, heading, text, remedy = "") {
  return h("div", { class: `verdict ${state}` },
    h("h3", {}, h("span", { class: "dot", "aria-hidden": "true" }), heading),
    text ? h("p", {}, text) : null, remedy ? h("p", { class: "remedy" }, remedy) : null);
}

const button = (text, onclick) => h("button", { type: "button", class: "again", onclick }, text);

function count(answer, label) {
  return (answer.boxes ?? []).filter((box) => box.label === label).length;
}

function summary({ answer, subjects }) {
  const left = count(answer, "text") + count(answer, "logo");
  const what = subjects > 1 ? `${subjects} subjects` : "The subject";
  return `${what} with ${subjects > 1 ? "their" : "its"} own colours along the edge${left ? "; text and logos are left out" : ""}.`;
}

function facts({ answer, subjects }) {
  const rows = [];
  if (answer.category) {
    const kind = KINDS[answer.category] ?? answer.category;
    const unsure = answer.category_score < UNSURE;
    rows.push(["Category", `${unsure ? `Perhaps ${kind.replaceAll("_", " ")}` : title(kind)}, ${percent(answer.category_score)}`, answer.category_score]);
  }
  if (typeof answer.confidence === "number") rows.push(["Edges", `${percent(answer.confidence)} sure`, answer.confidence]);
  if (answer.coarse_model && answer.coarse_model !== "own") rows.push(["Found by", answer.coarse_model]);
  if (subjects) rows.push(["Cut out", many(subjects, "subject")]);
  const left = [[count(answer, "text"), "piece of text", "pieces of text"], [count(answer, "logo"), "logo"]].filter(([n]) => n);
  if (left.length) rows.push(["Left out", left.map((each) => many(...each)).join(", ")]);
  if (answer.width) rows.push(["Size", `${answer.width} × ${answer.height} pixels`]);
  return rows.length ? h("dl", { class: "facts" }, rows.map(([name, value, share]) => h("div", {},
    h("dt", {}, name), h("dd", {}, value, typeof share === "number" ? bar(share) : null)))) : null;
}

function times(spent) {
  const rows = Object.entries(spent).filter(([, s]) => s >= 0.001);
  if (!rows.length) return null;
  const total = rows.reduce((sum, [, s]) => sum + s, 0);
  const most = Math.max(...rows.map(([, s]) => s), 1e-9);
  return h("details", { class: "fold", open: true },
    h("summary", {}, "Time", h("span", {}, seconds(total))),
    h("ul", { class: "bars" }, rows.map(([stage, s]) => h("li", {},
      h("span", {}, STAGES[stage] ?? title(stage)), bar(s / most), h("span", {}, seconds(s))))));
}

function quality({ quality: found = {} }) {
  const rows = Object.entries(DEFECTS).filter(([name]) => typeof found[name] === "number");
  if (!rows.length) return null;
  return h("details", { class: "fold" },
    h("summary", {}, "Faults", h("span", {}, "how likely")),
    h("ul", { class: "bars" }, rows.map(([name, label]) => h("li", {},
      h("span", {}, label), bar(found[name]), h("span", {}, percent(found[name]))))));
}

function bar(share) {
  const fill = h("i");
  fill.style.width = `${Math.max(1, Math.min(100, 100 * share))}%`;
  return h("span", { class: "meter", "aria-hidden": "true" }, fill);
}
