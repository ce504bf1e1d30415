import type { State } from "../../ports/state.ts";
import { collections, type DeadLetter } from "../records.ts";
import { itemStatus } from "./documents.ts";
import type { RedriveItem } from "./items.ts";

/** Dead letters read at once. */
const pageMax = 200;

/** What has become of dead letters of one subscription that an operation has sent back, as far as it is known. */
export async function readOutcomes(
  state: State,
  operation: string,
  subscription: string,
  items: readonly RedriveItem[],
): Promise<ReadonlyMap<RedriveItem, number>> {
  const outcomes = new Map<RedriveItem, number>();
  for (let from = 0; from < items.length; from += pageMax) {
    const page = items.slice(from, from + pageMax);
    const open = await read(state, collections.deadLetters(subscription), page);
    const gone = page.filter((item) => !open.has(item));
    // It is closed in the same commit in which it leaves the open ones.
    const closed = await read(state, collections.closedDeadLetters(subscription), gone);
    for (const item of page) {
      const status = outcomeOf(operation, open.get(item), closed.get(item));
      if (status !== undefined) outcomes.set(item, status);
    }
  }
  return outcomes;
}

/** Undefined while it is under way. */
function outcomeOf(
  operation: string,
  open: DeadLetter | undefined,
  closed: DeadLetter | undefined,
): number | undefined {
  const letter = open ?? closed;
  if (!letter) return itemStatus.setAside;
  // Another operation has sent it since, so it had failed again.
  if (letter.redrive?.operation !== operation) return itemStatus.failedAgain;
  if (!letter.redrive.over && letter.state === "redriving") return undefined;
  if (!letter.redrive.over && letter.state === "resolved") return itemStatus.succeeded;
  return letter.redrive.failedAtMs === undefined ? itemStatus.setAside : itemStatus.failedAgain;
}

async function read(
  state: State,
  collection: string,
  items: readonly RedriveItem[],
): Promise<ReadonlyMap<RedriveItem, DeadLetter>> {
  const found = new Map<RedriveItem, DeadLetter>();
  if (items.length === 0) return found;
  const documents = await state.get(
    collection,
    items.map(({ id }) => id),
  );
  for (const [i, document] of documents.entries())
    if (document) found.set(items[i] as RedriveItem, JSON.parse(document.value) as DeadLetter);
  return found;
}
