// Mattes and strokes as PNGs, in the browser.

const OUTSIDE = 1.3; // of a box's size: how far around its middle a pixel may be of its subject

// A canvas of that size that is meant to be read.
export function canvasOf(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This picture is too large for this browser to correct it.");
  return [canvas, context];
}

// The alpha of a cut-out, a Blob, as a grey PNG.
export async function alphaOf(cutout) {
  const image = await createImageBitmap(cutout);
  const [canvas, context] = canvasOf(image.width, image.height);
  context.drawImage(image, 0, 0);
  image.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data.fill(pixels.data[at + 3], at, at + 3);
    pixels.data[at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

// A matte without the subjects that are left out, as a grey PNG; what is chosen again comes back from the first matte.
// A pixel is of the box in whose middle it lies most; one that is far from all boxes stays.
export async function chooseSubjects(matte, first, boxes, before, chosen) {
  const [now, then] = await Promise.all([read(matte), read(first)]);
  const { width, height, data } = now.pixels;
  const away = ({ x0, y0, x1, y1 }, x, y) => Math.max(Math.abs((2 * x - x0 - x1) / (x1 - x0)), Math.abs((2 * y - y0 - y1) / (y1 - y0)));
  boxes.forEach((box, each) => {
    if (chosen[each] === before[each]) return;
    const others = boxes.filter((other) => other !== box);
    const [w, t] = [((OUTSIDE - 1) / 2) * (box.x1 - box.x0), ((OUTSIDE - 1) / 2) * (box.y1 - box.y0)];
    for (let y = Math.max(0, Math.round(box.y0 - t)); y < Math.min(height, box.y1 + t); y += 1) {
      for (let x = Math.max(0, Math.round(box.x0 - w)); x < Math.min(width, box.x1 + w); x += 1) {
        const own = away(box, x, y);
        if (others.some((other) => away(other, x, y) < own)) continue;
        const at = 4 * (y * width + x);
        data.fill(chosen[each] ? then.pixels.data[at] : 0, at, at + 3);
      }
    }
  });
  now.context.putImageData(now.pixels, 0, 0);
  return now.canvas.convertToBlob({ type: "image/png" });
}

async function read(matte) {
  const image = await createImageBitmap(matte, { colorSpaceConversion: "none" });
  const [canvas, context] = canvasOf(image.width, image.height);
  context.drawImage(image, 0, 0);
  image.close();
  return { canvas, context, pixels: context.getImageData(0, 0, canvas.width, canvas.height) };
}

// A canvas whose alpha is a matte, a grey PNG.
export async function matteCanvas(matte) {
  const { canvas, context, pixels } = await read(matte);
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data[at + 3] = pixels.data[at];
    pixels.data.fill(255, at, at + 3);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// What was painted, as the service takes it: white where it is kept, black where it is dropped, on nothing.
export function strokePng(painted, kept) {
  const [canvas, context] = canvasOf(painted.width, painted.height);
  context.drawImage(painted, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = kept ? "#fff" : "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}
