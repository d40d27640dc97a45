// The product files of a picture, kept by product and options, so that nothing is made twice.
import { analyze, toBlob } from "./api.js";

const EXTENSIONS = { "image/png": "png", "image/webp": "webp", "image/jpeg": "jpg", "image/avif": "avif", "image/tiff": "tif" };

export const keyOf = (name, options) => `${name} ${JSON.stringify(options)}`;

// Enters images of an answer under their products. `cutout-1`, `cutout-2` are single subjects and follow `cutout`.
export function keep(picture, images, options) {
  const names = Object.keys(images);
  for (const name of names) {
    const whole = name.replace(/-\d+$/, "");
    if (whole !== name && names.includes(whole)) continue;
    const single = names.filter((other) => other.replace(/-\d+$/, "") === name && other !== name);
    const files = [name, ...single.sort((a, b) => a.localeCompare(b, "en", { numeric: true }))].map((each) => {
      const blob = toBlob(images[each]);
      return { blob, url: URL.createObjectURL(blob), suffix: each.slice(name.length), extension: EXTENSIONS[blob.type] ?? "bin" };
    });
    picture.made.set(keyOf(name, options[name] ?? {}), files);
  }
}

// Lets go of products that are shown no more.
export function forgetMade(made) {
  for (const file of [...made.values()].flat()) {
    URL.revokeObjectURL(file.url);
    for (const laid of file.laid?.values() ?? []) laid.then(({ url }) => URL.revokeObjectURL(url), () => {});
  }
}

// A map from each wanted product, {name: options}, to its files; asks the service for what is not there yet, once.
// `tell` is called when something new is there.
export async function makeAll(picture, wanted, tell = () => {}) {
  const missing = Object.entries(wanted).filter(([name, options]) => !picture.made.has(keyOf(name, options)));
  if (missing.length) {
    const options = Object.fromEntries(missing);
    const { made } = picture;
    const request = JSON.stringify(options);
    picture.asked ??= new Map();
    if (!picture.asked.has(request)) {
      const asked = analyze(picture, Object.keys(options), options).then((answer) => {
        if (picture.made !== made) return; // corrected meanwhile: these are of the matte before
        keep(picture, answer.images ?? {}, options);
        tell(picture);
      });
      picture.asked.set(request, asked.finally(() => picture.asked.delete(request)));
    }
    await picture.asked.get(request);
  }
  return new Map(Object.entries(wanted).map(([name, options]) => {
    const files = picture.made.get(keyOf(name, options));
    if (!files) throw new Error(`${name} could not be made of this picture.`);
    return [name, files];
  }));
}
