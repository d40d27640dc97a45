// A matte under a person's hand: brushes that restore or erase, clicks that keep or drop a part, a box, the choice of
// subjects, undo and redo. It knows nothing of the page around it; what it is given and gives back stands at `openEditor`.
import { h, title } from "./dom.js";
import { EditorView } from "./editor_view.js";
import { chooseSubjects, strokePng } from "./matte.js";

const TOOLS = {
  restore: { key: "r", hint: "Paint over what is missing. Where you paint is kept, and its edge is found.", brush: true, kept: true },
  erase: { key: "e", hint: "Paint over what should go. Where you paint is dropped, and its edge is found.", brush: true },
  keep: { key: "k", hint: "Click on a part that belongs to the subject.", kept: true },
  drop: { key: "d", hint: "Click on a part that does not belong to the subject." },
  box: { key: "x", hint: "Draw a box around the subject: the picture is cut out anew, and nothing outside is kept." },
  subjects: { key: "s", hint: "Choose which of the subjects are kept." },
  move: { key: "h", hint: "Drag to move the picture. Two fingers, the wheel, + and - zoom." },
};
const GROUNDS = { ghost: "Faint original", checker: "Checks", white: "White", black: "Black", matte: "Matte" };
const MOST = 60; // steps that can be undone
const [SMALLEST, LARGEST] = [4, 240]; // brush, pixels of the screen

// container: an empty element with a height of its own. Options:
//   picture: ImageBitmap or image element, upright; matte: PNG Blob of its size, grey;
//   subjects: [{x0, y0, x1, y1}], pixels, to choose from, if there are several;
//   correct: async ({matte, strokes, follow, keep, drop, box, signal}) => the new matte, PNG Blob. strokes: PNG Blob or
//     null; keep, drop: [[x, y], …]; box: [[x0, y0, x1, y1], …], with which matte is null: the picture is cut out anew;
//   say: text => {}, for screen readers; done: (matte or null) => {}, when Done or Cancel was pressed.
// Returns {matte(), dirty, idle, close()}.
export function openEditor(container, options) {
  const editor = new Editor(container, options);
  return {
    matte: () => editor.matte,
    get dirty() { return editor.place > 0 || editor.waiting.length > 0; },
    get idle() { return editor.waiting.length === 0; },
    close: () => editor.close(),
  };
}

class Editor {
  constructor(container, { picture, matte, subjects = [], correct, say = () => {}, done = () => {} }) {
    Object.assign(this, { container, correct, say, done });
    this.steps = [{ matte, chosen: subjects.map(() => true) }];
    this.place = 0; // of the step that is shown
    this.waiting = []; // corrections on their way, the first one at work
    this.subjects = subjects.length > 1 ? subjects : [];
    this.build();
    this.view = new EditorView(this.stage, picture, {
      tool: () => ({ name: this.tool, ...TOOLS[this.tool] }),
      brush: () => ({ size: Number(this.size.value), softness: Number(this.softness.value) / 100 }),
      stroke: (canvas) => this.ask({ canvas }),
      click: (x, y) => this.ask({ [TOOLS[this.tool].kept ? "keep" : "drop"]: [[x, y]] }),
      box: (box) => this.ask({ box: [box] }),
      say,
    });
    this.choose("restore");
    this.show();
  }

  get matte() {
    return this.steps[this.place].matte;
  }

