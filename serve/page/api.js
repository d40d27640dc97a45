// The service's API. One request at a time for each picture, a few pictures at once; a service that is busy is asked again.
import { currentKey, newKey, refused } from "./key.js";

const TRIES = 20;
const LONGEST_WAIT = 15; // seconds
const HEADINGS = { invalid_image_url: "This address is refused", failed_image_download: "The picture could not be fetched" };

export class ServiceError extends Error {
  constructor(heading, detail, again) {
    super(detail);
    this.heading = heading; // a few words
    this.again = again; // whether it may work when tried again
  }
}

export async function listProducts() {
  const answer = await ask("/v1/products");
  return (await answer.json()).products;
}

// What every stage found in a picture, with the images named in `include`; `options`: {product: {option: value}}.
// Of a picture that was corrected: what is made of its matte.
export async function analyze(picture, include, options = {}, waiting = () => {}) {
  const form = formOf(picture);
  if (picture.anyway) form.append("reject", "false");
  if (picture.matte) {
    form.append("matte_file", picture.matte, "matte");
    if (picture.answer?.category) form.append("category", picture.answer.category);
  }
  form.append("include", include.join(","));
  if (Object.keys(options).length) form.append("products", JSON.stringify(options));
  const answer = await ask(picture.matte ? "/v1/correct" : "/v1/analyze", { method: "POST", body: form }, waiting);
  return answer.json();
}

// The matte of a picture, a PNG Blob, after one correction, see editor.js.
export async function correct(picture, { matte, strokes, follow, keep, drop, box, signal }) {
  const form = formOf(picture);
  form.append("product", "alpha");
  form.append("reject", "false"); // somebody has seen it, and wants it
  form.append("follow", String(follow));
  for (const [name, blob] of [["matte_file", matte], ["strokes_file", strokes]]) if (blob) form.append(name, blob, name);
  for (const [name, marks] of Object.entries({ keep, drop, box })) if (marks.length) form.append(name, JSON.stringify(marks));
  const answer = await ask("/v1/correct", { method: "POST", body: form, signal });
  return answer.blob();
}

function formOf(picture) {
  const form = new FormData();
  if (picture.file) form.append("image_file", picture.file, "picture"); // the file's own name is nobody's business
  else form.append("image_url", picture.address);
  return form;
}

async function ask(path, request = {}, waiting = () => {}) {
  for (let tried = 1; ; tried += 1) {
    const key = currentKey();
    let answer;
    try {
      answer = await fetch(path, { ...request, headers: { Accept: "application/json", ...(key && { "X-Api-Key": key }) } });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw new ServiceError("No connection", "The service cannot be reached, or the file can no longer be read.", true);
    }
    if (answer.ok) return answer;
    if ((answer.status === 429 || answer.status === 503) && tried < TRIES) {
      waiting();
      const told = Number(answer.headers.get("Retry-After")) || 1;
      await sleep(Math.min(told, LONGEST_WAIT) * (0.8 + 0.4 * Math.random()));
    } else if (refused(answer.status)) {
      if (!(await newKey(key))) throw new ServiceError("A key is needed", "This service asks for an API key.", true);
    } else {
      throw await understand(answer);
    }
  }
}

async function understand(answer) {
  const told = await answer.json().then((body) => body.errors?.[0], () => undefined);
  if (answer.status === 504) return new ServiceError("Took too long", "The service is very busy. Try again in a moment.", true);
  if (answer.status >= 500) {
    return new ServiceError("The service has a problem", "The picture is not to blame. Try again in a moment.", true);
  }
  const again = answer.status === 408 || answer.status === 429 || told?.code === "failed_image_download";
  return new ServiceError(HEADINGS[told?.code] ?? told?.title ?? `Refused (${answer.status})`, told?.detail ?? "", again);
}

const sleep = (time) => new Promise((resolve) => { setTimeout(resolve, time * 1000); });

export function toBlob({ type, data }) {
  const raw = atob(data);
  const array = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) array[i] = raw.charCodeAt(i);
  return new Blob([array], { type });
}
