// The picture in large: before and after under a slider, backgrounds, boxes, where the matte is unsure, 1:1.
import { $, h, percent } from "./dom.js";
import { bench } from "./pictures.js";
import { chosen, make, products } from "./products.js";
import { setUpBackdrops } from "./backdrops.js";

const [CALM, TOSSED] = [16, 128]; // expected error that is not worth showing, and that of a coin toss, of 255
const MOST_ENLARGED = 2;
let view = "compare"; // or a product's name
let shown = null; // what stands in the frame: picture and view; a change resets the slider
const overlays = { boxes: false, unsure: false };

export function setUpViewer() {
  setUpBackdrops();
  setUpSlider();
  setUpToggles();
  bench.addEventListener("selected", render);
  bench.addEventListener("changed", (event) => event.detail === bench.selected && render());
  products.addEventListener("changed", render);
}

function render() {
  const picture = bench.selected;
  if (!picture) return;
  $("picture-name").textContent = picture.name;
  $("picture-name").title = picture.name;
  const working = picture.state === "waiting" || picture.state === "working";
  $("busy").hidden = !working;
  $("busy").textContent = picture.state === "waiting" ? "Waiting its turn…" : "Cutting out…";
  if (!chosen().some((product) => product.name === view)) view = "compare";
  renderViews(picture);
  if (view !== "compare" && picture.state === "ok") showProduct(picture, view);
  else showPicture(picture);
}

function renderViews(picture) {
  const names = [{ name: "compare", title: "Compare" }, ...chosen()];
  const disabled = picture.state !== "ok";
  $("views").hidden = names.length < 2 || disabled;
  const had = $("views").contains(document.activeElement);
  $("views").replaceChildren(...names.map(({ name, title }) => h("button", {
    type: "button", "aria-pressed": String(view === name),
    onclick: () => { view = name; render(); },
  }, title)));
  if (had) $("views").querySelector("[aria-pressed=true]").focus();
}

function showPicture(picture) {
  const ok = picture.state === "ok";
  const isNew = shown !== `${picture.number} compare ${ok}`;
  shown = `${picture.number} compare ${ok}`;
  place($("before"), picture.url, ok ? `${picture.name}, original` : picture.name);
  place($("after"), picture.cutout, `${picture.name}, cut out`);
  if (picture.answer?.width) size(picture.answer.width, picture.answer.height);
  for (const part of [$("slider"), $("divider")]) part.hidden = !ok;
  $("frame").classList.toggle("alone", !ok);
  $("show-boxes").disabled = !picture.answer?.boxes?.length;
  $("show-unsure").disabled = !picture.unsure;
  renderBoxes(picture);
  renderUnsure(picture);
  if (isNew && ok) reveal();
}

async function showProduct(picture, name) {
  const now = `${picture.number} ${name}`;
  if (!shown?.startsWith(now)) {
    for (const part of ["before", "slider", "divider", "boxes", "unsure"]) $(part).hidden = true;
    $("show-boxes").disabled = true;
    $("show-unsure").disabled = true;
    $("frame").classList.add("alone");
    $("message").hidden = true;
  }
  shown = now;
  $("busy").hidden = false;
  $("busy").textContent = "Making it…";
  try {
    const { url } = (await make(picture, [name])).get(name)[0];
    if (shown === now && view === name) place($("after"), url, `${picture.name}, ${name.replaceAll("_", " ")}`, true);
  } catch (error) {
    if (shown === now) message(`${error.heading ?? "That did not work"}. ${error.message}`);
  }
  if (shown === now) $("busy").hidden = true;
}

