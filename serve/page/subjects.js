// How many subjects were cut out. Boxes are not subjects: text and logos stay behind, a face is part of its person, one
// box may be around two things that have their own, and of what was detected a part may have come out empty.

const SAME = 0.7; // of two boxes that share more than this of the smaller one, the surer one counts
const FILLED = 0.1; // least share of a box that its subject covers
const SIDE = 256; // pixels at which the alpha is looked at

// answer: of /v1/analyze; cutout: PNG or WebP as large as the picture, if there is one.
export async function countSubjects({ boxes = [], status, width, height }, cutout) {
  if (status !== "ok") return 0;
  const apart = subjectsOf({ boxes });
  const all = apart.map(() => 1);
  const filled = cutout ? await shares(cutout, apart, width, height).catch(() => all) : all;
  return Math.max(1, filled.filter((share) => share >= FILLED).length); // with no box at all it is the picture's one
}

// The boxes of subjects, each thing once.
export function subjectsOf({ boxes = [] }) {
  const apart = [];
  for (const box of boxes.filter(({ label }) => label === "subject").sort((a, b) => b.score - a.score)) {
    if (!apart.some((surer) => overlap(box, surer) > SAME * Math.min(area(box), area(surer)))) apart.push(box);
  }
  return apart;
}

const area = (box) => (box.x1 - box.x0) * (box.y1 - box.y0);
const overlap = (a, b) => Math.max(0, Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0)) * Math.max(0, Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0));

// The mean alpha in each box, 0..1.
async function shares(cutout, boxes, width, height) {
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const image = await createImageBitmap(cutout, { resizeWidth: w, resizeHeight: h });
  const context = new OffscreenCanvas(w, h).getContext("2d");
  context.drawImage(image, 0, 0);
  image.close();
  return boxes.map(({ x0, y0, x1, y1 }) => {
    const [left, top] = [Math.floor(x0 * scale), Math.floor(y0 * scale)];
    const { data } = context.getImageData(left, top, Math.max(1, Math.ceil(x1 * scale) - left), Math.max(1, Math.ceil(y1 * scale) - top));
    let sum = 0;
    for (let at = 3; at < data.length; at += 4) sum += data[at];
    return sum / (255 * (data.length / 4));
  });
}
