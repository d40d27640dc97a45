// What the cut-out lies on: a checkerboard, white, black, a colour or a photo.
import { $ } from "./dom.js";

let photo = null;

export function setUpBackdrops() {
  $("backdrops").addEventListener("change", (event) => {
    if (event.target.name !== "backdrop") return;
    if (event.target.value === "photo" && !photo) $("photo-file").click();
    show(event.target.value);
  });
  $("color").addEventListener("input", (event) => {
    document.documentElement.style.setProperty("--picked", event.target.value);
  });
  $("photo").addEventListener("click", () => $("photo-file").click());
  $("photo-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    if (photo) URL.revokeObjectURL(photo);
    photo = URL.createObjectURL(file);
    document.documentElement.style.setProperty("--photo", `url("${photo}")`);
  });
}

function show(name) {
  $("frame").dataset.backdrop = name;
  $("color").hidden = name !== "color";
  $("photo").hidden = name !== "photo";
}
