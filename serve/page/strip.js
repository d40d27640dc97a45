// All pictures as a row of thumbnails. Arrow keys walk along it, Delete takes a picture off.
import { $, h } from "./dom.js";
import { bench } from "./pictures.js";
import { meaning } from "./words.js";

const STATES = { waiting: "waiting", working: "being cut out", ok: "cut out", filtered: "not usable", failed: "failed", error: "error" };
const rows = new Map();

export function setUpStrip() {
  bench.addEventListener("added", ({ detail: picture }) => {
    const image = h("img", { src: picture.url, alt: "", loading: "lazy", draggable: false });
    image.onerror = () => { image.hidden = true; };
    const button = h("button", { type: "button", class: "thumb", onclick: () => bench.select(picture) },
      image, h("span", { class: "badge", "aria-hidden": "true" }));
    const remove = h("button", {
      type: "button", class: "remove", tabIndex: -1, "aria-label": `Remove ${picture.name}`, title: "Remove",
      onclick: () => bench.remove(picture),
    }, "×");
    rows.set(picture, h("li", {}, button, remove));
    $("strip").append(rows.get(picture));
    render(picture);
  });
  bench.addEventListener("changed", ({ detail: picture }) => render(picture));
  bench.addEventListener("removed", ({ detail: picture }) => {
    const had = rows.get(picture).contains(document.activeElement);
    rows.get(picture).remove();
    rows.delete(picture);
    if (had) (rows.get(bench.selected)?.firstChild ?? $("choose")).focus();
  });
  bench.addEventListener("selected", ({ detail: picture }) => {
    for (const other of rows.keys()) render(other);
    rows.get(picture)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  $("strip").addEventListener("keydown", walk);
}

function render(picture) {
  const row = rows.get(picture);
  if (!row) return;
  const selected = bench.selected === picture;
  const why = picture.state === "filtered" || picture.state === "failed" ? `, ${meaning(picture.answer.reason).heading}` : "";
  row.className = `${picture.state}${selected ? " selected" : ""}`;
  const button = row.firstChild;
  const image = button.querySelector("img");
  if (image.hidden && picture.cutout && image.src !== picture.cutout) { // this browser cannot show the file itself
    image.src = picture.cutout;
    image.hidden = false;
  }
  button.setAttribute("aria-label", `${picture.name}: ${STATES[picture.state]}${why}`);
  button.title = picture.name;
  if (selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.tabIndex = selected ? 0 : -1;
}

function walk(event) {
  const here = bench.list.indexOf(bench.selected);
  const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: bench.list.length - 1 }[event.key];
  if (event.key === "Delete" || event.key === "Backspace") bench.remove(bench.selected);
  else if (to === undefined) return;
  else if (bench.list[to]) {
    bench.select(bench.list[to]);
    rows.get(bench.selected).firstChild.focus();
  }
  event.preventDefault();
}
