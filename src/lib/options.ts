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

/** The error of an option that has no value of its kind. */
export function invalidOption(where: string, option: string, sentence: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option "${option}" of ${where} ${sentence}.`, {
    details: { option },
  });
}

/** Refuses options of these names that are neither true nor false. Throws TIDINGS_INVALID_OPTION. */
export function checkFlags<Name extends string>(
  where: string,
  options: Readonly<Partial<Record<NoInfer<Name>, unknown>>>,
  names: readonly Name[],
): void {
  for (const name of names)
    if (options[name] !== undefined && typeof options[name] !== "boolean")
      throw invalidOption(where, name, "is true or false");
}

/** The options that are numbers above 0, with defaults for those that are not given. Throws TIDINGS_INVALID_OPTION. */
export function numbersOf<Name extends string>(
  where: string,
  options: Readonly<Partial<Record<NoInfer<Name>, unknown>>>,
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const filled: Record<Name, number> = { ...defaults };
  for (const name of Object.keys(defaults) as Name[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value > 0)) throw invalidOption(where, name, "is a number greater than 0");
    filled[name] = value;
  }
  return filled;
}

/** What the text of an option in an address stands for; what is of no kind stays the text, and is refused as such. */
export function valueOfText(
  name: string,
  text: string,
  kinds: { readonly numbers: readonly string[]; readonly flags: readonly string[] },
): unknown {
  if (kinds.numbers.includes(name)) return Number(text);
  if (!kinds.flags.includes(name)) return text;
  return text === "true" ? true : text === "false" ? false : text;
}
