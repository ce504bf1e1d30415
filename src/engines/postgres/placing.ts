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
  /** In the order of the calls, the places of their entries; a number is the index of an entry whose id means another payload. */
  readonly places: readonly (readonly Place[] | number | Error)[];
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
  const places = calls.map((call) => {
    const plan = planOf(call, catalog, known);
    if (Array.isArray(plan)) stage(plan, call, staged, remembered);
    return plan as readonly Place[] | number | Error;
  });
  return { staged, remembered, places };
}

/** Puts the events of a call behind those of the calls before it, and turns each log in its plan into the place there. */
function stage(plan: Planned[], { drafts }: Call, staged: Map<number, Draft[]>, remembered: Remembered[]): void {
  for (let index = 0; index < plan.length; index++) {
    const log = plan[index] as Planned;
    if (typeof log !== "number") continue;
    const draft = drafts[index] as Draft;
    let ofLog = staged.get(log);
    if (!ofLog) staged.set(log, (ofLog = []));
    const behind = ofLog.push(draft) - 1;
    plan[index] = { log, behind };
    if (draft.hash !== undefined) remembered.push({ draft, log, behind });
  }
}

/** A log, where the event stands already, or the entry that it repeats. */
type Planned = number | Place;

/** What becomes of the entries of a call; an index when one means another payload, an error when one has no place. */
function planOf({ drafts }: Call, catalog: Catalog, known: ReadonlyMap<string, KnownId>): Planned[] | number | Error {
  let plan: Planned[];
  try {
    plan = drafts.map(({ topic, partition }) => logOf(catalog.get(topic), topic, partition));
  } catch (error) {
    return error as Error;
  }
  let batch: Map<string, number> | undefined;
  for (let index = 0; index < drafts.length; index++) {
    const draft = drafts[index] as Draft;
    if (draft.hash === undefined) continue;
    const identity = identityOf(draft);
    batch ??= new Map();
    const there = known.get(identity);
    const earlier = batch.get(identity);
    const hash = there?.hash ?? (earlier === undefined ? undefined : drafts[earlier]?.hash);
    if (hash !== undefined && hash !== draft.hash) return index;
    if (there) plan[index] = { position: there.position, duplicate: true };
    else if (earlier !== undefined) plan[index] = { sameAs: earlier };
    if (earlier === undefined) batch.set(identity, index);
  }
  return plan;
}

/** What a call is answered with, from where its logs stood. */
export function appendedOf(places: readonly Place[], nextOf: (log: number) => number): readonly Appended[] {
  const positionOf = (place: Place): number => {
    if ("log" in place) return nextOf(place.log) + place.behind;
    return "sameAs" in place ? positionOf(places[place.sameAs] as Place) : place.position;
  };
  return places.map((place) => ({ position: positionOf(place), duplicate: !("log" in place) }));
}
