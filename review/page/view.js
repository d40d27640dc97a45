// The picture: what of it is shown, on which ground, how large.
import { $ } from "/page/dom.js";
import { setUpSlider } from "/page/slider.js";
import { blob } from "./api.js";

const VIEWS = ["cut", "compare", "source"];
const KEPT = 6; // pictures whose images are held
const images = new Map(); // address asked for -> promise of the blob's address

let picture = null;
let view = "cut";
let whole = false;
let turn = 0; // of what is shown: an image that comes late is of no use any more

const address = (what, one, all) => `/api/${what}?${new URLSearchParams({ id: one.id, version: one.version, ...(all && { whole: 1 }) })}`;

function image(path) {
  if (!images.has(path)) {
    const coming = blob(path).then((data) => URL.createObjectURL(data));
    coming.catch(() => images.delete(path)); // asked for again the next time
    images.set(path, coming);
    while (images.size > 2 * KEPT) {
      const [oldest, old] = images.entries().next().value;
      images.delete(oldest);
      old.then(URL.revokeObjectURL, () => {});
    }
  }
  return images.get(path);
}

export function fetchAhead(one) {
  if (one.status === "ok") image(address("cut", one)).catch(() => {});
  image(address("source", one)).catch(() => {});
}

export function setUpView() {
  setUpSlider();
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => setView(button.dataset.view));
  for (const input of document.querySelectorAll("[name=ground]")) input.addEventListener("change", ground);
  $("color").addEventListener("input", ground);
  $("zoom").addEventListener("click", zoom);
  $("color").value = localStorage.getItem("ground-color") ?? $("color").value;
  const kept = document.querySelector(`[name=ground][value="${localStorage.getItem("ground") ?? "checker"}"]`);
  if (kept) kept.checked = true;
  ground();
}

export function nextView() {
  setView(VIEWS[(VIEWS.indexOf(view) + 1) % VIEWS.length]);
  return document.querySelector(`[data-view=${view}]`).textContent;
}

export function nextGround() {
  const all = [...document.querySelectorAll("[name=ground]")];
  const next = all[(all.findIndex((input) => input.checked) + 1) % all.length];
  next.checked = true;
  ground();
  return next.parentElement.title;
}

export function zoom() {
  whole = !whole;
  draw();
}

export function show(one) {
  picture = one;
  whole = false;
  return draw();
}

function setView(name) {
  view = name;
  draw();
}

function ground() {
  const chosen = document.querySelector("[name=ground]:checked").value;
  $("frame").dataset.backdrop = chosen;
  $("color").hidden = chosen !== "color";
  document.documentElement.style.setProperty("--picked", $("color").value);
  localStorage.setItem("ground", chosen);
  localStorage.setItem("ground-color", $("color").value);
}

async function draw() {
  if (!picture) return;
  const mine = ++turn;
  const cut = picture.status === "ok";
  const shown = cut ? view : "source";
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === shown));
    button.disabled = !cut && button.dataset.view !== "source";
  }
  $("zoom").setAttribute("aria-pressed", String(whole));
  const frame = $("frame");
  frame.style.setProperty("--width", picture.width || 4);
  frame.style.setProperty("--height", picture.height || 3);
  frame.style.setProperty("--actual", `${picture.width / devicePixelRatio}px`);
  $("viewport").classList.toggle("actual", whole);
  frame.classList.toggle("alone", shown !== "compare");
  for (const id of ["slider", "divider"]) $(id).hidden = shown !== "compare";
  $("message").hidden = true;
  const busy = setTimeout(() => { $("busy").hidden = mine !== turn; }, 200);
  try {
    await Promise.all([
      put($("after"), shown !== "source" && image(address("cut", picture, whole)), mine, `What was cut out of ${picture.id}`),
      put($("before"), shown !== "cut" && image(address("source", picture, whole)), mine, `${picture.id} as it was`),
    ]);
    if (mine === turn) document.body.dataset.shown = `${picture.id} ${shown}`;
  } catch (error) {
    if (mine === turn) {
      $("message").textContent = `${error.heading ?? "This picture cannot be shown"}. ${error.message}`;
      $("message").hidden = false;
      document.body.dataset.shown = `${picture.id} nothing`;
    }
  } finally {
    clearTimeout(busy);
    if (mine === turn) $("busy").hidden = true;
  }
}

async function put(element, coming, mine, alt) {
  if (!coming) {
    element.hidden = true;
    return;
  }
  const url = await coming.catch((error) => {
    if (mine === turn) element.hidden = true;
    throw error;
  });
  if (mine !== turn) return;
  element.src = url;
  element.alt = alt;
  await element.decode();
  if (mine === turn) element.hidden = false;
}
