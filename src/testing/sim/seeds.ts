import { TidingsError } from "../../errors/tidings-error.ts";

/** Which simulation a seed is for. It rises when a change makes old seeds mean something else. */
export const seedVersion = 1;

/** `1-000042`: the version of the simulation and a number. */
export function seedText(number: number): string {
  return `${seedVersion}-${String(number).padStart(6, "0")}`;
}

/** The number in a seed: text with a version, or a plain number. Throws TIDINGS_INVALID_OPTION. */
export function seedNumber(seed: string | number): number {
  const match = /^(?:(\d+)-)?(\d{1,9})$/.exec(String(seed));
  if (!match) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `${JSON.stringify(seed)} is no seed: give a whole number of at most nine digits, or a seed as it is printed, such as ${seedText(42)}.`,
    );
  }
  const [, version, number] = match;
  if (version !== undefined && Number(version) !== seedVersion) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The seed ${seed} is of version ${version} and this simulation is version ${seedVersion}: the same number would give another run. Check out the commit that printed it, or run ${seedText(Number(number))} for a run of this version.`,
    );
  }
  return Number(number);
}
