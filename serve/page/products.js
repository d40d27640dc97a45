// Which products are made, with which options; and those of the selected picture, ready to be saved.
import { listProducts } from "./api.js";
import { backdrops, ground, onGround } from "./backdrops.js";
import { $, bytes, h } from "./dom.js";
import { makeAll } from "./made.js";
import { fileName } from "./names.js";
import { bench } from "./pictures.js";
import { field } from "./schema.js";
import { toast } from "./tell.js";

export const products = new EventTarget(); // tells "changed"
const rows = new Map(); // name -> {title, box, fields, result}

// The chosen ones, as [{name, title}].
export function chosen() {
  return [...rows].filter(([, row]) => row.box.checked).map(([name, row]) => ({ name, title: row.title }));
}

// {name: options that differ from the defaults}
export function wanted(names = chosen().map((product) => product.name)) {
  return Object.fromEntries(names.map((name) => {
    const changed = [...rows.get(name).fields].filter(([, one]) => JSON.stringify(one.read()) !== one.start);
    return [name, Object.fromEntries(changed.map(([option, one]) => [option, one.read()]))];
  }));
}

// What is to be made now: which products, with which options, on which ground.
export const order = (names = chosen().map((product) => product.name)) => ({ options: wanted(names), under: ground() });

// A map from each product of an order to its files.
export async function make(picture, { options, under }) {
  const made = await makeAll(picture, options, () => bench.made(picture));
  const laid = [...made].map(async ([name, files]) => [name, await Promise.all(files.map((file) => onGround(file, under)))]);
  return new Map(await Promise.all(laid));
}

export async function setUpProducts() {
  bench.wanted = wanted;
  bench.addEventListener("selected", renderSoon);
  bench.addEventListener("changed", (event) => event.detail === bench.selected && renderSoon());
  backdrops.addEventListener("changing", unsettle);
  backdrops.addEventListener("changed", renderSoon);
  await load();
}

async function load() {
  try {
    const list = await listProducts();
    $("product-list").replaceChildren(...list.map(row));
    products.dispatchEvent(new Event("changed"));
  } catch (error) {
    $("product-list").replaceChildren(h("p", { class: "mute" }, "The list of products could not be loaded. "),
      h("button", { type: "button", onclick: load }, "Try again"));
    toast(`${error.heading}: ${error.message}`);
  }
}

function row({ name, title, options }, place) {
  const box = h("input", { type: "checkbox", checked: place === 0, onchange: changed });
  const fields = new Map();
  for (const [option, schema] of Object.entries(options.properties ?? {})) {
    const one = field(option, schema, options.$defs ?? {}, changed);
    if (one) fields.set(option, { ...one, start: JSON.stringify(one.read()) });
  }
  const result = h("div", { class: "result" });
  rows.set(name, { title, box, fields, result });
  const more = fields.size ? h("details", { class: "options" }, h("summary", { "aria-label": `Options of ${title}` }, "Options"),
    h("div", {}, [...fields.values()].map((one) => one.element))) : null;
  return h("div", { class: "product" }, h("label", { class: "pick" }, box, h("span", {}, title)), result, more);
}

function changed() {
  products.dispatchEvent(new Event("changed"));
  renderSoon();
}

let timer = 0;
let making = 0;
function unsettle() {
  making += 1; // what is being made may no longer be what is wanted
  clearTimeout(timer);
  $("product-list").setAttribute("aria-busy", "true");
}

function renderSoon() {
  unsettle();
  timer = setTimeout(render, 60);
}

async function render() {
  const picture = bench.selected;
  const names = chosen().map((product) => product.name);
  for (const [name, { result }] of rows) if (!names.includes(name) || picture?.state !== "ok") result.replaceChildren();
  if (picture?.state !== "ok" || !names.length) return settle();
  making += 1;
  const mine = making;
  for (const name of names) if (!rows.get(name).result.firstChild) rows.get(name).result.replaceChildren(h("span", { class: "mute small" }, "…"));
  let files;
  try {
    files = await make(picture, order(names));
  } catch (error) {
    if (mine !== making) return undefined;
    for (const name of names) {
      rows.get(name).result.replaceChildren(h("button", { type: "button", class: "wrong", title: error.message, onclick: render }, "Try again"));
    }
    toast(`${error.heading ?? "That did not work"}: ${error.message}`);
    return settle();
  }
  if (mine !== making) return undefined; // something else is wanted by now
  for (const [name, made] of files) {
    const { blob, url, extension } = made[0];
    const file = fileName(picture.name, `-${name}`, extension);
    rows.get(name).result.replaceChildren(
      h("a", { class: "save", href: url, download: file, "aria-label": `Download ${file}, ${bytes(blob.size)}`, title: file }, bytes(blob.size)),
    );
  }
  return settle();
}

function settle() {
  $("product-list").setAttribute("aria-busy", "false");
}
