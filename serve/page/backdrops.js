// What the cut-out lies on: a checkerboard, white, black, a colour or a photo.
import { $ } from "./dom.js";

let photo = null;

export function setUpBackdrops() {
  const frame = $("frame");
  $("backdrops").addEventListener("change", (event) => {
    if (event.target.name !== "backdrop") return;
    if (event.target.value === "photo" && !photo) $("photo-file").click();
    frame.dataset.backdrop = event.target.value;
  });
  $("color").addEventListener("input", (event) => {
    document.documentElement.style.setProperty("--picked", event.target.value);
    choose("color");
  });
  $("photo").addEventListener("click", () => $("photo-file").click());
  $("photo-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    if (photo) URL.revokeObjectURL(photo);
    photo = URL.createObjectURL(file);
    document.documentElement.style.setProperty("--photo", `url("${photo}")`);
    choose("photo");
  });
}

function choose(name) {
  document.querySelector(`[name=backdrop][value=${name}]`).checked = true;
  $("frame").dataset.backdrop = name;
}
