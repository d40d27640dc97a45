// All pictures as a row of thumbnails. Arrow keys walk along it, Delete takes a picture off; what is taken off can come back.
import { $, h, many } from "./dom.js";
import { bench, outcome } from "./pictures.js";
import { toast } from "./tell.js";
import { doubtful } from "./words.js";

const rows = new Map();

export function setUpStrip() {
  bench.addEventListener("added", ({ detail: picture }) => {
    const image = h("img", { alt: "", loading: "lazy", draggable: false });
    image.onerror = () => { image.hidden = true; };
    if (picture.url) image.src = picture.url;
    else image.hidden = true;
    const button = h("button", { type: "button", class: "thumb", onclick: () => bench.select(picture) },
      image, h("span", { class: "badge", "aria-hidden": "true" }));
    const remove = h("button", {
      type: "button", class: "remove", tabIndex: -1, "aria-label": `Remove ${picture.name}`, title: "Remove",
      onclick: () => takeOff(picture),
    }, "×");
    rows.set(picture, h("li", {}, button, remove));
    $("strip").insertBefore(rows.get(picture), $("strip").children[bench.list.indexOf(picture)] ?? null);
    render(picture);
    count();
  });
  bench.addEventListener("changed", ({ detail: picture }) => {
    render(picture);
    count();
  });
  bench.addEventListener("removed", ({ detail: picture }) => {
    const had = rows.get(picture).contains(document.activeElement);
    rows.get(picture).remove();
    rows.delete(picture);
    if (had) (rows.get(bench.selected)?.firstChild ?? $("choose")).focus();
    count();
  });
  bench.addEventListener("selected", ({ detail: picture }) => {
    for (const other of rows.keys()) render(other);
    rows.get(picture)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  $("strip").addEventListener("keydown", walk);
  $("remove").addEventListener("click", () => takeOff(bench.selected));
  $("clear").addEventListener("click", () => takeOff(...bench.list));
  addEventListener("keydown", (event) => {
    const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    if (undo && !event.target.closest("input:not([type=checkbox], [type=radio], [type=range]), dialog") && back()) event.preventDefault();
  });
}

function takeOff(...pictures) {
  const had = $("bench").contains(document.activeElement);
  bench.remove(...pictures);
  if (had && !bench.selected) $("choose").focus();
  const what = pictures.length > 1 ? many(pictures.length, "picture") : pictures[0].name;
  toast(`${what} removed`, { label: "Undo", run: back });
}

function back() {
  const count = bench.undo();
  if (count) rows.get(bench.selected).firstChild.focus();
  return count;
}

function count() {
  const done = bench.list.filter((picture) => picture.state !== "waiting" && picture.state !== "working").length;
  $("progress").textContent = done < bench.list.length ? `${done} of ${bench.list.length} done` : many(done, "picture");
}

function render(picture) {
  const row = rows.get(picture);
  if (!row) return;
  const selected = bench.selected === picture;
  row.className = [picture.state, doubtful(picture) && "doubtful", selected && "selected"].filter(Boolean).join(" ");
  const button = row.firstChild;
  const image = button.querySelector("img");
  if (image.hidden && picture.cutout && image.src !== picture.cutout) { // no file of its own, or one that this browser cannot show
    image.src = picture.cutout;
    image.hidden = false;
  }
  button.setAttribute("aria-label", `${picture.name}: ${outcome(picture)}`);
  button.title = picture.name;
  if (selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.tabIndex = selected ? 0 : -1;
}

function walk(event) {
  const here = bench.list.indexOf(bench.selected);
  const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: bench.list.length - 1 }[event.key];
  if (event.key === "Delete" || event.key === "Backspace") takeOff(bench.selected);
  else if (to === undefined) return;
  else if (bench.list[to]) {
    bench.select(bench.list[to]);
    rows.get(bench.selected).firstChild.focus();
  }
  event.preventDefault();
}
