// Everything in one zip: every picture that was cut out, in every chosen product.
import { $, h, many } from "./dom.js";
import { fileName, unique } from "./names.js";
import { bench } from "./pictures.js";
import { chosen, make, order, products } from "./products.js";
import { say, toast } from "./tell.js";
import { zip } from "./zip.js";

let packing = false;

export function setUpDownload() {
  $("download").addEventListener("click", download);
  for (const name of ["added", "changed", "removed"]) bench.addEventListener(name, render);
  products.addEventListener("changed", render);
}

const ready = () => bench.list.filter((picture) => picture.state === "ok");

function render() {
  if (packing) return;
  const count = ready().length * chosen().length;
  $("download").disabled = !count;
  label("Download", count > 1 ? ` all (${count})` : "");
}

// What narrow screens show of the button, and what wide ones and screen readers have besides.
function label(text, more) {
  $("download").replaceChildren(text, h("span", { class: "wide" }, more));
}

async function download() {
  const [pictures, wanted] = [ready(), order()]; // the same for all, whatever is changed meanwhile
  const several = Object.keys(wanted.options).length > 1;
  packing = true;
  $("download").disabled = true;
  const files = [];
  const taken = new Set();
  const failed = [];
  for (const [done, picture] of pictures.entries()) {
    label("Packing", ` ${done + 1} of ${pictures.length}…`);
    try {
      for (const [name, made] of await make(picture, wanted)) {
        for (const { blob, suffix, extension } of made) {
          const file = fileName(picture.name, suffix, extension);
          files.push({ name: unique(several ? `${name}/${file}` : file, taken), blob });
        }
      }
    } catch {
      failed.push(picture.name);
    }
  }
  try {
    if (files.length === 1) save(files[0].blob, files[0].name.split("/").pop());
    else if (files.length) save(await zip(files), "hairline.zip");
    if (files.length) say(`${many(files.length, "file")} saved`);
    if (failed.length) toast(`Not in the download: ${failed.join(", ")}. Try again, or look at what their products say.`);
  } catch (error) {
    toast(error.message);
  }
  packing = false;
  render();
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
