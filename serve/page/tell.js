// What is told beside the picture: to screen readers alone, or to everybody for a while, perhaps with a button.
import { $, h } from "./dom.js";

const LASTS = 10_000; // milliseconds; a message that is pointed at or holds the focus stays

export function say(text) {
  $("say").textContent = text;
}

let timer = 0;

// action: {label, run}
export function toast(text, action = null) {
  const button = action && h("button", { type: "button", onclick: () => { clear(); action.run(); } }, action.label);
  $("toast").replaceChildren(h("p", {}, text), ...(button ? [button] : []));
  fade();
}

function fade() {
  clearTimeout(timer);
  timer = setTimeout(() => ($("toast").matches(":hover, :focus-within") ? fade() : clear()), LASTS);
}

function clear() {
  clearTimeout(timer);
  $("toast").replaceChildren();
}
