// How pictures get in: a file dialog, drag and drop (folders too), paste, addresses on the web, and samples to try.
import { $, many } from "./dom.js";
import { MOST, bench } from "./pictures.js";
import { say, toast } from "./tell.js";

export function setUpIntake() {
  for (const id of ["choose", "add"]) $(id).addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = ""; // the same file may be chosen again
  });
  addEventListener("paste", ({ target, clipboardData: data }) => {
    if (data?.files.length) take([...data.files]);
    else if (data && !target.closest?.("input, textarea, dialog")) takeText(data.getData("text/plain"));
  });
  for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => takeSample(button.dataset.sample));
  setUpDrop();
}

function setUpDrop() {
  let depth = 0; // dragenter and dragleave come for every element on the way
  let own = false; // what is dragged out of the page is not for it
  const show = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const isTaken = ({ dataTransfer }) => !own && ["Files", "text/uri-list", "text/plain"].some((type) => dataTransfer?.types.includes(type));
  addEventListener("dragstart", () => { own = true; });
  addEventListener("dragend", () => { own = false; });
  addEventListener("dragenter", (event) => isTaken(event) && show(1));
  addEventListener("dragleave", (event) => isTaken(event) && show(-1));
  addEventListener("dragover", (event) => isTaken(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!isTaken(event)) return;
    event.preventDefault();
    show(-Infinity);
    const { items, files: list } = event.dataTransfer;
    const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...list]; // after the first await both lists are empty
    if (!files.length) takeText(event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain"));
    else take(entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(inside))).flat() : files);
  });
}

function take(sources) {
  const taken = bench.add(sources);
  if (taken) say(`${many(taken, "picture")} added`);
  if (taken < sources.length) toast(`${many(sources.length - taken, "picture was", "pictures were")} left out: the page holds ${MOST} at a time.`);
}

// Addresses, one a line; in a list of them (RFC 2483) lines with # are remarks.
function takeText(text) {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  const addresses = lines.filter((line) => URL.canParse(line) && /^https?:$/.test(new URL(line).protocol));
  if (!lines.length || addresses.length < lines.length) {
    toast("That is neither a picture nor the address of one. Addresses begin with http:// or https://");
  }
  if (addresses.length) take(addresses.map((address) => ({ address, name: nameOf(new URL(address)) })));
}

function nameOf({ pathname, hostname }) {
  const last = pathname.split("/").pop();
  try {
    return decodeURIComponent(last) || hostname;
  } catch {
    return last; // a stray percent sign
  }
}

async function takeSample(path) {
  try {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(answer.status);
    const name = path.split("/").pop();
    take([new File([await answer.blob()], name, { type: "image/jpeg" })]);
  } catch {
    toast("The sample could not be loaded. Try again in a moment.");
  }
}

async function inside(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    found.push(...some);
  }
  const files = (await Promise.all(found.map(inside))).flat();
  return files.filter((file) => !file.name.startsWith("."));
}
