import type { Document, State } from "../ports/state.ts";
import type { DocumentWrite } from "../ports/transaction.ts";
import { committed, given } from "./expect.ts";
import type { Env } from "./suite.ts";

/** Writes documents of one collection in one transaction; null removes. */
export async function put(
  env: Env,
  collection: string,
  values: Readonly<Record<string, string | null>>,
): Promise<void> {
  const documents = Object.entries(values).map(([key, value]): DocumentWrite => ({ collection, key, value }));
  committed(await env.transact({ documents }));
}

/** One document. */
export async function find(state: State, collection: string, key: string): Promise<Document | undefined> {
  const [document] = await state.get(collection, [key]);
  return document;
}

/** The value of a document, which must be there. */
export const valueOf = async (state: State, collection: string, key: string): Promise<string> =>
  given(await find(state, collection, key), `the document ${key}`).value;