  build() {
    const button = (text, press, more = {}) => h("button", { type: "button", onclick: press, ...more }, text);
    this.tools = Object.fromEntries(Object.entries(TOOLS).filter(([name]) => name !== "subjects" || this.subjects.length)
      .map(([name, { key, hint }]) => [name, button(title(name), () => this.choose(name), { title: `${hint} (${key.toUpperCase()})`, "aria-keyshortcuts": key })]));
    const range = (label, low, high, value) => h("input", { type: "range", min: `${low}`, max: `${high}`, value: `${value}`, "aria-label": label, oninput: () => this.view.draw() });
    this.size = range("Brush size", SMALLEST, LARGEST, 32);
    this.softness = range("Brush softness", 0, 100, 15);
    this.follow = h("input", { type: "checkbox", checked: true });
    this.brush = h("div", { class: "editor-group editor-brush" },
      h("label", {}, "Size", this.size), h("label", {}, "Softness", this.softness),
      h("label", { title: "Off: exactly what is painted (F)" }, this.follow, "Follow edges"));
    this.undoing = button("Undo", () => this.step(-1), { "aria-keyshortcuts": "Control+Z" });
    this.redoing = button("Redo", () => this.step(1), { "aria-keyshortcuts": "Control+Shift+Z" });
    this.ground = h("select", { "aria-label": "Shown on", onchange: () => { this.view.ground = this.ground.value; this.view.draw(); } },
      Object.entries(GROUNDS).map(([name, text]) => h("option", { value: name }, text)));
    this.stage = h("div", { class: "editor-stage" });
    this.status = h("p", { class: "editor-status", role: "status" });
    this.boxes = h("div", { class: "editor-subjects", hidden: true });
    this.root = h("div", { class: "editor", onkeydown: (event) => this.key(event) },
      h("div", { class: "editor-bar" },
        h("div", { class: "editor-group", role: "group", "aria-label": "Tools" }, Object.values(this.tools)), this.brush),
      this.stage,
      h("div", { class: "editor-bar" },
        h("div", { class: "editor-group" }, this.undoing, this.redoing),
        h("div", { class: "editor-group", role: "group", "aria-label": "Zoom" },
          button("−", () => this.view.zoom(1 / 1.5), { "aria-label": "Zoom out" }), button("Fit", () => this.view.fit(), { "aria-label": "Fit the picture into the window" }),
          button("+", () => this.view.zoom(1.5), { "aria-label": "Zoom in" })),
        this.ground, this.status,
        h("div", { class: "editor-group editor-end" }, button("Cancel", () => this.done(null)),
          this.ending = button("Done", () => this.finish(), { class: "primary" }))));
    this.container.replaceChildren(this.root);
    this.stage.append(this.boxes);
    this.boxes.append(...this.subjects.map((subject, at) => button(`${at + 1}`, () => this.toggle(at), { "aria-label": `Subject ${at + 1}` })));
  }

  choose(tool) {
    this.tool = tool;
    for (const [name, button] of Object.entries(this.tools)) button.setAttribute("aria-pressed", String(name === tool));
    this.brush.hidden = !TOOLS[tool].brush;
    this.boxes.hidden = tool !== "subjects";
    this.root.dataset.tool = tool;
    this.tell(TOOLS[tool].hint);
    this.view.reset();
    this.placeSubjects();
  }

  placeSubjects() {
    this.view.onmove = () => this.subjects.forEach((subject, at) => {
      const [x0, y0] = this.view.toScreen(subject.x0, subject.y0);
      const [x1, y1] = this.view.toScreen(subject.x1, subject.y1);
      Object.assign(this.boxes.children[at].style, { left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });
    });
    this.view.onmove();
  }

  toggle(at) {
    const chosen = [...this.newest().chosen];
    chosen[at] = !chosen[at];
    if (!chosen.some(Boolean)) return this.tell("One subject must stay.");
    return this.ask({ chosen });
  }

  newest() {
    return this.waiting.at(-1)?.chosen ? this.waiting.at(-1) : this.steps[this.place];
  }

  // One correction after the other: each starts from the matte that the one before it gave.
  ask(wanted) {
    this.waiting.push({ ...wanted, kept: TOOLS[this.tool].kept, follow: this.follow.checked, stop: new AbortController() });
    this.show();
    if (!this.working) this.work();
  }

