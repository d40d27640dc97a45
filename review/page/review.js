// The review: one picture at a time, a decision, the next one. Whatever is decided is written before the next is shown.
import { $, h, many, percent, title } from "/page/dom.js";
import { get, post, random, tab } from "./api.js";
import { correct } from "./correct.js";
import { setUpKeys } from "./keys.js";
import { fetchAhead, nextGround, nextView, setUpView, show, zoom } from "./view.js";

const HOLD_MS = 60_000;
const NOTHING_MS = 10_000; // between looks for more, where others have what is left
const WORDS = { accepted: "accepted", rejected: "rejected", corrected: "corrected", skipped: "skipped" };

const state = { start: null, picture: null, ahead: null, filter: {}, who: localStorage.getItem("who") ?? "", undoing: false, undoKey: "" };
let poll = 0;

const asked = (body = {}) => ({ who: state.who || undefined, filter: state.filter, ...body });

async function begin() {
  setUpView();
  setUpKeys({ accept, skip, undo, zoom, correct: edit, reasons: () => $("reasons").querySelector("button")?.focus(), reject: (n) => $("reasons").querySelectorAll("button")[n]?.click(), view: () => say(nextView()), ground: () => say(nextGround()), help });
  for (const [id, action] of Object.entries({ accept, correct: edit, skip, undo, again: advance, "over-undo": undo, "help-open": help, who: askName })) $(id).addEventListener("click", action);
  $("filters-open").addEventListener("click", () => openFilters($("filters").hidden));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("pagehide", () => navigator.sendBeacon("/api/free", JSON.stringify({ tab, who: state.who || undefined })));
  setInterval(() => {
    const ids = [state.picture, state.ahead].filter(Boolean).map(({ id }) => id);
    if (ids.length) post("/api/hold", asked({ ids })).catch(() => {});
  }, HOLD_MS);
  try {
    state.start = await get("/api/start");
  } catch (error) {
    return over(error.heading ?? "Something went wrong", error.message);
  }
  const { start } = state;
  state.filter = start.chosen;
  if (start.named) state.who = "";
  $("name").textContent = start.name;
  document.title = `${start.name} – review – Hairline`;
  $("who").textContent = state.who || start.who;
  $("who").disabled = start.named;
  $("filters-open").hidden = start.sample;
  for (const name of ["reason", "route", "category"]) fillFilter(name);
  return advance();
}

// The next picture: the one that was fetched ahead, or a new one.
async function advance() {
  clearTimeout(poll);
  const ahead = state.ahead;
  state.ahead = null;
  try {
    if (ahead) place(ahead);
    else {
      const told = await post("/api/next", asked({ without: [] }));
      progress(told.progress);
      if (!told.picture) return finished(told.progress);
      place(told.picture);
    }
    const current = state.picture;
    const told = await post("/api/next", asked({ without: [current.id] }));
    if (state.picture !== current) return undefined;
    progress(told.progress);
    state.ahead = told.picture;
    if (told.picture) fetchAhead(told.picture);
  } catch (error) {
    toast(error);
  }
  return undefined;
}

function place(picture) {
  picture.key = random(); // of the decision: sent twice, it is one
  state.picture = picture;
  $("desk").hidden = false;
  $("over").hidden = true;
  $("picture-name").textContent = picture.id;
  const ok = picture.status === "ok";
  const reasons = Object.entries(ok ? state.start.reasons : state.start.wanted);
  $("reasons").replaceChildren(...reasons.map(([code, text], n) => h("button", { type: "button", "data-reason": code, "aria-keyshortcuts": String(n + 1), onclick: () => decide("rejected", code) }, h("span", {}, text), h("kbd", {}, String(n + 1)))));
  $("accept").firstChild.textContent = ok ? "Accept " : "The filter is right ";
  $("correct").hidden = !ok;
  facts(picture);
  show(picture);
  say(`${picture.id}${picture.error === null ? "" : `, expected error ${percent(picture.error)}`}`);
  document.body.dataset.picture = picture.id;
}

function facts(picture) {
  const rows = [
    ["Expected error", picture.error === null ? "not known" : `${percent(picture.error)} of the subject's area`],
    ["Category", picture.category ? `${title(picture.category)} (${percent(picture.category_score)})` : "none"],
    ["Route", title(picture.route)],
    picture.width && ["Size", `${picture.width} × ${picture.height}`],
    picture.products.length && ["Products", picture.products.map(({ name }) => name).join(", ")],
    picture.meaning && ["Ended as", `${picture.meaning.title}${picture.detail ? `: ${picture.detail}` : ""}`],
    picture.corrected && ["Matte", "corrected"],
    picture.decided && ["Decided", `${WORDS[picture.decided.verdict]} by ${picture.decided.who}`],
  ];
  $("facts").replaceChildren(h("dl", {}, ...rows.filter(Boolean).map(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])));
}

function accept() {
  return decide("accepted");
}

function skip() {
  return decide("skipped");
}

