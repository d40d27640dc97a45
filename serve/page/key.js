// The API key: kept until the tab is closed, asked for in a dialog that stays open until a key is right.
import { $ } from "./dom.js";

const CHECK = document.getElementById("key")?.dataset.check ?? "/v1.0/account"; // the cheapest route that wants a key

let key = sessionStorage.getItem("key") ?? "";
let asking = null; // one dialog for all who wait

export const currentKey = () => key;

export const refused = (status) => status === 401 || status === 403;

// Whether there is a key now that the service takes; `sent` is the one that it has just refused.
export async function newKey(sent) {
  if (sent !== key) return true; // somebody else has been asked meanwhile
  asking ??= ask(Boolean(sent)).finally(() => { asking = null; });
  return asking;
}

function ask(wasWrong) {
  return new Promise((resolve) => {
    const [dialog, form, input] = [$("key"), $("key-form"), $("key-value")];
    const listening = new AbortController();
    const on = (target, name, listener) => target.addEventListener(name, listener, { signal: listening.signal });
    let found = false;
    tell(wasWrong ? "That key is not valid any more." : "");
    on($("key-cancel"), "click", () => dialog.close());
    on(input, "input", () => tell(""));
    on(form, "submit", async (event) => {
      event.preventDefault();
      const given = input.value.trim();
      $("key-use").disabled = true;
      const wrong = await fault(given);
      $("key-use").disabled = false;
      if (!dialog.open) return;
      tell(wrong);
      if (wrong) return input.focus();
      found = true;
      key = given;
      sessionStorage.setItem("key", key);
      dialog.close();
    });
    on(dialog, "close", () => {
      listening.abort();
      resolve(found);
    });
    dialog.showModal();
    input.select();
  });
}

// What is wrong with a key, in words; empty if nothing is.
async function fault(given) {
  if (!/^[\x21-\x7e]+$/.test(given)) return "A key is one word of plain letters, digits and signs. Copy it again.";
  try {
    const answer = await fetch(CHECK, { headers: { Accept: "application/json", "X-Api-Key": given } });
    return refused(answer.status) ? "The service does not know this key. Check that all of it was copied." : "";
  } catch {
    return "The service cannot be reached. Try again in a moment.";
  }
}

function tell(text) {
  $("key-wrong").textContent = text;
  $("key-value").setAttribute("aria-invalid", String(Boolean(text)));
}
