// Mattes and strokes as PNGs, in the browser.

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

// A canvas whose alpha is a matte, a grey PNG.
export async function matteCanvas(matte) {
  const image = await createImageBitmap(matte, { colorSpaceConversion: "none" });
  const [canvas, context] = canvasOf(image.width, image.height);
  context.drawImage(image, 0, 0);
  image.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
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