async function decide(verdict, reason = "") {
  const picture = state.picture;
  if (!picture || picture.sent) return;
  picture.sent = true; // once, unless it fails
  try {
    const { id, seen, key } = picture;
    await post("/api/decide", asked({ id, seen, key, verdict, reason }));
    toast();
    await settled(picture, WORDS[verdict]);
  } catch (error) {
    picture.sent = false;
    toast(error);
    if (error.status === 409) await settled(picture, "");
  }
}

function edit() {
  const picture = state.picture;
  if (!picture || picture.status !== "ok" || picture.sent) return;
  correct(picture, state.who, {
    say,
    saved: async (left) => {
      toast(left.length ? { heading: "Saved", message: `as they were: ${left.join(", ")}` } : undefined);
      await settled(picture, WORDS.corrected);
    },
    failed: async (error) => {
      toast(error);
      if (error.status === 409) await settled(picture, "");
    },
    closed: () => $("correct").focus(),
  });
}

// A picture is decided: the next one, if it is still the one at hand.
async function settled(picture, word) {
  if (word) say(`${picture.id} ${word}`);
  if (state.picture !== picture) return;
  state.picture = null;
  document.body.dataset.picture = "";
  await advance();
}

async function undo() {
  if (state.undoing) return;
  state.undoing = true;
  try {
    const told = await post("/api/undo", asked({ key: (state.undoKey ||= random()) })); // until it has worked it is one undoing
    state.undoKey = "";
    if (!told.picture) return void toast({ heading: "Nothing to undo", message: "You have decided nothing that still holds." });
    if (state.ahead) await post("/api/free", asked({ ids: [state.ahead.id] }));
    if (state.picture && state.picture.id !== told.picture.id) {
      state.ahead = state.picture;
      fetchAhead(state.ahead);
    } else state.ahead = null;
    progress(told.progress);
    place(told.picture);
    toast();
    say(`Undone: ${told.picture.id}`);
  } catch (error) {
    toast(error);
  } finally {
    state.undoing = false;
  }
}

function progress(told) {
  const done = told.total - told.open - told.skipped;
  $("progress").value = told.total ? done / told.total : 0;
  $("progress-text").textContent = `${done.toLocaleString("en")} of ${many(told.total, "picture")} decided${told.skipped ? `, ${told.skipped} skipped` : ""}`;
  $("sample-text").hidden = !told.sample;
  if (told.sample) $("sample-text").textContent = shareText(told.sample);
  document.body.dataset.done = String(done);
}

function shareText(sample) {
  if (sample.share === null) return `A random sample of ${sample.size}. The share of good mattes shows here once some are judged.`;
  const tenth = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
  return `${sample.good} of ${sample.judged} judged are good: ${tenth(sample.share)}, between ${tenth(sample.low)} and ${tenth(sample.high)} (${sample.how}).`;
}

function finished(told) {
  const left = told.open + told.skipped;
  if (left) over("Others have the rest", `${many(left, "picture")} are before somebody else. What they give back comes here.`);
  else over(told.total ? "All is reviewed" : "No such pictures", told.sample ? shareText(told.sample) : told.total ? `${many(told.total, "picture")} decided.` : "No picture fits these filters.");
  if (left) poll = setTimeout(advance, NOTHING_MS);
}

function over(heading, text) {
  state.picture = null;
  $("desk").hidden = true;
  $("over").hidden = false;
  $("over-title").textContent = heading;
  $("over-text").textContent = text;
  document.body.dataset.picture = "";
  document.body.dataset.over = heading;
}

function fillFilter(name) {
  const select = $(`filter-${name}`);
  const any = name === "reason" ? "any" : `any ${name}`;
  const text = (value) => (name === "reason" && value === "" ? "cut out" : title(value));
  const options = Object.entries(state.start.filters[name]).map(([value, number]) => h("option", { value: `=${value}` }, `${text(value)} (${number.toLocaleString("en")})`));
  select.replaceChildren(h("option", { value: "" }, any), ...options);
  const chosen = state.filter[name];
  select.value = chosen === null || chosen === undefined ? "" : `=${chosen}`;
  select.addEventListener("change", async () => {
    state.filter = { ...state.filter, [name]: select.value ? select.value.slice(1) : null };
    const ids = [state.picture, state.ahead].filter(Boolean).map(({ id }) => id);
    state.picture = null;
    state.ahead = null;
    if (ids.length) await post("/api/free", asked({ ids })).catch(() => {});
    await advance();
  });
}

function openFilters(open) {
  $("filters").hidden = !open;
  $("filters-open").setAttribute("aria-expanded", String(open));
  if (open) $("filter-reason").focus();
}

function help() {
  $("help").showModal();
}

function askName() {
  const dialog = $("name-dialog");
  $("name-value").value = state.who || state.start?.who || "";
  dialog.showModal();
  $("name-value").select();
  dialog.addEventListener("close", () => {
    const given = $("name-value").value.trim();
    if (!given) return;
    state.who = given;
    localStorage.setItem("who", given);
    $("who").textContent = given;
  }, { once: true });
}

function say(text) {
  $("say").textContent = text;
}

function toast(error) {
  $("toast").textContent = error ? `${error.heading ?? "Something went wrong"}: ${error.message}` : "";
}

begin();
