// The picture in large: before and after under a slider, backgrounds, boxes, where the matte is unsure, 1:1.
import { backdrops, setUpBackdrops } from "./backdrops.js";
import { $, h } from "./dom.js";
import { renderBoxes, renderUnsure } from "./overlays.js";
import { bench } from "./pictures.js";
import { chosen, make, order, products } from "./products.js";
import { reveal, setUpSlider } from "./slider.js";

const MOST_ENLARGED = 2;
let view = "compare"; // or a product's name
let shown = null; // what stands in the frame: picture and view; a change resets the slider
const unviewable = new Set(); // URLs of files that this browser cannot show, TIFF mostly
const overlays = { boxes: false, unsure: false };

export function setUpViewer() {
  setUpBackdrops();
  setUpSlider();
  setUpToggles();
  for (const image of [$("before"), $("after")]) image.addEventListener("load", () => fit(image));
  $("before").addEventListener("error", () => {
    unviewable.add($("before").getAttribute("src"));
    render();
  });
  bench.addEventListener("selected", render);
  bench.addEventListener("changed", (event) => event.detail === bench.selected && render());
  for (const choice of [products, backdrops]) choice.addEventListener("changed", render);
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
  const viewable = Boolean(picture.url) && !unviewable.has(picture.url);
  const now = `${picture.number} compare ${ok}`;
  const isNew = shown !== now;
  shown = now;
  if (picture.answer?.width) size(picture.answer.width, picture.answer.height);
  place($("before"), viewable ? picture.url : null, ok ? `${picture.name}, original` : picture.name);
  place($("after"), picture.cutout, `${picture.name}, cut out`);
  const comparable = ok && viewable;
  for (const part of [$("slider"), $("divider")]) part.hidden = !comparable;
  $("frame").classList.toggle("alone", !comparable);
  $("frame").hidden = !viewable && !picture.cutout;
  message($("frame").hidden ? withoutPicture(picture) : "");
  $("show-boxes").disabled = !picture.answer?.boxes?.length;
  $("show-unsure").disabled = !picture.unsure;
  renderBoxes(picture, overlays.boxes);
  renderUnsure(picture, overlays.unsure);
  if (isNew && comparable) reveal();
}

function withoutPicture({ file, state }) {
  if (file) return "This browser cannot show the file itself.";
  return state === "waiting" || state === "working" ? "" : "The service asked for this picture; the page has none to show.";
}

let asked = 0;
async function showProduct(picture, name) {
  asked += 1;
  const mine = asked;
  const isWanted = () => shown === now && mine === asked;
  const now = `${picture.number} ${name}`;
  if (shown !== now) {
    for (const part of ["before", "after", "slider", "divider", "boxes", "unsure"]) $(part).hidden = true;
    for (const button of ["show-boxes", "show-unsure"]) $(button).disabled = true;
    $("frame").classList.add("alone");
    $("frame").hidden = false;
    message("");
  }
  shown = now;
  $("busy").hidden = false;
  $("busy").textContent = "Making it…";
  try {
    const { url } = (await make(picture, order([name]))).get(name)[0];
    if (isWanted()) place($("after"), url, `${picture.name}, ${name.replaceAll("_", " ")}`);
  } catch (error) {
    if (isWanted()) message(`${error.heading ?? "That did not work"}. ${error.message}`);
  }
  if (isWanted()) $("busy").hidden = true;
}

function place(image, url, alt) {
  image.hidden = !url;
  image.alt = alt;
  if (url && image.getAttribute("src") !== url) image.src = url;
  else if (url) fit(image);
}

// The frame takes the form of a product, and of a picture of which the service has not said its size.
function fit(image) {
  if (!image.naturalWidth) return;
  if (view !== "compare" ? image.id === "after" : !bench.selected?.answer?.width) size(image.naturalWidth, image.naturalHeight);
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
  $("message").hidden = !text;
}

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
