// Correcting the picture at hand: the service's editor, with what it computes and saves done by the review.
import { $, h } from "/page/dom.js";
import { ask, blob, tab } from "./api.js";

let editor = null;

// Opens the editor in place of the picture. `saved`: called with the names of products that were left as they are.
export async function correct(picture, who, { say, saved, failed, closed }) {
  if (editor) return;
  document.body.dataset.editing = picture.id; // its keys are not those of the review
  try {
    const query = new URLSearchParams({ id: picture.id, version: picture.version, whole: 1 });
    const [{ openEditor }, source, matte] = await Promise.all([
      import("/page/editor.js"),
      blob(`/api/source?${query}`).then(createImageBitmap),
      blob(`/api/matte?${query}`),
      styled(),
    ]);
    $("viewer").classList.add("edited");
    $("editor").hidden = false;
    editor = openEditor($("editor"), {
      picture: source,
      matte,
      subjects: picture.subjects,
      say,
      correct: (given) => compute(picture, who, given),
      done: (made) => end(picture, who, made, { saved, failed, closed }),
    });
    $("editor").querySelector("button")?.focus();
  } catch (error) {
    close(closed);
    failed(error);
  }
}

// The editor's looks, once it is wanted.
function styled() {
  return new Promise((resolve) => {
    if ($("editor-style")) return resolve();
    const link = h("link", { id: "editor-style", rel: "stylesheet", href: "/page/editor.css", onload: resolve, onerror: resolve });
    document.head.append(link);
    return undefined;
  });
}

async function compute(picture, who, { matte, strokes, follow, keep, drop, box, signal }) {
  const form = fields(picture, who);
  if (matte) form.append("matte_file", matte, "matte.png");
  if (strokes) form.append("strokes_file", strokes, "strokes.png");
  form.append("follow", String(follow ?? true));
  for (const [name, places] of Object.entries({ keep, drop, box })) if (places?.length) form.append(name, JSON.stringify(places));
  const answer = await ask("/api/correct", { method: "POST", body: form, signal });
  return answer.blob();
}

async function end(picture, who, made, { saved, failed, closed }) {
  if (!made || !editor?.dirty) return close(closed);
  try {
    const form = fields(picture, who);
    form.append("seen", String(picture.seen));
    form.append("key", picture.key);
    form.append("matte_file", made, "matte.png");
    const answer = await ask("/api/save", { method: "POST", body: form });
    close();
    saved((await answer.json()).left);
  } catch (error) {
    if (error.status === 409) close(); // the picture is somebody else's by now
    failed(error);
  }
  return undefined;
}

function fields(picture, who) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ id: picture.id, tab, ...(who && { who }) })) form.append(name, value);
  return form;
}

function close(closed) {
  editor?.close();
  editor = null;
  delete document.body.dataset.editing;
  $("viewer").classList.remove("edited");
  $("editor").hidden = true;
  closed?.();
}
