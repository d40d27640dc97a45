// File names for what is saved: from the user's own, without anything that leads out of a folder or upsets a system.

const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;
const LONGEST = 80;

export function stem(name) {
  const last = name.normalize("NFC").split(/[\\/]/).pop().replace(/\.[A-Za-z0-9]{1,5}$/, "");
  const clean = last.replace(/[\p{C}\p{Zl}\p{Zp}<>:"|?*]/gu, "_").replace(/^[.\s]+|[.\s]+$/g, "");
  const short = [...clean].slice(0, LONGEST).join("").trim();
  return !short || RESERVED.test(short) ? "picture" : short;
}

export const fileName = (name, suffix, extension) => `${stem(name)}${suffix}.${extension}`;

// A name that is not yet in the set (of names in lower case, for systems that do not tell them apart), entered into it.
export function unique(name, taken) {
  const [, head, tail] = name.match(/^(.*?)(\.[^./]*)?$/s);
  let found = name;
  for (let n = 2; taken.has(found.toLowerCase()); n += 1) found = `${head} (${n})${tail ?? ""}`;
  taken.add(found.toLowerCase());
  return found;
}
