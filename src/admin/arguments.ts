import { isObject, sketch, wrongArgument } from "../lib/arguments.ts";
import type { Admin } from "./admin.ts";
import type { Place } from "./read-events.ts";

/** What is wrong with an argument; undefined when nothing is. */
type Rule = (value: unknown) => string | undefined;

const rule =
  (wanted: string, holds: (value: unknown) => boolean): Rule =>
  (value) =>
    holds(value) ? undefined : `takes ${wanted}, and was given ${sketch(value)}`;
const optional =
  (inner: Rule): Rule =>
  (value) =>
    value === undefined ? undefined : inner(value);

const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const name = rule("a name", isText);
const id = rule("an id", isText);
const key = rule("a key", isText);
const object = rule("an object", isObject);
const options = optional(rule("an object of options", isObject));
const reasoned = rule("an object with a reason", (value) => isObject(value) && isText(value["reason"]));
const place = rule("start, end, { timeMs } or { partition, position }", isPlace);

function isPlace(value: unknown): value is Place {
  if (value === "start" || value === "end") return true;
  if (!isObject(value)) return false;
  return Number.isFinite(value["timeMs"]) || (isWhole(value["partition"]) && isWhole(value["position"]));
}

const events: Rule = (value) => {
  if (!Array.isArray(value)) return `takes a list of events, and was given ${sketch(value)}`;
  const index = value.findIndex((each: unknown) => !isObject(each) || !isText(each["topic"]));
  return index < 0 ? undefined : `takes events with their topic, and item ${index} is ${sketch(value[index])}`;
};

const reading: Rule = (value) => {
  if (!isObject(value)) return object(value);
  const rules: Readonly<Record<string, Rule>> = {
    topics: rule("a list of names", isTexts),
    from: place,
    limit: optional(rule("a number", (limit) => typeof limit === "number")),
    key: optional(key),
    types: optional(rule("a list of event types", isTexts)),
    where: optional(rule("a function", (where) => typeof where === "function")),
  };
  for (const [member, check] of Object.entries(rules)) {
    const problem = check(value[member]);
    if (problem !== undefined) return `${problem} for ${member}`;
  }
  return undefined;
};

type Verbs<Group> = { readonly [Verb in keyof Group]: readonly Rule[] };

/** What each operation takes. */
const signatures: { readonly [Group in keyof Admin]: Verbs<Admin[Group]> } = {
  topics: { list: [], show: [name], create: [name, options] },
  events: { publish: [events, options], read: [reading], find: [id, options] },
  subscriptions: { list: [], show: [name], pause: [name, reasoned], resume: [name], seek: [name, place, options] },
  heldKeys: { list: [options], pause: [name, key, reasoned], resume: [name, key, options] },
  deadLetters: {
    list: [options], count: [options], groups: [options], show: [id], edit: [id, object, options],
    redrive: [object, options], discard: [object, options], undoDiscard: [object, options],
  },
  redrives: {
    plan: [object, options], start: [object, options], list: [], show: [id], pause: [id, options], resume: [id, options],
    cancel: [id, options], wait: [id, options],
  },
  breakers: { list: [], show: [name], open: [name, reasoned], close: [name, reasoned] },
  outbox: { partitions: [], parked: [options], retry: [id], discard: [id] },
  engine: { info: [], verify: [options], guarantees: [], diagnose: [options], adopt: [options] },
}; // prettier-ignore

/** These answer with no promise. */
const direct = ["events.read", "engine.guarantees"];

/** The same operations, which refuse what they do not take. They throw or reject with TIDINGS_INVALID_ARGUMENT. */
export function withArgumentsChecked(admin: Admin): Admin {
  const groups = Object.entries(signatures).map(([group, verbs]) => {
    const operations = admin[group as keyof Admin] as unknown as Record<string, (...given: unknown[]) => unknown>;
    const checked = Object.entries(verbs as Record<string, readonly Rule[]>).map(([verb, rules]) => {
      const where = `${group}.${verb}`;
      const call = (...given: unknown[]): unknown => {
        checkArguments(where, rules, given);
        return operations[verb]?.(...given);
      };
      return [verb, direct.includes(where) ? call : async (...given: unknown[]) => call(...given)];
    });
    return [group, Object.fromEntries(checked)];
  });
  return Object.fromEntries(groups) as Admin;
}

function checkArguments(where: string, rules: readonly Rule[], given: readonly unknown[]): void {
  for (const [index, check] of rules.entries()) {
    const problem = check(given[index]);
    if (problem === undefined) continue;
    const which = ["first", "second", "third"][index] ?? `${index + 1}th`;
    throw wrongArgument(`admin.${where}() ${problem} as its ${which} argument.`, { argument: index });
  }
}
