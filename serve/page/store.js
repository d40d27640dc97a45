// What is on the bench is kept in this browser, so that it outlives a reload: in IndexedDB, up to a number of bytes.
import { MOST, bench } from "./pictures.js";
import { toast } from "./tell.js";

const [NAME, TABLE] = ["hairline", "pictures"];
const LARGEST = 256e6; // bytes; the oldest pictures go first
const KEPT = ["id", "order", "file", "address", "name", "state", "anyway", "answer", "error", "subjects", "unsureMap", "matte"];

let database = null;
let told = false;
let pending = 0; // writes; whether all is kept stands at the body, for whoever waits for it
let queue = Promise.resolve(); // one write after the other
const sizes = new Map(); // id -> bytes of what is kept, oldest first

export async function setUpStore() {
  try {
    database = await open();
    await restore();
  } catch {
    return; // this browser keeps nothing, in a private window for instance: the page works all the same
  }
  for (const name of ["added", "changed", "made"]) bench.addEventListener(name, ({ detail }) => later(() => put(detail)));
  bench.addEventListener("removed", ({ detail }) => later(() => drop(detail.id)));
  for (const picture of bench.list) if (!sizes.has(picture.id)) later(() => put(picture)); // what was quicker than this
}

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "id" });
  return done(request);
}

async function restore() {
  const records = (await done(database.transaction(TABLE).objectStore(TABLE).getAll())).sort((a, b) => a.order - b.order);
  for (const record of records) sizes.set(record.id, size(record));
  const pictures = records.slice(-MOST).map(({ made, ...facts }) => ({
    ...facts, made: new Map(made.map(([key, files]) => [key, files.map((file) => ({ ...file, url: URL.createObjectURL(file.blob) }))])),
  }));
  bench.add(pictures);
}

async function put(picture) {
  if (picture.removed) return;
  picture.order ??= Date.now() + picture.number / 1e4;
  const made = [...picture.made].map(([key, files]) => [key, files.map(({ blob, suffix, extension }) => ({ blob, suffix, extension }))]);
  const record = { ...Object.fromEntries(KEPT.map((name) => [name, picture[name]])), made };
  const own = size(record);
  sizes.delete(picture.id);
  const total = () => [...sizes.values()].reduce((sum, each) => sum + each, own);
  while (sizes.size && total() > LARGEST) await forget(sizes.keys().next().value);
  if (own > LARGEST) return forget(picture.id);
  sizes.set(picture.id, own);
  await write((table) => table.put(record));
}

async function forget(id) {
  await drop(id);
  tellOnce("The oldest pictures stay here until the page is closed or loaded again: there is no room to keep more.");
}

function drop(id) {
  sizes.delete(id);
  return write((table) => table.delete(id));
}

const size = ({ file, unsureMap, matte, made }) => [file, unsureMap, matte, ...made.flatMap(([, files]) => files.map((each) => each.blob))]
  .reduce((sum, blob) => sum + (blob?.size ?? 0), 0);

function write(change) {
  const transaction = database.transaction(TABLE, "readwrite");
  change(transaction.objectStore(TABLE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}

function later(work) {
  pending += 1;
  document.body.dataset.kept = "some";
  queue = queue.then(work)
    .catch(() => tellOnce("This browser has no room to keep the pictures: they go when the page is closed or loaded again."))
    .finally(() => {
      pending -= 1;
      if (!pending) document.body.dataset.kept = "all";
    });
}

function tellOnce(text) {
  if (!told) toast(text);
  told = true;
}

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
