import type { EventRecord } from "../../event/record.ts";

/** Stands for whatever differs from event to event. One sign for all of it: an id may be a number today and hex tomorrow. */
const placeholder = "#";
/** What is looked at of a message, and what is kept of it. */
const lookedAtMax = 1000;
const keptMax = 160;
/** How many texts of a payload are looked for in a message, and how much of a payload is read for them. */
const valuesMax = 100;
const payloadMax = 64 * 1024;

/**
 * Quoted text, and a quote that never ends; a mark within a word is an apostrophe. Of what JavaScript itself complains, as in
 * "(reading 'total')", the name of the property tells the fault.
 */
const quoted = /(?<![\p{L}\p{N}]|\((?:reading|setting) )(?:"(?:[^"\\]|\\.)*(?:"|$)|'.*?(?:'(?![\p{L}\p{N}])|$)|`[^`]*(?:`|$)|“[^”]*(?:”|$)|«[^»]*(?:»|$)|„[^“”]*(?:[“”]|$))/gsu; // prettier-ignore
const urls = /(?<![\p{L}\p{N}])[a-z][a-z0-9+.-]*:\/\/\S+/giu;
const addresses = /\S+@[^\s@]+\.[^\s@]+/g;
const paths = /(?<![\p{L}\p{N}])(?:[a-z]:\\|\.{0,2}\/|~\/)[^\s:,;()]+/giu;
const words = /[\p{L}\p{M}\p{N}_.+-]+/gu;
/** Lists and JSON of any length look alike. */
const runs = /[\s[{(<]*#[\s,;:|/=[\]{}()<>#]*/g;

/**
 * What is always the same in messages of one fault: "order 17 of ann@x.org is late" and "order 4 of bob@y.org is late"
 * are both "order # of # is late". Numbers, dates, ids, hex, addresses, paths and quoted text are taken out, and the
 * texts in `known`, which the event itself brought; what is left is cut to a sensible length. The idea, to look alike
 * by the place and by the message without its parameters, is that of error trackers such as Sentry.
 */
export function generalize(message: string, known: readonly string[] = []): string {
  const kept = message
    .slice(0, lookedAtMax)
    .replace(quoted, placeholder)
    .replace(urls, placeholder)
    .replace(addresses, placeholder)
    .replace(paths, placeholder);
  const general = replaceKnown(kept, known).replace(words, (word) => (isVarying(word) ? placeholder : word));
  return general.replace(runs, " # ").replace(/\s+/g, " ").trim().slice(0, keptMax);
}

/** Words with a digit, words of hex, and what is too long to be a word. */
function isVarying(word: string): boolean {
  return /\p{N}/u.test(word) || /^[0-9a-f]{8,}$/i.test(word) || word.length >= 32;
}

/** A message that is nothing but such a text says all there is: it stays. */
function replaceKnown(message: string, known: readonly string[]): string {
  let text = message;
  for (const value of [...known].sort((a, b) => b.length - a.length)) {
    if (!text.includes(value)) continue;
    const literal = value.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    text = text.replace(new RegExp(`(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])`, "gu"), placeholder);
  }
  return /\p{L}/u.test(text) ? text : message;
}

/**
 * What an event has brought that may stand in a message: its key, id and subject, and the texts of its payload. Single words
 * without capitals are left out, since "card" and "stock" tell what is wrong more often than who it is about.
 */
export function textsOf({
  key,
  id,
  attributes,
  data,
}: Pick<EventRecord, "key" | "id" | "attributes" | "data">): readonly string[] {
  const texts = new Set<string>([id]);
  if (key) texts.add(key);
  if (attributes?.["subject"]) texts.add(attributes["subject"]);
  if (typeof data !== "string" || data.length > payloadMax) return [...texts];
  const collect = (value: unknown): void => {
    if (texts.size >= valuesMax) return;
    if (typeof value === "string") {
      if (value.length > 2 && value.length <= lookedAtMax && !/^(?:[\p{Ll}_-]+|[\p{Lu}_-]+)$/u.test(value))
        texts.add(value);
    } else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) collect(each);
  };
  try {
    collect(JSON.parse(data));
  } catch {
    // What is no JSON brings no texts.
  }
  return [...texts];
}

/** Short hash of what makes two failures alike. FNV-1a over two lanes of 32 bits. */
export function fingerprint(...parts: readonly string[]): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const char of parts.join("\u0000")) {
    const unit = char.codePointAt(0) as number;
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ (unit + 0x9e37), 0x85ebca6b);
  }
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
}
