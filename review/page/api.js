// What the page asks the review for; pictures come as addresses of blobs, for a key travels in a header.
import { currentKey, newKey, refused } from "/page/key.js";

export class ReviewError extends Error {
  constructor(heading, detail, status) {
    super(detail);
    this.heading = heading;
    this.status = status; // of HTTP; 0: no answer
  }
}

export const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

// This window, also after it was loaded again.
export const tab = sessionStorage.getItem("tab") ?? random();
sessionStorage.setItem("tab", tab);

export const get = (path) => ask(path).then((answer) => answer.json());

export const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify({ ...body, tab }) }).then((answer) => answer.json());

export const blob = (path) => ask(path).then((answer) => answer.blob());

export async function ask(path, request = {}) {
  for (;;) {
    const key = currentKey();
    let answer;
    try {
      answer = await fetch(path, { ...request, headers: { Accept: "application/json", ...(key && { "X-Api-Key": key }) } });
    } catch (error) {
      if (error.name === "AbortError") throw error; // whoever asked does not want it any more
      throw new ReviewError("No connection", "The review cannot be reached. Nothing is lost: try again in a moment.", 0);
    }
    if (answer.ok) return answer;
    const told = await answer.json().then((body) => body.errors?.[0], () => undefined);
    if (refused(answer.status) && told?.code === "auth_failed") {
      if (!(await newKey(key))) throw new ReviewError("A key is needed", "This review asks for an API key.", answer.status);
    } else {
      throw new ReviewError(told?.title ?? `Refused (${answer.status})`, told?.detail ?? "", answer.status);
    }
  }
}