  async work() {
    this.working = true;
    while (this.waiting.length) {
      const [now] = this.waiting;
      const started = performance.now();
      try {
        const matte = await this.mended(now);
        if (this.closed) return;
        if (now === this.waiting[0]) await this.take(matte, now, started);
      } catch (error) {
        if (this.closed) return;
        if (now === this.waiting[0]) this.tell(error.name === "AbortError" ? "Taken back." : `That did not work. ${error.message}`);
      }
      if (now === this.waiting[0]) this.waiting.shift();
      this.show();
    }
    this.working = false;
  }

  async mended(now) {
    const { chosen, matte } = this.steps[this.place];
    if (now.chosen) return chooseSubjects(matte, this.steps[0].matte, this.subjects, chosen, now.chosen);
    return this.correct({
      matte: now.box ? null : matte, strokes: now.canvas ? await strokePng(now.canvas, now.kept) : null, follow: now.follow,
      keep: now.keep ?? [], drop: now.drop ?? [], box: now.box ?? [], signal: now.stop.signal,
    });
  }

  async take(matte, { chosen }, started) {
    await this.view.load(matte);
    this.steps = [...this.steps.slice(0, this.place + 1), { matte, chosen: chosen ?? this.steps[this.place].chosen }];
    if (this.steps.length > MOST) this.steps.splice(1, 1); // the first stays: it is what the networks made
    this.place = this.steps.length - 1;
    const took = (performance.now() - started) / 1000;
    this.root.dataset.took = took.toFixed(3);
    this.root.dataset.steps = String(this.place);
    this.tell(`Mended in ${took.toFixed(2)} seconds.`);
  }

  step(by) {
    if (by < 0 && this.waiting.length) { // what is still on its way is taken back first
      const [last] = this.waiting.splice(-1);
      last.stop.abort();
      this.tell("Taken back.");
    } else if (this.place + by >= 0 && this.place + by < this.steps.length && !this.waiting.length) {
      this.place += by;
      this.root.dataset.steps = String(this.place);
      this.tell(by < 0 ? "Undone." : "Done again.");
      this.loaded = this.view.load(this.matte);
    }
    this.show();
  }

  show() {
    this.undoing.disabled = !this.place && !this.waiting.length;
    this.redoing.disabled = this.place >= this.steps.length - 1 || this.waiting.length > 0;
    this.ending.disabled = this.waiting.length > 0;
    this.root.setAttribute("aria-busy", String(this.waiting.length > 0));
    this.root.dataset.steps = String(this.place);
    if (this.waiting.length) this.status.textContent = "Mending…";
    const { chosen } = this.newest();
    [...this.boxes.children].forEach((button, at) => button.setAttribute("aria-pressed", String(chosen[at])));
    this.view.marks = this.waiting;
    if (!this.loaded) this.loaded = this.view.load(this.matte);
    this.view.draw();
  }

  tell(text) {
    this.status.textContent = text;
    this.say(text);
  }

  key(event) {
    const { key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
    const letter = key.toLowerCase();
    const command = ctrlKey || metaKey;
    let taken = true;
    if (command && letter === "z") this.step(shiftKey ? 1 : -1);
    else if (command && letter === "y") this.step(1);
    else if (command || altKey || target.matches("select")) taken = false;
    else if (letter === "f") this.follow.checked = !this.follow.checked;
    else if (key === "[" || key === "]") this.size.value = Math.round(Number(this.size.value) * (key === "]" ? 1.25 : 0.8));
    else if (key === "{" || key === "}") this.softness.value = Number(this.softness.value) + (key === "}" ? 10 : -10);
    else if (key === "+" || key === "=") this.view.zoom(1.5);
    else if (key === "-") this.view.zoom(1 / 1.5);
    else if (key === "0") this.view.fit();
    else {
      const named = Object.keys(this.tools).find((name) => TOOLS[name].key === letter);
      if (named) this.choose(named);
      else taken = target === this.view.canvas && this.view.key(event);
    }
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation();
    this.view.draw();
  }

  finish() {
    this.done(this.place ? this.matte : null);
  }

  close() {
    this.closed = true;
    for (const each of this.waiting) each.stop.abort();
    this.view.close();
    this.container.replaceChildren();
  }
}
