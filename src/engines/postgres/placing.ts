import type { Appended } from "../../ports/topics.ts";
import type { Draft } from "../sql/draft.ts";
import type { Call } from "./call.ts";
import { type Catalog, logOf } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import { identityOf } from "./group.ts";
import type { Settings } from "./options.ts";
import { fromColumn, toColumn } from "./text.ts";

/** An event that is appended: which of its log's in this group it is, from 0. */
export interface Remembered {
  readonly draft: Draft;
  readonly log: number;
  readonly behind: number;
}

/** Where an entry of a call goes: to a place of its own, to where the same event stands, or to the place of an earlier entry. */
type Place = { readonly log: number; readonly behind: number } | Appended | { readonly sameAs: number };

/** Where the events of a group go. */
export interface Placed {
  /** What each log gets, in order. */
  readonly staged: ReadonlyMap<number, readonly Draft[]>;
  /** The events of which the id is kept. */
  readonly remembered: readonly Remembered[];
  /** By call, the places of its entries; a number is the index of an entry whose id means another payload. */
  readonly places: ReadonlyMap<Call, readonly Place[] | number | Error>;
}

interface KnownId {
  readonly source: string;
  readonly id: string;
  readonly hash: string;
  readonly position: number;
}

/** Looks up which of the ids that callers chose are known already. */
export async function knownIds(
  { read }: Pick<Connections, "read">,
  { schema }: Settings,
  calls: readonly Call[],
  windowMs: number,
): Promise<ReadonlyMap<string, KnownId>> {
  const asked: Draft[] = [];
  for (const { drafts } of calls) for (const draft of drafts) if (draft.hash !== undefined) asked.push(draft);
  if (asked.length === 0) return new Map();
  const rows = await read<KnownId>({
    name: "tidings_known_ids",
    text: `SELECT p.source, p.id, p.hash, p.position FROM unnest($1::text[], $2::text[]) AS w(source, id)
      JOIN "${schema}".published_id p ON p.source = w.source AND p.id = w.id WHERE p.at_ms >= "${schema}".now_ms() - $3::bigint`,
    values: [asked.map(({ source }) => toColumn(source)), asked.map(({ id }) => toColumn(id)), windowMs],
  });
  return new Map(
    rows.map((row) => [identityOf({ source: fromColumn(row.source), id: fromColumn(row.id) } as Draft), row]),
  );
}

/** Gives the events of a group their places. A call that is refused gets none. */
export function place(calls: readonly Call[], catalog: Catalog, known: ReadonlyMap<string, KnownId>): Placed {
  const staged = new Map<number, Draft[]>();
  const remembered: Remembered[] = [];
  const places = new Map<Call, readonly Place[] | number | Error>();
  for (const call of calls) {
    const planned = planOf(call, catalog, known);
    if (!Array.isArray(planned)) {
      places.set(call, planned);
      continue;
    }
    const mine: Place[] = [];
    for (let index = 0; index < planned.length; index++) {
      const target = planned[index] as Planned;
      const draft = call.drafts[index] as Draft;
      if (typeof target !== "number") {
        mine.push(target);
        continue;
      }
      let drafts = staged.get(target);
      if (!drafts) staged.set(target, (drafts = []));
      const behind = drafts.push(draft) - 1;
      mine.push({ log: target, behind });
      if (draft.hash !== undefined) remembered.push({ draft, log: target, behind });
    }
    places.set(call, mine);
  }
  return { staged, remembered, places };
}

/** A log, where the event stands already, or the entry that it repeats. */
type Planned = number | Appended | { readonly sameAs: number };

/** What becomes of the entries of a call; an index when one means another payload, an error when one has no place. */
function planOf({ drafts }: Call, catalog: Catalog, known: ReadonlyMap<string, KnownId>): Planned[] | number | Error {
  const plan: Planned[] = [];
  let batch: Map<string, number> | undefined;
  for (let index = 0; index < drafts.length; index++) {
    const draft = drafts[index] as Draft;
    let log: number;
    try {
      log = logOf(catalog.get(draft.topic), draft.topic, draft.partition);
    } catch (error) {
      return error as Error;
    }
    if (draft.hash === undefined) {
      plan.push(log);
      continue;
    }
    const identity = identityOf(draft);
    batch ??= new Map();
    const there = known.get(identity);
    const earlier = batch.get(identity);
    const hash = there?.hash ?? (earlier === undefined ? undefined : drafts[earlier]?.hash);
    if (hash !== undefined && hash !== draft.hash) return index;
    if (there) plan.push({ position: there.position, duplicate: true });
    else if (earlier !== undefined) plan.push({ sameAs: earlier });
    else plan.push(log);
    if (earlier === undefined) batch.set(identity, index);
  }
  return plan;
}

/** What a call is answered with, from where its logs stood. */
export function appendedOf(places: readonly Place[], nextOf: (log: number) => number): readonly Appended[] {
  const appended: Appended[] = [];
  for (const place of places) {
    if ("sameAs" in place) appended.push({ position: (appended[place.sameAs] as Appended).position, duplicate: true });
    else if ("log" in place) appended.push({ position: nextOf(place.log) + place.behind, duplicate: false });
    else appended.push(place);
  }
  return appended;
}
