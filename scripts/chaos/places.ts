import type { Engine } from "../../src/ports/engine.ts";
import { collections } from "../../src/delivery/records.ts";

/** Where every group is in every partition, with the versions of the documents that say so, as one text. */
export async function placesOf({ state }: Engine): Promise<string> {
  const documents = (await state?.scan(collections.positions, { limit: 10_000 })) ?? [];
  return JSON.stringify(documents.map(({ key, version, value }) => [key, version, value]));
}
