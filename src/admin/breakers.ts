import { TidingsError } from "../errors/tidings-error.ts";
import { type BreakerDocument, closed, opened } from "../delivery/guards/breaker-document.ts";
import { lifecycleFeed } from "../delivery/lifecycle/feed.ts";
import { collections } from "../delivery/records.ts";
import type { Document } from "../ports/state.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { notFound } from "./topics.ts";

/** A circuit breaker as operators see it. */
export interface BreakerReport extends Omit<BreakerDocument, "told" | "openMs" | "probeAtMs"> {
  /** Name of the dependency, or of the subscription whose own it is. */
  readonly breaker: string;
  /** Open: when the first probe may begin; undefined when it stays open until it is closed by hand. */
  readonly probeAtMs: number | undefined;
}

/** Operations on circuit breakers. All processes heed what is written here. */
export interface BreakersAdmin {
  /** Every breaker that an application on this store has had. */
  list(): Promise<readonly BreakerReport[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(name: string): Promise<BreakerReport>;
  /**
   * Lets everything that uses it wait: until it is closed by hand, or until `untilMs`, when a probe may begin. One that is open
   * already stays so, with the new reason and end. Throws TIDINGS_NOT_FOUND, TIDINGS_INVALID_OPTION.
   */
  open(name: string, options: { readonly reason: string; readonly untilMs?: number }): Promise<void>;
  /** Lets everything go on without a probe. Throws TIDINGS_NOT_FOUND, and TIDINGS_BREAKER_STATE when it is closed. */
  close(name: string, options: { readonly reason: string }): Promise<void>;
}

export function breakersAdmin(context: AdminContext): BreakersAdmin {
  const { platform, by } = context;
  return {
    list: () => listBreakers(context),
    show: async (name) => reportOf(name, await find(context, name)),
    async open(name, { reason, untilMs }) {
      const nowMs = platform.clock.now();
      if (untilMs !== undefined && !(untilMs > nowMs))
        throw new TidingsError(
          "TIDINGS_INVALID_OPTION",
          `The time until which "${name}" stays open must be in the future.`,
        );
      const openMs = untilMs === undefined ? undefined : untilMs - nowMs;
      await change(context, name, (before) => opened(before, { nowMs, reason, by, openMs }));
    },
    close: (name, { reason }) =>
      change(context, name, (before) => {
        if (before.state !== "closed") return closed(before, platform.clock.now(), reason, by);
        throw new TidingsError("TIDINGS_BREAKER_STATE", `The circuit breaker "${name}" is closed already.`, {
          details: { breaker: name },
        });
      }),
  };
}

async function listBreakers({ engine }: AdminContext): Promise<readonly BreakerReport[]> {
  const reports: BreakerReport[] = [];
  for await (const [name, document] of scanAll<BreakerDocument>(storeOf(engine).state, collections.breakers))
    reports.push(reportFrom(name, document));
  return reports;
}

/** The breakers of these names, those that exist. */
export async function readBreakers(
  { engine }: AdminContext,
  names: readonly string[],
): Promise<readonly BreakerReport[]> {
  const documents = names.length === 0 ? [] : await storeOf(engine).state.get(collections.breakers, names);
  return documents.flatMap((document) => (document ? [reportOf(document.key, document)] : []));
}

async function find(context: AdminContext, name: string): Promise<Document> {
  const [document] = await storeOf(context.engine).state.get(collections.breakers, [name]);
  if (document) return document;
  const names = (await listBreakers(context)).map(({ breaker }) => breaker);
  throw notFound("circuit breaker", name, names);
}

/** Changes what nobody else has changed meanwhile. */
async function change(
  context: AdminContext,
  name: string,
  next: (before: BreakerDocument) => BreakerDocument,
): Promise<void> {
  const { engine, platform, source } = context;
  const feed = await lifecycleFeed(engine, platform, source);
  for (let tries = 0; tries < 20; tries++) {
    const stored = await find(context, name);
    const value = JSON.stringify(next(JSON.parse(stored.value) as BreakerDocument));
    const documents = [{ collection: collections.breakers, key: name, value }];
    const told = feed.of(documents);
    const outcome = await storeOf(engine).transact({
      checks: [{ collection: collections.breakers, key: name, version: stored.version }],
      documents,
      ...(told ? { publish: told } : {}),
    });
    if (outcome.committed) return;
  }
  throw new TidingsError("TIDINGS_BUSY", `The circuit breaker "${name}" keeps changing; try again.`);
}

const reportOf = (name: string, { value }: Document): BreakerReport =>
  reportFrom(name, JSON.parse(value) as BreakerDocument);

function reportFrom(breaker: string, document: BreakerDocument): BreakerReport {
  const { state, sinceMs, reason, by, openings, probeAtMs, trips } = document;
  return { breaker, state, sinceMs, reason, by, openings, probeAtMs, trips };
}
