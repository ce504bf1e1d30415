import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import { isContract } from "../event/contract.ts";
import { isObject, sketch, wrongArgument } from "../lib/arguments.ts";

const shape = "[event type, data, options?]";

/** Refuses what is no list of publications; the message names the first that is wrong. Throws TIDINGS_INVALID_ARGUMENT. */
export function checkPublications(publications: unknown): void {
  if (!Array.isArray(publications))
    throw wrongArgument(`publishAll takes a list of ${shape}, and was given ${sketch(publications)}.`);
  // A loop by index: holes are items as well, and every event of a batch passes here.
  for (let index = 0; index < publications.length; index++) {
    const problem = problemOf(publications[index]);
    if (problem === undefined) continue;
    throw wrongArgument(`Item ${index} of publishAll ${problem}; each is ${shape}. Nothing was published.`, { index });
  }
}

function problemOf(item: unknown): string | undefined {
  if (!Array.isArray(item)) return `is ${sketch(item)}`;
  const [contract, , options] = item as readonly unknown[];
  if (!isContract(contract)) return `begins with ${sketch(contract)}, which is no event type made by topic(…).event(…)`;
  if (options !== undefined && !isObject(options)) return `has ${sketch(options)} for options`;
  return undefined;
}

/** What is wrong with one of several, with its index. */
export function ofPublication(error: unknown, index: number): unknown {
  if (!isTidingsError(error)) return error;
  const { code, message, cause, details } = error;
  return new TidingsError(code, `Item ${index} of publishAll: ${message}`, { cause, details: { ...details, index } });
}
