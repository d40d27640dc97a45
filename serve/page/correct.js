// The selected picture in the editor, over the whole page.
import { correct } from "./api.js";
import { $ } from "./dom.js";
import { openEditor } from "./editor.js";
import { alphaOf } from "./matte.js";
import { bench } from "./pictures.js";
import { subjectsOf } from "./subjects.js";
import { say, toast } from "./tell.js";

let editor = null;

export function setUpCorrect() {
  $("correct").addEventListener("click", () => open(bench.selected).catch((error) => toast(`The picture cannot be corrected here. ${error.message}`)));
  for (const name of ["selected", "changed"]) bench.addEventListener(name, render);
  $("editor").addEventListener("cancel", (event) => { // Escape: what was done is not thrown away by a key
    if (!editor?.dirty) return;
    event.preventDefault();
    say("Press Done to keep the corrections, or Cancel to drop them.");
  });
  $("editor").addEventListener("close", () => {
    editor?.close();
    editor = null;
  });
}

function render() {
  const picture = bench.selected;
  $("correct").disabled = !(picture?.state === "ok" && picture.file && picture.cutout);
}

async function open(picture) {
  $("correct").disabled = true; // until it is there
  try {
    const [image, matte] = await Promise.all([bitmapOf(picture), picture.matte ?? alphaOf(picture.made.get("cutout {}")[0].blob)]);
    $("editor").showModal();
    editor = openEditor($("editor"), {
      picture: image, matte, say, subjects: subjectsOf(picture.answer),
      correct: (wanted) => correct(picture, wanted),
      done: (mended) => done(picture, mended),
    });
  } finally {
    render();
  }
}

async function bitmapOf(picture) {
  let image;
  try {
    image = await createImageBitmap(picture.file);
  } catch {
    throw new Error("This browser cannot show the file itself.");
  }
  const { width, height } = picture.answer;
  if (image.width !== width || image.height !== height) throw new Error("This browser shows it in another size.");
  return image;
}

async function done(picture, mended) {
  $("editor").close();
  if (!mended) return;
  try {
    await bench.correct(picture, mended);
    say(`${picture.name}: corrected`);
  } catch (error) {
    toast(`${picture.name}: ${error.heading ?? "That did not work"}. ${error.message}`);
  }
}
