// A form field for one option of a product, from its JSON schema. `read()` gives its value.
import { h, title } from "./dom.js";

const FORMATS = { png: "PNG", webp: "WebP", jpeg: "JPEG", jpg: "JPEG", avif: "AVIF", tiff: "TIFF" };

export function field(name, schema, definitions, changed) {
  const kinds = (schema.anyOf ?? schema.oneOf ?? [schema]).map((kind) => resolve(kind, definitions));
  const words = kinds.flatMap((kind) => kind.enum ?? (kind.const !== undefined ? [kind.const] : []));
  const number = kinds.find((kind) => kind.type === "integer" || kind.type === "number");
  const list = kinds.find((kind) => kind.type === "array");
  const start = schema.default;
  if (kinds.some((kind) => kind.type === "boolean")) return tick(name, schema, start, changed);
  if (list && list.minItems === 3) return colour(name, schema, start, changed);
  if (words.length && list?.minItems === 2) return choice(name, schema, start, changed, words, pair(start));
  if (words.length) return choice(name, schema, start, changed, words, number ? amount(number, start) : null);
  if (number) return choice(name, schema, start, changed, [], amount(number, start));
  if (kinds.some((kind) => kind.type === "string" && kind.format !== "binary")) return text(name, schema, start, changed);
  return null; // what no form can hold, such as a file
}

function resolve(kind, definitions) {
  return kind.$ref ? resolve(definitions[kind.$ref.split("/").pop()] ?? {}, definitions) : kind;
}

const note = ({ description }) => description.charAt(0).toUpperCase() + description.slice(1).replaceAll("`", "");
const label = (name, schema, ...controls) => h("label", { class: "field" }, h("span", {}, title(name)), ...controls,
  schema.description ? h("small", {}, note(schema)) : null);

function tick(name, schema, start, changed) {
  const box = h("input", { type: "checkbox", checked: Boolean(start), onchange: changed });
  const element = h("label", { class: "field tick" }, box, h("span", {}, title(name)), schema.description ? h("small", {}, note(schema)) : null);
  return { element, read: () => box.checked };
}

function text(name, schema, start, changed) {
  const input = h("input", { type: "text", value: start ?? "", onchange: changed });
  return { element: label(name, schema, input), read: () => input.value };
}

function colour(name, schema, start, changed) {
  const hex = `#${(start ?? [255, 255, 255]).slice(0, 3).map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  const input = h("input", { type: "color", value: hex, onchange: changed });
  return { element: label(name, schema, input), read: () => [1, 3, 5].map((at) => parseInt(input.value.slice(at, at + 2), 16)) };
}

// A choice of words, or of words and something to be typed, or that alone.
function choice(name, schema, start, changed, words, typed) {
  if (!words.length) {
    typed.inputs.forEach((input) => input.addEventListener("change", changed));
    return { element: label(name, schema, typed.element), read: typed.read };
  }
  const select = h("select", {}, words.map((word) => h("option", { value: word, selected: word === start }, FORMATS[word] ?? title(String(word)))),
    typed ? h("option", { value: "…", selected: !words.includes(start) }, typed.name) : null);
  const element = h("div", { class: "field" }, label(name, {}, select), typed?.element, schema.description ? h("small", {}, note(schema)) : null);
  const update = () => { if (typed) typed.element.hidden = select.value !== "…"; };
  select.addEventListener("change", () => { update(); changed(); });
  typed?.inputs.forEach((input) => input.addEventListener("change", changed));
  update();
  return { element, read: () => (select.value === "…" ? typed.read() : words.find((word) => String(word) === select.value)) };
}

function amount(kind, start) {
  const whole = kind.type === "integer";
  const step = whole ? 1 : 0.01;
  const min = kind.minimum ?? (kind.exclusiveMinimum === undefined ? undefined : kind.exclusiveMinimum + step);
  const max = kind.maximum ?? (kind.exclusiveMaximum === undefined ? undefined : kind.exclusiveMaximum - step);
  const first = typeof start === "number" ? start : max ?? min ?? 0;
  const input = h("input", { type: "number", step: String(step), min: String(min ?? ""), max: String(max ?? ""), value: String(first), "aria-label": "Number" });
  const read = () => {
    const value = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : first;
    return Math.min(max ?? value, Math.max(min ?? value, whole ? Math.round(value) : value));
  };
  return { name: "Number…", element: h("span", { class: "typed" }, input), inputs: [input], read };
}

function pair(start) {
  const [w, t] = Array.isArray(start) ? start : [1600, 1600];
  const inputs = [["Width", w], ["Height", t]].map(([name, value]) =>
    h("input", { type: "number", min: "1", max: "10000", step: "1", value: String(value), "aria-label": `${name} in pixels` }));
  const read = () => inputs.map((input) => Math.min(10000, Math.max(1, Math.round(input.valueAsNumber || 1))));
  return { name: "Size…", element: h("span", { class: "typed" }, inputs[0], "×", inputs[1]), inputs, read };
}
