// What the cut-out lies on: nothing, white, black, a colour or a photo. It is shown so, and saved so.
import { $ } from "./dom.js";

export const backdrops = new EventTarget(); // tells "changing" while a colour is looked for, and "changed"

const PLAIN = { white: "#ffffff", black: "#000000" };
const QUALITY = 0.95; // of a WebP that is written again
const GROUNDS = 3; // on how many a file is kept
const LASTS = 250; // milliseconds without another colour before files are made anew
const NAMES = { checker: "transparent", white: "on white", black: "on black", color: "on your colour", photo: "on your photo" };

let name = "checker";
let photo = null; // {file, url}

export function setUpBackdrops() {
  $("backdrops").addEventListener("change", (event) => {
    if (event.target.name !== "backdrop") return;
    name = event.target.value;
    changed();
  });
  // by pointer alone: arrow keys go through the choices, and must not open dialogs on their way
  $("backdrop-photo").addEventListener("click", (event) => event.detail && !photo && $("photo-file").click());
  let timer = 0;
  $("color").addEventListener("input", (event) => {
    document.documentElement.style.setProperty("--picked", event.target.value);
    backdrops.dispatchEvent(new Event("changing"));
    clearTimeout(timer);
    timer = setTimeout(changed, LASTS);
  });
  $("photo").addEventListener("click", () => $("photo-file").click());
  $("photo-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    if (photo) URL.revokeObjectURL(photo.url);
    photo = { file, url: URL.createObjectURL(file) };
    document.documentElement.style.setProperty("--photo", `url("${photo.url}")`);
    changed();
  });
  changed();
}

function changed() {
  $("frame").dataset.backdrop = kind();
  $("color").hidden = name !== "color";
  $("photo").hidden = name !== "photo";
  $("photo").textContent = photo ? "Change photo…" : "Choose photo…";
  $("saved-as").textContent = `Cut-outs are saved as shown: ${NAMES[kind()]}.`;
  backdrops.dispatchEvent(new Event("changed"));
}

const kind = () => (name === "photo" && !photo ? "checker" : name); // no photo yet

// What is shown now, to be laid under files: null if nothing is, else {key, color} or {key, photo}.
export function ground() {
  if (kind() === "checker") return null;
  if (kind() === "photo") return { key: photo.url, photo: photo.file };
  const color = kind() === "color" ? $("color").value : PLAIN[kind()];
  return { key: color, color };
}

// A product's file, {blob, url, …}, on a ground if it is transparent somewhere. The last few are kept with the file.
export async function onGround(file, under) {
  if (!under || !(await hasAlpha(file.blob))) return file;
  file.laid ??= new Map();
  if (!file.laid.has(under.key)) {
    file.laid.set(under.key, laid(file.blob, under).then((blob) => ({ blob, url: URL.createObjectURL(blob) })));
    const [[oldest, made]] = file.laid;
    if (file.laid.size > GROUNDS) {
      file.laid.delete(oldest);
      made.then(({ url }) => URL.revokeObjectURL(url), () => {});
    }
  }
  return { ...file, ...(await file.laid.get(under.key)) };
}

async function laid(blob, { color, photo: behind }) {
  const image = await createImageBitmap(blob);
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This picture is too large for this browser to lay it on a background. Save it transparent.");
  if (behind) {
    const picture = await createImageBitmap(behind);
    const scale = Math.max(width / picture.width, height / picture.height); // as `cover` has it
    const [w, t] = [picture.width * scale, picture.height * scale];
    context.drawImage(picture, (width - w) / 2, (height - t) / 2, w, t);
    picture.close();
  } else {
    context.fillStyle = color;
    context.fillRect(0, 0, width, height);
  }
  context.drawImage(image, 0, 0);
  image.close();
  return canvas.convertToBlob({ type: blob.type, quality: QUALITY });
}

// Whether a PNG or WebP has an alpha channel, by its header.
async function hasAlpha(blob) {
  const head = new Uint8Array(await blob.slice(0, 32).arrayBuffer());
  if (blob.type === "image/png") return Boolean(head[25] & 4); // the colour type
  const chunk = String.fromCharCode(...head.slice(12, 16));
  return blob.type === "image/webp" && ((chunk === "VP8X" && Boolean(head[20] & 16)) || (chunk === "VP8L" && Boolean(head[24] & 16)));
}
