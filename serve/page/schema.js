// A form field for one option of a product, from its JSON schema. `read()` gives its value.
import { h, title } from "./dom.js";
import { wordsOf } from "./options.js";

let fields = 0;

export function field(name, schema, definitions, changed) {
  const kinds = (schema.anyOf ?? schema.oneOf ?? [schema]).map((kind) => resolve(kind, definitions));
  const values = kinds.flatMap((kind) => kind.enum ?? (kind.const !== undefined ? [kind.const] : [])).filter((value) => value !== "picture" || schema.default === value); // no request names a file
  const number = kinds.find((kind) => kind.type === "integer" || kind.type === "number");
  const list = kinds.find((kind) => kind.type === "array");
  const start = schema.default;
  fields += 1;
  const words = { id: `option-${fields}`, ...wordsOf(name, schema, values) };
  const marks = { id: words.id, "aria-describedby": words.note ? `${words.id}-note` : null, onchange: changed };
  if (kinds.some((kind) => kind.type === "boolean")) return tick(words, marks, start);
  if (list && list.minItems === 3) return colour(words, marks, start);
  const object = kinds.find((kind) => kind.type === "object" && kind.properties);
  if (object) return texts(words, marks, start, Object.keys(object.properties));
  if (values.length && list?.minItems === 2) return choice(words, marks, start, values, pair(start, changed));
  if (values.length) return choice(words, marks, start, values, number ? amount(words, number, start, { "aria-label": words.label, onchange: changed }) : null);
  const sizes = list?.minItems === 2 && resolve(list.prefixItems?.[0] ?? {}, definitions).type === "integer";
  if (sizes && kinds.some((kind) => kind.type === "null")) return choice(words, marks, start, [null], pair(start, changed));
  if (sizes) return single(words, pair(start, changed, words.id));
  if (list?.minItems === 2) return single(words, place(words, start, changed));
  if (number && kinds.some((kind) => kind.type === "null")) return choice(words, marks, start, [null], amount(words, number, start, { "aria-label": words.label, onchange: changed }));
  if (number) return single(words, amount(words, number, start, marks));
  if (kinds.some((kind) => kind.type === "string" && kind.format !== "binary")) return text(words, marks, start);
  return null; // what no form can hold, such as a file
}

function resolve(kind, definitions) {
  return kind.$ref ? resolve(definitions[kind.$ref.split("/").pop()] ?? {}, definitions) : kind;
}

const note = ({ id, note: said }) => (said ? h("small", { id: `${id}-note` }, said) : null);
const framed = (words, ...controls) => h("div", { class: "field" }, h("label", { for: words.id }, words.label), ...controls, note(words));
const single = (words, { element, read }) => ({ element: framed(words, element), read });

function tick(words, marks, start) {
  const box = h("input", { type: "checkbox", checked: Boolean(start), ...marks });
  const element = h("div", { class: "field" }, h("label", { class: "tick" }, box, h("span", {}, words.label)), note(words));
  return { element, read: () => box.checked };
}

function text(words, marks, start) {
  const input = h("input", { type: "text", value: start ?? "", ...marks });
  return single(words, { element: input, read: () => input.value });
}

// Some texts by their names; what is empty says nothing.
function texts(words, marks, start, names) {
  const inputs = names.map((name, at) => h("input", {
    ...marks, id: at ? null : words.id, type: "text", value: start?.[name] ?? "", placeholder: title(name), "aria-label": `${words.label}: ${title(name)}`,
  }));
  const read = () => Object.fromEntries(names.map((name, at) => [name, inputs[at].value]).filter(([, value]) => value));
  return { element: framed(words, ...inputs), read };
}

function colour(words, marks, start) {
  const hex = `#${(start ?? [255, 255, 255]).slice(0, 3).map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  const input = h("input", { type: "color", value: hex, ...marks });
  return single(words, { element: input, read: () => [1, 3, 5].map((at) => parseInt(input.value.slice(at, at + 2), 16)) });
}

// A choice of values, perhaps with something to be typed as the last one.
function choice(words, marks, start, values, typed) {
  const options = values.map((value) => h("option", { value: String(value), selected: value === start }, words.choices(value)));
  if (typed) options.push(h("option", { value: "…", selected: !values.includes(start) }, typed.name));
  const select = h("select", marks, options);
  const update = () => { if (typed) typed.element.hidden = select.value !== "…"; };
  select.addEventListener("change", update);
  update();
  const read = () => (select.value === "…" ? typed.read() : values.find((value) => String(value) === select.value));
  return { element: framed(words, select, typed?.element), read };
}

// A number with its unit. Shares of 0..1 are shown and typed as percent.
function amount({ unit }, kind, start, marks) {
  const share = kind.type === "number" && (kind.minimum ?? kind.exclusiveMinimum) >= 0 && (kind.maximum ?? kind.exclusiveMaximum) <= 1;
  const whole = share || kind.type === "integer";
  const [scale, step] = [share ? 100 : 1, whole ? 1 : 0.01];
  const min = kind.minimum !== undefined ? kind.minimum * scale : kind.exclusiveMinimum !== undefined ? kind.exclusiveMinimum * scale + step : undefined;
  const max = kind.maximum !== undefined ? kind.maximum * scale : kind.exclusiveMaximum !== undefined ? kind.exclusiveMaximum * scale - step : undefined;
  const first = typeof start === "number" ? Math.round(start * scale * 100) / 100 : max ?? min ?? 0;
  const input = h("input", { type: "number", step: String(step), min: String(min ?? ""), max: String(max ?? ""), value: String(first), ...marks });
  const read = () => {
    const value = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : first;
    return Math.min(max ?? value, Math.max(min ?? value, whole ? Math.round(value) : value)) / scale;
  };
  return { name: "Number…", element: h("span", { class: "typed" }, input, share ? "%" : unit), read };
}

// A place: how far from the left and from the top, as shares of 0..1.
function place({ id, label }, start, changed) {
  const inputs = ["from the left", "from the top"].map((side, at) => h("input", {
    id: at ? null : id, type: "number", min: "0", max: "100", step: "1", value: String(Math.round((start ?? [0.5, 0.5])[at] * 100)),
    "aria-label": `${label}, ${side}, in percent`, onchange: changed,
  }));
  const read = () => inputs.map((input) => Math.min(100, Math.max(0, Math.round(input.valueAsNumber || 0))) / 100);
  return { element: h("span", { class: "typed" }, inputs[0], "% ×", inputs[1], "%"), read };
}

function pair(start, changed, id = null) {
  const [width, height] = Array.isArray(start) ? start : [1600, 1600];
  const inputs = [["Width", width], ["Height", height]].map(([name, value]) => h("input", {
    id: name === "Width" ? id : null, type: "number", min: "1", max: "10000", step: "1", value: String(value), "aria-label": `${name} in pixels`, onchange: changed,
  }));
  const read = () => inputs.map((input) => Math.min(10000, Math.max(1, Math.round(input.valueAsNumber || 1))));
  return { name: "Own size…", element: h("span", { class: "typed" }, inputs[0], "×", inputs[1], "pixels"), read };
}
