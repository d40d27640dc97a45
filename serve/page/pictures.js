// The pictures on the bench and what is known of each. Others listen for "added", "changed", "made", "removed", "selected".
import { analyze, toBlob } from "./api.js";
import { countSubjects } from "./subjects.js";
import { forgetMade, keep, makeAll } from "./made.js";
import { say, toast } from "./tell.js";
import { doubtful, meaning } from "./words.js";

const AT_ONCE = 3;
export const MOST = 200;
const isPending = (picture) => picture.state === "waiting" || picture.state === "working";

class Bench extends EventTarget {
  list = [];
  selected = null;
  wanted = () => ({}); // products to be made along with the first look: {name: options}
  #waiting = [];
  #running = new Set();
  #number = 0;
  #removed = []; // what undo brings back, as [place, picture]

  // sources: files, {name, address} to be fetched by the service, or records of store.js. Returns how many were taken.
  add(sources) {
    const taken = [...sources].slice(0, MOST - this.list.length).map((source) => this.#enter(source));
    for (const picture of taken) this.#put(picture, this.list.length);
    if (taken.length && !this.selected) this.select(this.list[0]);
    this.#next();
    return taken.length;
  }

  #enter(source) {
    this.#number += 1;
    const blank = {
      id: `${Date.now()}-${Math.random()}`, // over reloads and tabs
      file: source instanceof Blob ? source : null, address: "", // where it lies on the web, if there is no file
      name: source.name || "Pasted picture",
      state: "waiting", // waiting, working, ok, filtered, failed (by the picture's fault), error (by the service's)
      anyway: false, answer: null, error: null, subjects: 0,
      unsureMap: null, // a blob
      matte: null, // a PNG blob, where a person has corrected it
      made: new Map(), // products, see made.js
    };
    const picture = Object.assign(blank, source instanceof Blob ? {} : source, { number: this.#number });
    if (picture.state === "working") picture.state = "waiting"; // it was left in the middle
    picture.url = picture.file && URL.createObjectURL(picture.file);
    this.#show(picture);
    return picture;
  }

  // URLs of what is shown in large
  #show(picture) {
    picture.cutout = picture.made.get("cutout {}")?.[0].url ?? null;
    picture.unsure ??= picture.unsureMap && URL.createObjectURL(picture.unsureMap);
  }

  #put(picture, place) {
    this.list.splice(place, 0, picture);
    this.#tell("added", picture);
    if (isPending(picture) && !this.#running.has(picture)) this.#waiting.push(picture);
  }

  select(picture) {
    this.selected = picture;
    this.#tell("selected", picture);
  }

  // Takes pictures off the bench; the last ones can be brought back by `undo`.
  remove(...pictures) {
    this.#removed.forEach(([, picture]) => this.#forget(picture));
    this.#removed = pictures.map((picture) => [this.list.indexOf(picture), picture]).sort(([a], [b]) => a - b);
    const place = this.list.indexOf(this.selected);
    const left = new Set(pictures);
    this.list = this.list.filter((picture) => !left.has(picture));
    this.#waiting = this.#waiting.filter((picture) => !left.has(picture));
    if (left.has(this.selected)) this.select(this.list[Math.min(place, this.list.length - 1)] ?? null);
    for (const picture of pictures) {
      picture.removed = true;
      this.#tell("removed", picture);
    }
  }

  undo() {
    const back = this.#removed.slice(0, MOST - this.list.length);
    this.#removed = this.#removed.slice(back.length);
    for (const [place, picture] of back) {
      picture.removed = false;
      this.#put(picture, Math.min(place, this.list.length));
    }
    if (back.length) this.select(back[0][1]);
    this.#next();
    return back.length;
  }

  #forget(picture) {
    picture.forgotten = true;
    for (const url of [picture.url, picture.unsure]) if (url) URL.revokeObjectURL(url);
    forgetMade(picture.made);
  }

  // anyway: also if the filter thinks that it is not worth it
  again(picture, anyway = false) {
    this.#set(picture, { state: "waiting", error: null, answer: null, anyway, matte: null });
    this.#waiting.push(picture);
    this.#next();
  }

  // A person has corrected the matte: everything is made anew of it.
  async correct(picture, matte) {
    const before = { matte: picture.matte, made: picture.made };
    Object.assign(picture, { matte, made: new Map(), asked: new Map() });
    try {
      await makeAll(picture, { cutout: {} });
    } catch (error) {
      Object.assign(picture, before);
      throw error;
    }
    forgetMade(before.made);
    this.#set(picture, {});
  }

  get busy() {
    return this.#running.size + this.#waiting.length;
  }

  // A product has been made.
  made(picture) {
    if (!picture.removed) this.#tell("made", picture);
  }

  #next() {
    while (this.#running.size < AT_ONCE && this.#waiting.length) {
      const picture = this.#waiting.shift();
      this.#running.add(picture);
      this.#look(picture).finally(() => {
        this.#running.delete(picture);
        if (picture.forgotten) this.#forget(picture);
        this.#next();
      });
    }
  }

  async #look(picture) {
    this.#set(picture, { state: "working" });
    try {
      const { cutout, ...options } = this.wanted(); // the viewer's own cut-out is plain, and as large as the picture
      const include = ["unsure", "cutout", ...Object.keys(options)];
      const answer = await analyze(picture, include, options, () => this.#set(picture, { state: "waiting" }));
      const { unsure, ...images } = answer.images ?? {};
      delete answer.images; // as text they would be kept twice
      keep(picture, images, options);
      const subjects = await countSubjects(answer, picture.made.get("cutout {}")?.[0].blob);
      this.#set(picture, { state: answer.status, answer, subjects, unsure: null, unsureMap: unsure ? toBlob(unsure) : null });
    } catch (error) {
      const { heading = "Something went wrong", message, again = true } = error;
      this.#set(picture, { state: "error", error: { heading, message, again } });
      if (picture.address && !picture.removed) toast(`${picture.name}: ${heading}. ${message}`);
    }
    if (!picture.removed) say(`${picture.name}: ${outcome(picture)}${this.busy > 1 ? `. ${this.busy - 1} to go` : ""}`);
  }

  #set(picture, facts) {
    Object.assign(picture, facts);
    this.#show(picture);
    if (!picture.removed) this.#tell("changed", picture);
  }

  #tell(name, picture) {
    this.dispatchEvent(new CustomEvent(name, { detail: picture }));
  }
}

// How a picture stands, in a few words.
export function outcome(picture) {
  const { state, answer, error } = picture;
  if (state === "waiting") return "waiting";
  if (state === "working") return "being cut out";
  if (state === "error") return error.heading;
  if (state === "ok" && picture.matte) return "cut out, corrected";
  if (state === "ok") return doubtful(picture) ? "cut out, with doubts" : "cut out";
  const usable = state === "filtered" ? "not usable" : "failed";
  return `${usable}, ${meaning(answer.reason, answer.detail).heading}`;
}

export const bench = new Bench();
