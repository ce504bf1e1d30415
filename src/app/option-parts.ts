import { TidingsError } from "../errors/tidings-error.ts";
import { isObject, sketch } from "../lib/arguments.ts";
import type { AppOptions } from "./options.ts";

type Part = readonly [option: keyof AppOptions, wanted: string, holds: (value: unknown) => boolean];

const hasFunctions =
  (...names: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "object" && value !== null && names.every((name) => typeof (value as never)[name] === "function");
const isText = (value: unknown): boolean => typeof value === "string";

/** What is not checked more closely where it is used. */
const parts: readonly Part[] = [
  ["url", "text such as sqlite:shop.db", isText],
  ["engine", "what memory(…), sqlite(…) and their like return", hasFunctions("open")],
  ["version", "text", isText],
  ["logger", "a logger with debug, info, warn and error", hasFunctions("debug", "info", "warn", "error")],
  ["signal", "an AbortSignal", hasFunctions("addEventListener", "throwIfAborted")],
  ["policies", "an object with policies by event type", (value) => isObject(value) && Object.values(value).every(isObject)],
  ["delivery", "an object of options", isObject],
  ["use", "a list of functions", (value) => Array.isArray(value) && value.every((each) => typeof each === "function")],
  ["hooks", "an object of functions", isObject],
  ["limits", "an object of limits", isObject],
  ["platform", "a platform with clock, random and ids", (value) => isObject(value) && ["clock", "random", "ids"].every((name) => isObject(value[name]))],
]; // prettier-ignore

/** Refuses options of the wrong kind, and what is no service or no topic among those, with its index. Throws TIDINGS_INVALID_OPTION. */
export function checkOptionParts(options: AppOptions): void {
  for (const [option, wanted, holds] of parts) {
    const value: unknown = options[option];
    if (value !== undefined && !holds(value)) throw wrong(option, `takes ${wanted}, and was given ${sketch(value)}`);
  }
  checkList(
    options,
    "services",
    "what service(…) returns",
    ({ name, routes }) => isText(name) && routes instanceof Map,
  );
  checkList(options, "topics", "what topic(…) returns", ({ name }) => isText(name));
}

function checkList(
  options: AppOptions,
  option: "services" | "topics",
  wanted: string,
  holds: (value: Readonly<Record<string, unknown>>) => boolean,
): void {
  const list: unknown = options[option];
  if (list === undefined) return;
  if (!Array.isArray(list)) throw wrong(option, `takes a list, and was given ${sketch(list)}`);
  for (let index = 0; index < list.length; index++) {
    const value: unknown = list[index];
    if (!isObject(value) || !holds(value))
      throw wrong(option, `takes ${wanted}, and item ${index} is ${sketch(value)}`);
  }
}

function wrong(option: string, problem: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${option} of tidings() ${problem}.`, {
    details: { option },
  });
}
