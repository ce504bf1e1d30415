import type { DeadLetter } from "../delivery/records.ts";
import type { AdminContext } from "./context.ts";
import { type DeadLetterFilter, listDeadLetters } from "./dead-letters.ts";

/** So many are asked for at once: as many as a member reads in one look. */
const batchMax = 200;

/** Calls `each` with dead letters in batches, in the order in which they were given up. */
export async function eachInBatches(
  context: AdminContext,
  filter: DeadLetterFilter,
  options: { readonly limit?: number; readonly signal?: AbortSignal },
  each: (letters: readonly DeadLetter[]) => Promise<void>,
): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY } = options;
  let after: string | undefined;
  for (let taken = 0; taken < limit;) {
    options.signal?.throwIfAborted();
    const page = await listDeadLetters(context, {
      ...filter,
      limit: Math.min(filter.ids?.length ?? batchMax, limit - taken),
      ...(after === undefined ? {} : { after }),
    });
    if (page.length === 0) return;
    await each(page);
    taken += page.length;
    // Ids were asked for one by one: there is no next page.
    if (filter.ids) return;
    after = page[page.length - 1]?.id;
  }
}
