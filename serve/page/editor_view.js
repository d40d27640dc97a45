// The editor's canvas: the picture with its matte, zoomed and moved; what a mouse, a pen, fingers and the arrow keys do on it.
import { h } from "./dom.js";
import { drawView, stamps } from "./editor_draw.js";
import { canvasOf, matteCanvas } from "./matte.js";

const [CLOSEST, FURTHEST] = [16, 0.5]; // screen pixels for one of the picture; share of the size that fits
const [NEAR, STEP] = [6, 0.015]; // screen pixels that are no drag yet; of the canvas that an arrow key goes

export class EditorView {
  ground = "ghost";
  marks = []; // corrections on their way: what was painted or clicked stays to be seen until they are there
  onmove = () => {};
  #pointers = new Map(); // fingers, pen or mouse that are down: id -> [x, y] on the screen
  #painting = null; // {canvas, context, last}
  #corner = null; // where a box began, in the picture
  #at = null; // where the pointer is, on the screen
  #down = null; // where it went down
  #asked = 0;

  // does: {tool(), brush(), stroke(canvas), click(x, y), box([x0, y0, x1, y1]), say(text)}
  constructor(stage, picture, does) {
    [this.picture, this.does, this.stage] = [picture, does, stage];
    this.width = picture.naturalWidth ?? picture.width;
    this.height = picture.naturalHeight ?? picture.height;
    this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": "Picture to correct. Arrow keys move the cursor, Space presses and lifts the tool, Escape takes it back." });
    stage.prepend(this.canvas);
    this.context = this.canvas.getContext("2d");
    this.reading = new ResizeObserver(() => this.#resize());
    this.reading.observe(stage);
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"]) this.canvas.addEventListener(name, (event) => this[`_${name}`](event));
    this.canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("blur", () => { if (!this.#pointers.size) this.reset(); });
    this.#resize();
  }

  // Shows a matte, a PNG Blob.
  async load(matte) {
    const mine = (this.#asked += 1);
    const alpha = await matteCanvas(matte);
    if (mine !== this.#asked) return;
    const [cut, context] = canvasOf(this.width, this.height);
    context.drawImage(this.picture, 0, 0, this.width, this.height);
    context.globalCompositeOperation = "destination-in";
    context.drawImage(alpha, 0, 0, this.width, this.height);
    [this.alpha, this.cut] = [alpha, cut];
    this.draw();
  }

  fit() {
    const [w, t] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.fitting = Math.min(w / this.width, t / this.height) * 0.94;
    this.scale = this.fitting;
    [this.left, this.top] = [(w - this.width * this.scale) / 2, (t - this.height * this.scale) / 2];
    this.fitted = true;
    this.draw();
  }

  // by: how many times larger; around a place of the screen, else the middle.
  zoom(by, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(CLOSEST, Math.max(FURTHEST * this.fitting, this.scale * by));
    const [px, py] = this.toPicture(x, y);
    this.scale = scale;
    [this.left, this.top] = [x - px * scale, y - py * scale];
    this.fitted = false;
    this.#hold();
  }

  toPicture = (x, y) => [(x - this.left) / this.scale, (y - this.top) / this.scale];
  toScreen = (x, y) => [x * this.scale + this.left, y * this.scale + this.top];

  // Forgets what was begun and not ended.
  reset() {
    const had = this.#painting || this.#corner;
    [this.#painting, this.#corner] = [null, null];
    this.draw();
    return Boolean(had);
  }

  close() {
    this.reading.disconnect();
    cancelAnimationFrame(this.frame);
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.#draw());
  }

  #resize() {
    const { clientWidth: w, clientHeight: t } = this.stage;
    if (!w || !t) return;
    const dense = devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = [Math.round(w * dense), Math.round(t * dense)];
    if (this.scale && !this.fitted) this.#hold();
    else this.fit();
  }

  // Keeps some of the picture in sight.
  #hold() {
    const [w, t] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const edge = 48;
    this.left = Math.min(w - edge, Math.max(edge - this.width * this.scale, this.left));
    this.top = Math.min(t - edge, Math.max(edge - this.height * this.scale, this.top));
    this.draw();
  }

  #draw() {
    drawView(this, this.does.tool(), { painting: this.#painting, corner: this.#corner, at: this.#at });
    this.onmove();
  }

  #place = (event) => {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  _pointerdown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    const at = this.#place(event);
    this.#pointers.set(event.pointerId, at);
    this.#at = at;
    if (this.#pointers.size > 1) { // a second finger: what the first one began was no stroke
      this.reset();
      this.#down = null;
      return;
    }
    const tool = this.does.tool();
    this.moving = event.button !== 0 || tool.name === "move" || tool.name === "subjects";
    this.#down = this.moving ? null : at;
    if (this.moving) return;
    if (tool.brush) this.#paint(at, event.pointerType === "pen" ? event.pressure : 1);
    else if (tool.name === "box") this.#corner = this.#inside(at);
    this.draw();
  }

  _pointermove(event) {
    const at = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (before && (this.#pointers.size > 1 || this.moving)) this.#drag(event.pointerId, before, at);
    else if (before && this.#painting) {
      const steps = event.getCoalescedEvents?.() ?? [];
      for (const each of steps.length ? steps : [event]) this.#paint(this.#place(each), each.pointerType === "pen" ? each.pressure : 1);
    }
    if (before) this.#pointers.set(event.pointerId, at);
    this.#at = at;
    this.draw();
  }

  _pointerup(event) {
    const at = this.#place(event);
    this.#pointers.delete(event.pointerId);
    if (!this.#down) return this.draw();
    const far = Math.hypot(at[0] - this.#down[0], at[1] - this.#down[1]) > NEAR;
    this.#down = null;
    this.#end(at, far);
    if (event.pointerType === "touch") this.#at = null;
    return this.draw();
  }

  _pointercancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#down = null;
    this.reset();
  }

  _pointerleave() {
    if (!this.#pointers.size) this.#at = null;
    this.draw();
  }

  // What was begun is ended at a place of the screen; far: whether that is another one than where it began.
  #end(at, far) {
    const tool = this.does.tool();
    const [painted, corner] = [this.#painting, this.#corner];
    this.reset();
    if (tool.brush && painted) this.does.stroke(painted.canvas);
    else if (tool.name === "box" && corner) {
      const [x, y] = this.#inside(at);
      const box = [Math.min(x, corner[0]), Math.min(y, corner[1]), Math.max(x, corner[0]), Math.max(y, corner[1])].map(Math.round);
      if (far && box[2] - box[0] >= 2 && box[3] - box[1] >= 2) this.does.box(box);
      else this.does.say("A box needs two corners: drag from one to the other.");
    } else if (tool.name === "keep" || tool.name === "drop") {
      const [x, y] = this.toPicture(...at).map(Math.floor);
      if (x >= 0 && y >= 0 && x < this.width && y < this.height) this.does.click(x, y);
    }
  }

  #inside(at) {
    const [x, y] = this.toPicture(...at);
    return [Math.min(this.width, Math.max(0, x)), Math.min(this.height, Math.max(0, y))];
  }

  // Stamps the brush from the last place to this one.
  #paint(at, pressure = 1) {
    const { size, softness } = this.does.brush();
    const radius = Math.max(0.75, (size / 2 / this.scale) * (pressure < 1 ? 0.35 + 0.65 * pressure : 1));
    const [x, y] = this.toPicture(...at);
    if (!this.#painting) {
      const [canvas, context] = canvasOf(this.width, this.height);
      this.#painting = { canvas, context, last: [x, y] };
    }
    const { context, last } = this.#painting;
    this.#painting.last = stamps(context, last, [x, y], radius, softness, this.does.tool().kept);
  }

  // One finger or the mouse moves the picture; two fingers move and zoom it.
  #drag(id, before, at) {
    const other = [...this.#pointers].find(([each]) => each !== id)?.[1];
    [this.left, this.top] = [this.left + (at[0] - before[0]) / (other ? 2 : 1), this.top + (at[1] - before[1]) / (other ? 2 : 1)];
    this.fitted = false;
    if (!other) return this.#hold();
    const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    return this.zoom(apart(at, other) / Math.max(1, apart(before, other)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(1.0015 ** -(event.deltaY * (event.deltaMode ? 16 : 1)), ...this.#place(event));
  }

  // The same by keys; whether it was one of ours.
  key({ key, shiftKey, altKey }) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const tool = this.does.tool();
    const [w, t] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const at = this.#at ?? [w / 2, t / 2];
    if (key === "Escape") return this.reset();
    if (ways[key]) {
      const far = altKey ? this.scale : STEP * Math.max(w, t) * (shiftKey ? 4 : 1);
      const [dx, dy] = ways[key].map((way) => way * far);
      if (tool.name === "move") {
        [this.left, this.top, this.fitted] = [this.left - dx, this.top - dy, false];
        this.#hold();
        return true;
      }
      this.#at = [Math.min(w, Math.max(0, at[0] + dx)), Math.min(t, Math.max(0, at[1] + dy))];
      if (this.#painting) this.#paint(this.#at);
      this.does.say(this.toPicture(...this.#at).map(Math.round).join(", "));
      return true;
    }
    if (key !== " " && key !== "Enter") return false;
    this.#at = at;
    if (this.#painting || this.#corner || tool.name === "keep" || tool.name === "drop") this.#end(at, true);
    else if (tool.brush) this.#paint(at);
    else if (tool.name === "box") this.#corner = this.#inside(at);
    return true;
  }
}