function place(image, url, alt, resize = false) {
  image.hidden = !url;
  image.alt = alt;
  if (!url || image.getAttribute("src") === url) {
    if (url && resize) size(image.naturalWidth, image.naturalHeight);
    return;
  }
  $("message").hidden = true;
  image.onload = () => {
    if (resize || (image.id === "before" && !bench.selected?.answer?.width)) size(image.naturalWidth, image.naturalHeight);
  };
  image.onerror = () => {
    image.hidden = true;
    if (image.id !== "before") return;
    const cut = Boolean(bench.selected?.cutout);
    if (!cut) size(4, 3);
    $("slider").hidden = $("divider").hidden = true;
    $("frame").classList.add("alone");
    if (!cut) message("This browser cannot show the file itself.");
  };
  image.src = url;
}

function size(width, height) {
  const style = $("frame").style;
  style.setProperty("--width", width);
  style.setProperty("--height", height);
  style.setProperty("--most", `${width * MOST_ENLARGED}px`);
  style.setProperty("--actual", `${width / devicePixelRatio}px`);
}

function message(text) {
  $("message").textContent = text;
  $("message").hidden = false;
}

// ---- the slider: a range input for keyboards and screen readers, the whole picture for pointers

function setUpSlider() {
  const slider = $("slider");
  const frame = $("frame");
  slider.addEventListener("input", () => split(Number(slider.value)));
  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    split(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
  };
  frame.addEventListener("pointerdown", (event) => {
    if (slider.hidden || event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    frame.classList.remove("reveal");
    follow(event);
    slider.focus({ preventScroll: true });
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => frame.hasPointerCapture(event.pointerId) && follow(event));
}

function split(value) {
  $("slider").value = Math.round(value);
  $("slider").setAttribute("aria-valuetext", `${Math.round(value)} % original`);
  $("frame").style.setProperty("--split", `${value}%`);
}

function reveal() {
  const frame = $("frame");
  frame.classList.remove("reveal");
  split(100);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    frame.classList.add("reveal");
    split(50);
  }));
}

// ---- over the picture

function setUpToggles() {
  for (const [id, name] of [["show-boxes", "boxes"], ["show-unsure", "unsure"]]) {
    $(id).addEventListener("click", () => {
      overlays[name] = !overlays[name];
      $(id).setAttribute("aria-pressed", overlays[name]);
      render();
    });
  }
  $("zoom").addEventListener("click", () => {
    const actual = $("viewport").classList.toggle("actual");
    $("zoom").setAttribute("aria-pressed", actual);
    const port = $("viewport");
    port.scrollTo((port.scrollWidth - port.clientWidth) / 2, (port.scrollHeight - port.clientHeight) / 2);
  });
  bench.addEventListener("selected", (event) => { $("zoom").disabled = !event.detail; });
}

function renderBoxes({ answer }) {
  const found = overlays.boxes && answer ? answer.boxes ?? [] : [];
  $("boxes").hidden = !found.length;
  $("boxes").replaceChildren(...found.map((box) => {
    const element = h("div", { class: `box ${box.label}` }, h("span", {}, `${box.label} ${percent(box.score)}`));
    const share = (value, whole) => `${(100 * value) / whole}%`;
    element.style.left = share(box.x0, answer.width);
    element.style.top = share(box.y0, answer.height);
    element.style.width = share(box.x1 - box.x0, answer.width);
    element.style.height = share(box.y1 - box.y0, answer.height);
    return element;
  }));
}

function renderUnsure(picture) {
  const canvas = $("unsure");
  canvas.hidden = !(overlays.unsure && picture.unsure);
  if (canvas.hidden || canvas.dataset.of === picture.unsure) return;
  canvas.dataset.of = picture.unsure;
  const image = new Image();
  image.onload = () => {
    const scale = Math.min(1, 1200 / Math.max(image.naturalWidth, image.naturalHeight));
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      pixels.data[i + 3] = 220 * Math.min(1, Math.max(0, (pixels.data[i] - CALM) / (TOSSED - CALM)));
      pixels.data.set([255, 46, 147], i);
    }
    context.putImageData(pixels, 0, 0);
  };
  image.src = picture.unsure;
}
