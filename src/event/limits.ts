import { TidingsError } from "../errors/tidings-error.ts";

/** Limits on what an event may be. */
export interface EventLimits {
  /** Largest event in bytes: payload, key and attributes. */
  readonly eventBytesMax: number;
  /** How deep arrays and objects may be nested. */
  readonly depthMax: number;
}

/** One MiB and 64 levels. */
export const defaultLimits: EventLimits = Object.freeze({ eventBytesMax: 1024 * 1024, depthMax: 64 });

/**
 * Refuses JSON text that is nested too deep or names a property `__proto__`. Looks at the text first and walks the
 * value only when the text raises a suspicion, which for ordinary events it never does.
 * Throws TIDINGS_EVENT_TOO_DEEP, TIDINGS_FORBIDDEN_PROPERTY.
 */
export function checkShape(text: string, value: () => unknown, limits: EventLimits, what: string): void {
  const suspicious = text.includes("__proto__") || text.includes("\\u00");
  if (!suspicious && brackets(text, limits.depthMax) <= limits.depthMax) return;
  walk(value(), 1, limits.depthMax, what);
}

/** How many brackets open in the text, counting no further than `enough`: an upper bound of its depth. */
function brackets(text: string, enough: number): number {
  let count = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++count > enough) return count;
    }
  }
  return count;
}

function walk(value: unknown, depth: number, depthMax: number, what: string): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > depthMax) {
    throw new TidingsError(
      "TIDINGS_EVENT_TOO_DEEP",
      `The payload of ${what} is nested deeper than ${depthMax} levels.`,
    );
  }
  if (Array.isArray(value)) {
    for (const item of value) walk(item, depth + 1, depthMax, what);
    return;
  }
  for (const name of Object.keys(value)) {
    if (name === "__proto__") {
      throw new TidingsError(
        "TIDINGS_FORBIDDEN_PROPERTY",
        `The payload of ${what} has a property "__proto__", which is refused.`,
      );
    }
    walk((value as Record<string, unknown>)[name], depth + 1, depthMax, what);
  }
}
