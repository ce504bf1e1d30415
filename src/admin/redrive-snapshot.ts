import { TidingsError } from "../errors/tidings-error.ts";
import type { DeadLetter } from "../delivery/records.ts";
import type { RedriveFilter } from "../delivery/redrive/documents.ts";
import type { AdminContext } from "./context.ts";
import { type DeadLetterFilter, isTelling } from "./dead-letter-filter.ts";
import { countDeadLetters, lettersOf, namesOf } from "./dead-letters.ts";

/** As much of a dead letter as an operation must know, for 100,000 of them are kept at once. */
export interface Covered {
  readonly id: string;
  readonly subscription: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly key: string | null;
  readonly redrives: number;
  readonly fingerprint: string;
}

/** The dead letters that match now, oldest first, those of a key in the order of the key. */
export async function snapshot(
  context: AdminContext,
  filter: DeadLetterFilter,
  max = Number.POSITIVE_INFINITY,
  wanted: (letter: DeadLetter) => boolean = () => true,
): Promise<readonly Covered[]> {
  const all: Covered[] = [];
  for (const name of await namesOf(context, filter.subscription))
    for await (const letter of lettersOf(context, name, filter)) if (wanted(letter)) all.push(coveredOf(letter));
  return inOrderOfKeys(all.sort(byId).slice(0, Math.min(max, all.length)));
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

function coveredOf({ id, subscription, topic, partition, position, key, redrives, failure }: DeadLetter): Covered {
  return { id, subscription, topic, partition, position, key, redrives, fingerprint: failure.fingerprint };
}

/** Events that passed each other on the way to be given up are put right: each key keeps its places in the list. */
function inOrderOfKeys(all: readonly Covered[]): readonly Covered[] {
  const places = new Map<string, number[]>();
  for (const [place, { subscription, key }] of all.entries()) {
    if (key === null) continue;
    const name = `${subscription}/${key}`;
    const known = places.get(name);
    if (known) known.push(place);
    else places.set(name, [place]);
  }
  const ordered = [...all];
  for (const mine of places.values()) {
    if (mine.length === 1) continue;
    const letters = mine.map((place) => all[place] as Covered).sort((a, b) => a.position - b.position);
    for (const [i, place] of mine.entries()) ordered[place] = letters[i] as Covered;
  }
  return ordered;
}

/**
 * Refuses a filter that selects nothing, or all there is without saying so. Throws TIDINGS_NOTHING_SELECTED,
 * TIDINGS_CONFIRMATION_NEEDED.
 */
export async function checkSelection(
  context: AdminContext,
  filter: RedriveFilter,
  selected: number,
  everything: boolean,
): Promise<void> {
  if (selected === 0)
    throw new TidingsError(
      "TIDINGS_NOTHING_SELECTED",
      Object.keys(filter).length === 0
        ? "There is no open dead letter."
        : `No open dead letter matches ${filterText(filter)}: look with \`tidings dlq ls\`.`,
    );
  if (everything || isTelling(filter)) return;
  // Those that are being redriven lie beside the open ones, and nobody can select them.
  if (selected < (await countDeadLetters(context, { state: "open" }))) return;
  throw new TidingsError(
    "TIDINGS_CONFIRMATION_NEEDED",
    `This selects all ${selected} open dead letters there are; say so with everything: true (--yes), or narrow the filter.`,
    { details: { selected } },
  );
}

/** A filter as people read it. */
export function filterText(filter: DeadLetterFilter): string {
  const { ids, ...conditions } = filter;
  const parts = Object.entries(conditions).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  if (ids) parts.push(ids.length === 1 ? `the id ${ids[0]}` : `one of ${ids.length} ids`);
  return parts.length === 0 ? "(there are no conditions)" : parts.join(" and ");
}
