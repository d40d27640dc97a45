// What the products' options are called, for somebody who has not read the manual; those of no name here are called as the service does.
import { title } from "./dom.js";

const FORMATS = { png: "PNG", webp: "WebP", jpeg: "JPEG", jpg: "JPEG", avif: "AVIF", tiff: "TIFF", psd: "PSD, layers", ora: "OpenRaster, layers", zip: "ZIP: colours and mask" };
const WORDS = {
  kind: { label: "Background", choices: { color: "Colour", gradient: "Gradient", picture: "A picture", blur: "Its own, blurred", transparent: "None" }, note: "" },
  color: { label: "Colour", note: "" },
  color2: { label: "Second colour", note: "Of a gradient." },
  light: { label: "In its light", note: "How far the subject's light and tint go towards the background's." },
  angle: { label: "Direction", choices: { radial: "From the middle out" }, unit: "degrees", note: "Of a gradient: 0 from left to right, 90 from top to bottom." },
  fit: { label: "A picture", choices: { cover: "Fills the canvas", contain: "Shows whole" }, note: "Around one that shows whole lies the colour." },
  position: { label: "Part of the picture", note: "Which part of it shows, or where it lies." },
  blur: { label: "Blur", note: "How strong; of the picture's longer side." },
  baseline: { label: "Stands at", choices: { null: "The middle" }, note: "Where its lower edge is, from the top. Of a canvas of your own size." },
  template: { label: "Template", choices: { product_card: "Product card" }, note: "" },
  values: { label: "Texts", note: "What stands in each place of the template." },
  preset: { label: "Made for", choices: { "": "Nobody in particular" }, note: "Size, format and more are then as it asks for, and the file is judged by its rules." },
  size: { label: "Size", unit: "pixels", note: "" },
  largest: { label: "Largest size", choices: { null: "Always the same" }, note: "Where the background is kept: up to it the picture's own pixels are taken, unscaled." },
  background: { label: "Ground behind", note: "Its own where the authority forbids another one." },
  max_enlarge: { label: "Largest enlargement", note: "How much the picture is enlarged at most." },
  max_turn: { label: "Turned at most", unit: "degrees", note: "Aside, up or down." },
  max_roll: { label: "Tilted at most", unit: "degrees", note: "Made upright where that is allowed." },
  sheet: { label: "Print sheet", choices: { none: "None", "10x15": "10 × 15 cm", "5inch": "5 inch", "6inch": "6 inch", a4: "A4" }, note: "Full of copies, with marks to cut along." },
  name: { label: "Which", choices: { portrait: "Head and shoulders", head: "Head", face: "Face", hair: "Hair" }, note: "" },
  cut_off: { label: "Cut off by the frame", choices: { centre: "Centred all the same", anchor: "Kept at its edge" }, note: "" },
  scale_by: { label: "Scaled by", choices: { longest: "Longer side", width: "Width", height: "Height", area: "Area" }, note: "Of a canvas of your own size; area makes thin and bulky things look alike." },
  shadow: { label: "Shadow", choices: { none: "None", contact: "Soft, made", own: "The picture's own" }, note: "" },
  srgb: { label: "Colours in sRGB", note: "What shops expect." },
  min_quality: { label: "Lowest quality", unit: "of 100", note: "Of JPEG, to fit a shop's limit on bytes." },
  format: { label: "File format", choices: FORMATS, note: "" },
  bits: { label: "Bits a channel", note: "16 keep the finer colours of a source that has them; PNG and TIFF only." },
  tolerance: { label: "Tolerance", unit: "pixels", note: "How far the outline may lie beside the edge; more makes it simpler." },
  level: { label: "Edge at", note: "How opaque the subject is where the outline runs." },
  clip: { label: "Picture in the file", note: "Clipped by the outline." },
  compression: { label: "PNG file", choices: { fast: "Large, at once", small: "Small, slower" }, note: "The picture is the same." },
  quality: { label: "Quality", choices: { lossless: "Nothing lost" }, unit: "of 100", note: "" },
  crop: { label: "Trim to the subject", note: "Off: as large as the picture." },
  margin: { label: "Space around it", note: "When trimmed; of the subject's longer side." },
  bits: { label: "Bits a channel", choices: { 8: "8", 16: "16, if the picture has them" }, note: "Of PNG and TIFF." },
  tolerance: { label: "Beside the edge at most", unit: "pixels", note: "More makes a path of fewer points." },
  level: { label: "Edge at an alpha of", note: "" },
  clip: { label: "With the picture in it", note: "Clipped by the path." },
  zero_hidden: { label: "Wipe what was cut away", note: "Off: its colours stay in the file, unseen, and anybody can bring them back." },
  canvas: {
    label: "Canvas", choices: { square: "Square", keep: "As the picture" },
    note: "Square: as large as the subject needs. Own size: the subject is scaled to it.",
  },
  fill: { label: "Subject fills", note: "How much of the canvas its longer side takes." },
};
const ONLY = { png: "Of PNG.", webp: "Of WebP.", jpeg: "Of JPEG." }; // told of `quality`, which not every format has

// {label, note, unit, choices(value)} of an option by its name and JSON schema; values: the words it may be.
export function wordsOf(name, { description = "", title: named }, values) {
  const { label, note, unit = "", choices = {} } = WORDS[name] ?? {};
  const which = name === "quality" ? Object.keys(ONLY).find((format) => description.toLowerCase().includes(format)) : undefined;
  const told = note ?? (description.charAt(0).toUpperCase() + description.slice(1)).replaceAll("`", "");
  return {
    label: label ?? title(named?.toLowerCase() ?? name), note: ONLY[which] ?? told, unit,
    choices: (value) => choices[value] ?? FORMATS[value] ?? (values.length ? title(String(value)) : String(value)),
  };
}
