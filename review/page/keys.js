// Single letters as keys: not while somebody types, not in a dialog, and not where they are switched off.
import { $ } from "/page/dom.js";

const NAMES = { a: "accept", s: "skip", u: "undo", c: "correct", r: "reasons", v: "view", g: "ground", z: "zoom", "?": "help" };

export function setUpKeys(actions) {
  $("keys-on").checked = localStorage.getItem("keys") !== "off";
  $("keys-on").addEventListener("change", () => localStorage.setItem("keys", $("keys-on").checked ? "on" : "off"));
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || document.body.dataset.editing) return;
    const typing = event.target.matches("input:not([type=radio], [type=range], [type=checkbox]), select, textarea");
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z" && !typing) return act(event, actions.undo);
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !$("keys-on").checked) return undefined;
    if (/^[1-9]$/.test(event.key)) return act(event, () => actions.reject(Number(event.key) - 1));
    if (event.key === "Enter" && !event.target.closest("button, a, summary, label")) return act(event, actions.accept);
    const name = NAMES[event.key.toLowerCase()];
    return name ? act(event, actions[name]) : undefined;
  });
}

function act(event, action) {
  event.preventDefault();
  if (!event.repeat) action(); // a key held down decides once
  return undefined;
}
