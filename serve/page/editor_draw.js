// What the editor's canvas shows: the ground, the cut-out, what is being painted, marks on their way, the cursor.
import { canvasOf } from "./matte.js";

const TINTS = { true: "#1fa971", false: "#e0457b" }; // of what is painted to be kept, and to be dropped
const GHOST = 0.28; // how much of the original shows where it is dropped
const GROUNDS = { white: "#fff", black: "#000", matte: "#000" };

// view: an EditorView; tool: the one in hand; painting: {canvas} or null; corner: where a box began, in the picture;
// at: where the pointer is, on the screen.
export function drawView(view, tool, { painting, corner, at }) {
  const { context, canvas, scale, left, top, width, height } = view;
  const dense = canvas.width / Math.max(1, canvas.clientWidth);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(dense * scale, 0, 0, dense * scale, dense * left, dense * top);
  context.imageSmoothingEnabled = scale * dense < 3;
  drawGround(view);
  if (view.cut) context.drawImage(view.ground === "matte" ? view.alpha : view.cut, 0, 0, width, height);
  context.globalAlpha = 0.55;
  for (const mark of [...view.marks, painting ?? {}]) if (mark.canvas) context.drawImage(mark.canvas, 0, 0);
  context.globalAlpha = 1;
  context.setTransform(dense, 0, 0, dense, 0, 0);
  for (const { keep = [], drop = [] } of view.marks) {
    for (const [points, kept] of [[keep, true], [drop, false]]) for (const point of points) spot(context, ...view.toScreen(...point), 7, TINTS[kept], true);
  }
  drawCursor(view, tool, corner, at);
}

function drawGround(view) {
  const { context, width, height } = view;
  if (GROUNDS[view.ground]) {
    context.fillStyle = GROUNDS[view.ground];
    context.fillRect(0, 0, width, height);
    return;
  }
  const style = getComputedStyle(view.canvas);
  const [tile, checks] = canvasOf(2, 2);
  checks.fillStyle = style.getPropertyValue("--check-a") || "#fff";
  checks.fillRect(0, 0, 2, 2);
  checks.fillStyle = style.getPropertyValue("--check-b") || "#e3e2df";
  checks.fillRect(0, 0, 1, 1);
  checks.fillRect(1, 1, 1, 1);
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(10 / view.scale));
  const smooth = context.imageSmoothingEnabled;
  context.imageSmoothingEnabled = false;
  context.fillStyle = pattern;
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = smooth;
  if (view.ground !== "ghost") return;
  context.globalAlpha = GHOST;
  context.drawImage(view.picture, 0, 0, width, height);
  context.globalAlpha = 1;
}

function drawCursor(view, tool, corner, at) {
  const { context } = view;
  if (corner && at) {
    const [[x0, y0], [x1, y1]] = [view.toScreen(...corner), at];
    for (const [colour, dash] of [["#fff", []], ["#1c1b19", [6, 6]]]) {
      context.setLineDash(dash);
      context.lineWidth = 2;
      context.strokeStyle = colour;
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.setLineDash([]);
  }
  if (!at || tool.name === "move" || tool.name === "subjects") return;
  if (tool.brush) spot(context, ...at, view.does.brush().size / 2, TINTS[Boolean(tool.kept)], false);
  else spot(context, ...at, 5, tool.name === "box" ? "#1c1b19" : TINTS[Boolean(tool.kept)], false);
}

function spot(context, x, y, radius, colour, filled) {
  for (const [style, wide] of [["#fff", 3.5], [colour, 1.75]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = style;
    context.lineWidth = wide;
    context.stroke();
  }
  if (!filled) return;
  context.fillStyle = colour;
  context.fill();
}

// Stamps a brush along the way from one place of a canvas to another, which is given back.
export function stamps(context, from, to, radius, softness, kept) {
  const tint = TINTS[Boolean(kept)];
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const count = Math.max(1, Math.ceil(Math.hypot(dx, dy) / Math.max(0.5, radius / 4)));
  for (let i = 1; i <= count; i += 1) {
    const [x, y] = [from[0] + (dx * i) / count, from[1] + (dy * i) / count];
    const gradient = context.createRadialGradient(x, y, Math.max(0, Math.min(radius - 0.7, radius * (1 - softness))), x, y, radius);
    gradient.addColorStop(0, tint);
    gradient.addColorStop(1, `${tint}00`);
    context.fillStyle = gradient;
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
  return to;
}
