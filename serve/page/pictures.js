// The pictures on the bench and what is known of each. Others listen for "added", "changed", "removed" and "selected".
import { analyze, toBlob } from "./api.js";
import { keep } from "./made.js";
import { say } from "./dom.js";
import { meaning } from "./words.js";

const AT_ONCE = 3;
const MOST = 200;

class Bench extends EventTarget {
  list = [];
  selected = null;
  wanted = () => ({}); // products to be made along with the first look: {name: options}
  #waiting = [];
  #running = 0;
  #number = 0;

  // Returns how many of the files were taken.
  add(files) {
    const taken = [...files].slice(0, MOST - this.list.length);
    for (const file of taken) {
      this.#number += 1;
      const picture = {
        number: this.#number, file, name: file.name || "Pasted picture", url: URL.createObjectURL(file),
        state: "waiting", // waiting, working, ok, filtered, failed (by the picture's fault), error (by the service's)
        answer: null, error: null, cutout: null, unsure: null, // the last two as URLs
        made: new Map(), // products, see made.js
      };
      this.list.push(picture);
      this.#tell("added", picture);
      this.#waiting.push(picture);
    }
    if (taken.length && !this.selected) this.select(this.list[0]);
    this.#next();
    return taken.length;
  }

  select(picture) {
    this.selected = picture;
    this.#tell("selected", picture);
  }

  remove(picture) {
    const place = this.list.indexOf(picture);
    this.list.splice(place, 1);
    this.#waiting = this.#waiting.filter((other) => other !== picture);
    picture.removed = true;
    if (this.selected === picture) this.select(this.list[Math.min(place, this.list.length - 1)] ?? null);
    this.#tell("removed", picture);
    const files = [...picture.made.values()].flat();
    for (const url of [picture.url, picture.unsure, ...files.map((file) => file.url)]) if (url) URL.revokeObjectURL(url);
  }

  // anyway: also if the filter thinks that it is not worth it
  again(picture, anyway = false) {
    this.#set(picture, { state: "waiting", error: null, answer: null, anyway });
    this.#waiting.push(picture);
    this.#next();
  }

  get busy() {
    return this.#running + this.#waiting.length;
  }

  changed(picture) {
    this.#tell("changed", picture);
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#look(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #look(picture) {
    this.#set(picture, { state: "working" });
    try {
      const wanted = this.wanted();
      const { cutout, ...options } = this.wanted(); // the viewer's own cut-out is plain, and as large as the picture
      const include = ["unsure", "cutout", ...Object.keys(options)];
      const answer = await analyze(picture, include, options, () => this.#set(picture, { state: "waiting" }));
      const { unsure, ...images } = answer.images ?? {};
      delete answer.images; // as text they would be kept twice
      if (picture.removed) return;
      keep(picture, images, options);
      this.#set(picture, {
        state: answer.status, answer, cutout: picture.made.get("cutout {}")?.[0].url ?? null,
        unsure: unsure ? URL.createObjectURL(toBlob(unsure)) : null,
      });
      say(`${picture.name}: ${answer.status === "ok" ? "cut out" : meaning(answer.reason, answer.detail).heading}`);
    } catch (error) {
      this.#set(picture, { state: "error", error });
      say(`${picture.name}: ${error.heading ?? "something went wrong"}`);
    }
  }

  #set(picture, facts) {
    if (picture.removed) return;
    Object.assign(picture, facts);
    this.changed(picture);
  }

  #tell(name, picture) {
    this.dispatchEvent(new CustomEvent(name, { detail: picture }));
  }
}

export const bench = new Bench();
