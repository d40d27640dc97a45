// What lies over the picture: boxes, and where the matte is unsure.
import { $, h, percent } from "./dom.js";

const [CALM, TOSSED] = [16, 128]; // expected error that is not worth showing, and that of a coin toss, of 255

// Frames and labels of what was found; none if not to be shown.
export function renderBoxes({ answer }, shown) {
  const found = shown && answer ? answer.boxes ?? [] : [];
  $("boxes").hidden = !found.length;
  $("boxes").replaceChildren(...found.map((box) => {
    const element = h("div", { class: `box ${box.label}${box.y0 < 0.05 * answer.height ? " high" : ""}` }, h("span", {}, `${box.label} ${percent(box.score)}`));
    const share = (value, whole) => `${(100 * value) / whole}%`;
    element.style.left = share(box.x0, answer.width);
    element.style.top = share(box.y0, answer.height);
    element.style.width = share(box.x1 - box.x0, answer.width);
    element.style.height = share(box.y1 - box.y0, answer.height);
    return element;
  }));
}

// The expected error of the matte, as a colour over the picture.
export function renderUnsure(picture, shown) {
  const canvas = $("unsure");
  canvas.hidden = !(shown && picture.unsure);
  if (canvas.hidden || canvas.dataset.of === picture.unsure) return;
  canvas.dataset.of = picture.unsure;
  const image = new Image();
  image.onload = () => {
    if (canvas.dataset.of !== picture.unsure) return; // another picture is shown by now
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
