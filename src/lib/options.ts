import { TidingsError } from "../errors/tidings-error.ts";
import { closest } from "./closest.ts";

/** Refuses option names that do not exist, suggesting the one that was probably meant. Throws TIDINGS_INVALID_OPTION. */
export function checkOptions(where: string, options: object, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TidingsError("TIDINGS_INVALID_OPTION", `${where} takes an object of options.`);
  }
  for (const name of Object.keys(options)) {
    if (allowed.includes(name)) continue;
    const meant = closest(name, allowed);
    const help = meant ? `did you mean "${meant}"?` : `it takes ${allowed.join(", ")}.`;
    throw new TidingsError("TIDINGS_INVALID_OPTION", `${where} has no option "${name}"; ${help}`, {
      details: { option: name, ...(meant ? { suggestion: meant } : {}) },
    });
  }
}
