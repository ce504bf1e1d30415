import { TidingsError } from "../errors/tidings-error.ts";
import { memberPrefix } from "../membership/names.ts";
import { type Clock, sleep } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { Document } from "../ports/state.ts";
import { noCounts } from "./commit/progress.ts";
import { collections, positionKey, type PositionDocument, type SubscriptionDocument } from "./records.ts";
import type { From } from "./service.ts";

/** What a subscription registers with. */
export interface Registration {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly name: string;
  readonly definition: Omit<SubscriptionDocument, "createdAtMs" | "from">;
  readonly from: From | undefined;
}

/**
 * Stores the definition of a subscription and a position for every partition, before anything is consumed, so that
 * retention and lag know of it from the start. Throws TIDINGS_SUBSCRIPTION_CONFLICT when members with another definition
 * of this epoch, or with a newer epoch, are alive, and TIDINGS_SUBSCRIPTION_START when a new subscription on a topic that
 * holds events does not say where it begins.
 */
export async function register(registration: Registration): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (await tryRegister(registration)) return;
    if (tries >= 20)
      throw new TidingsError(
        "TIDINGS_BUSY",
        `The subscription "${registration.name}" could not be registered: others kept changing it.`,
      );
    await sleep(registration.clock, 10 * (tries + 1));
  }
}

async function tryRegister(registration: Registration): Promise<boolean> {
  const { engine, clock, name, definition } = registration;
  const state = engine.state as NonNullable<Engine["state"]>;
  const [stored] = await state.get(collections.subscriptions, [name]);
  await checkDefinition(registration, stored);
  const keys = Array.from({ length: definition.partitions }, (_, partition) => positionKey(name, partition));
  const positions = await state.get(collections.positions, keys);
  const missing = keys.filter((_, i) => positions[i] === undefined);
  const starts = missing.length > 0 ? await startPositions(registration, positions) : [];
  const known = stored ? (JSON.parse(stored.value) as SubscriptionDocument) : undefined;
  const document: SubscriptionDocument = {
    ...definition,
    from: known?.from ?? fromText(registration.from),
    createdAtMs: known?.createdAtMs ?? clock.now(),
  };
  if (missing.length === 0 && stored && JSON.stringify(known) === JSON.stringify(document)) return true;
  const outcome = await engine.transact?.({
    checks: [
      { collection: collections.subscriptions, key: name, version: stored?.version ?? 0 },
      ...missing.map((key) => ({ collection: collections.positions, key, version: 0 })),
    ],
    documents: [
      { collection: collections.subscriptions, key: name, value: JSON.stringify(document) },
      ...missing.map((key) => ({
        collection: collections.positions,
        key,
        value: JSON.stringify(positionAt(starts[keys.indexOf(key)] ?? 0, clock.now())),
      })),
    ],
  });
  return outcome?.committed ?? false;
}

/** A position document of a new run that begins at `position`. */
export function positionAt(position: number, nowMs: number, run = 1, commit = 0): PositionDocument {
  return { start: position, low: position, finished: [], counts: noCounts, run, movedAtMs: nowMs, commit };
}

function fromText(from: From | undefined): string {
  if (from === undefined) return "start";
  return typeof from === "string" ? from : new Date(from.timeMs).toISOString();
}

/** By partition: where a new subscription begins. Partitions of a known subscription that are new themselves begin at 0. */
async function startPositions(
  registration: Registration,
  positions: readonly (Document | undefined)[],
): Promise<readonly number[]> {
  const { engine, definition, from, name } = registration;
  if (positions.some((position) => position !== undefined)) return positions.map(() => 0);
  const bounds = await engine.topics.bounds(definition.topic);
  if (typeof from === "object") return engine.topics.positionsAt(definition.topic, from.timeMs);
  if (from === "end") return bounds.map(({ next }) => next);
  if (from === "start") return bounds.map(({ first }) => first);
  const events = bounds.reduce((sum, { first, next }) => sum + next - first, 0);
  if (events === 0) return bounds.map(({ first }) => first);
  throw new TidingsError(
    "TIDINGS_SUBSCRIPTION_START",
    `The new subscription "${name}" does not say where it begins, and topic "${definition.topic}" holds ${events} events: give service("${definition.service}", { from: "start" }) or { from: "end" }.`,
    { details: { subscription: name, topic: definition.topic, events } },
  );
}

async function checkDefinition(registration: Registration, stored: Document | undefined): Promise<void> {
  if (!stored) return;
  const { name, definition } = registration;
  const known = JSON.parse(stored.value) as SubscriptionDocument;
  if (definition.epoch > known.epoch) return;
  const difference =
    definition.epoch < known.epoch ? `epoch ${known.epoch} is running` : differenceOf(known, definition);
  if (difference === undefined || !(await othersAlive(registration))) return;
  throw new TidingsError(
    "TIDINGS_SUBSCRIPTION_CONFLICT",
    `The subscription "${name}" is live with another definition (${difference}): raise \`epoch\` of service("${definition.service}") above ${known.epoch} to take over, or stop the other members.`,
    { details: { subscription: name, epoch: definition.epoch, storedEpoch: known.epoch } },
  );
}

function differenceOf(known: SubscriptionDocument, mine: Registration["definition"]): string | undefined {
  const types = (document: { types: Readonly<Record<string, number>> }): string =>
    Object.entries(document.types)
      .map(([type, version]) => `${type} v${version}`)
      .sort()
      .join(", ");
  if (types(known) !== types(mine)) return `it handles ${types(known)}, this one ${types(mine)}`;
  if (known.guarantee !== mine.guarantee) return `guarantee ${known.guarantee} against ${mine.guarantee}`;
  if (known.onFailure !== mine.onFailure) return `onFailure ${known.onFailure} against ${mine.onFailure}`;
  return undefined;
}

/** Whether members live: a lease that is renewed while we look, or that is not about to end. A dead one's ends by itself. */
async function othersAlive({ engine, clock, name }: Registration): Promise<boolean> {
  const leases = engine.leases as NonNullable<Engine["leases"]>;
  const seen = await leases.list(memberPrefix(name));
  while (seen.length > 0) {
    await sleep(clock, 250);
    const now = await leases.list(memberPrefix(name));
    if (now.length === 0) return false;
    const renewed = now.some((lease) =>
      seen.every((before) => before.owner !== lease.owner || lease.expiresAtMs > before.expiresAtMs),
    );
    if (renewed) return true;
  }
  return false;
}
