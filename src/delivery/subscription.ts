import { TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import { type Group, joinGroup } from "../membership/group.ts";
import { stateHint } from "../membership/hint.ts";
import type { CancelTimer } from "../platform/clock.ts";
import type { Lease } from "../ports/leases.ts";
import { answerOf, perform } from "./operations.ts";
import { createPartition, type Partition, type PartitionStatus } from "./partition/partition.ts";
import {
  type Answer,
  collections,
  type ControlDocument,
  type Intent,
  positionKey,
  type PositionDocument,
} from "./records.ts";
import { positionAt, register, type Registration } from "./registration.ts";
import type { SubscriptionRuntime } from "./runtime.ts";

/** How a member of a subscription takes part. */
export interface MemberOptions {
  readonly memberId: string;
  readonly ttlMs: number;
  readonly drainTimeoutMs: number;
}

/** Why a subscription is paused. */
export type Paused = NonNullable<ControlDocument["paused"]>;

/** A subscription in this process: one member of it. */
export interface Subscription {
  readonly runtime: SubscriptionRuntime;
  register(): Promise<void>;
  start(): Promise<void>;
  /** Drains and leaves. */
  stop(): Promise<void>;
  abort(reason: unknown): void;
  /** What the store says about pausing. */
  control(paused: Paused | undefined): void;
  /** A definition with this epoch is registered: older members drain and leave. */
  superseded(epoch: number): void;
  /** Does what an operator asked for, if this member owns the partition. */
  perform(intent: Intent): Promise<void>;
  partitions(): readonly PartitionStatus[];
  paused(): Paused | undefined;
  trouble(): string | undefined;
}

/** What the subscription keeps of itself, for its runtime. */
export interface PauseSwitch {
  paused: Paused | undefined;
}

export function createSubscription(
  runtime: SubscriptionRuntime,
  registration: Registration,
  member: MemberOptions,
  pauseSwitch: PauseSwitch,
): Subscription {
  const { engine, platform, log } = runtime;
  const { clock } = platform;
  const owned = new Map<number, { readonly partition: Partition; readonly lease: Lease }>();
  const performing = new Set<string>();
  let group: Group | undefined;
  let trouble: string | undefined;
  let cancelResume: CancelTimer | undefined;
  let left = false;

  async function assigned(number: number, lease: Lease): Promise<void> {
    const partition = createPartition(runtime, number, lease, (error) => {
      owned.delete(number);
      trouble = error.code === "TIDINGS_FENCED" ? undefined : error.message;
      log.warn({ subscription: runtime.name, partition: number, code: error.code }, error.message);
      void partition.stop(true);
      void group?.rebalanceNow();
    });
    owned.set(number, { partition, lease });
    // Suspects may take long; the group need not wait for them.
    partition.start().catch((error: unknown) => {
      trouble = messageOf(error);
      log.error({ subscription: runtime.name, partition: number, err: error }, "a partition could not be started");
      owned.delete(number);
      void partition.stop(true);
      clock.after(1000, () => void retry(number, lease), true);
    });
  }

  async function retry(number: number, lease: Lease): Promise<void> {
    if (!left && !owned.has(number) && group?.owns({ topic: runtime.topic, partition: number }))
      await assigned(number, lease);
  }

  async function revoked(number: number, reason: string): Promise<void> {
    const entry = owned.get(number);
    if (!entry) return;
    log.info({ subscription: runtime.name, partition: number, reason }, "a partition is given up");
    await entry.partition.stop(reason === "lost");
    owned.delete(number);
  }

  async function performOwned(
    intent: Intent,
    entry: { readonly partition: Partition; readonly lease: Lease },
  ): Promise<Answer> {
    if (intent.kind !== "seek") return perform(intent, entry.partition.parts, runtime);
    try {
      await seek(intent, entry);
      return { ok: true };
    } catch (error) {
      return answerOf(error);
    }
  }

  /** A new run of the partition from another position: nothing of the old one may be under way. */
  async function seek(
    intent: Intent & { kind: "seek" },
    entry: { readonly partition: Partition; readonly lease: Lease },
  ): Promise<void> {
    const { partition, lease } = entry;
    await partition.stop(false);
    owned.delete(partition.number);
    try {
      await movePosition(runtime, partition, lease, intent);
    } finally {
      await assigned(partition.number, lease);
    }
  }

  return {
    runtime,
    register: () => register(registration),
    async start() {
      const partitions = Array.from({ length: registration.definition.partitions }, (_, partition) => ({
        topic: runtime.topic,
        partition,
      }));
      const hint = stateHint(engine, runtime.name);
      group = await joinGroup({
        leases: engine.leases as NonNullable<typeof engine.leases>,
        platform,
        group: runtime.name,
        memberId: member.memberId,
        partitions,
        ttlMs: member.ttlMs,
        drainTimeoutMs: member.drainTimeoutMs,
        onAssigned: ({ partition }, lease) => assigned(partition, lease),
        onRevoked: ({ partition }, _lease, reason) => revoked(partition, reason),
        ...(hint ? { hint } : {}),
        log,
      });
    },
    async stop() {
      left = true;
      cancelResume?.();
      await group?.leave();
    },
    abort(reason) {
      for (const { partition } of owned.values()) partition.abort(reason);
    },
    control(paused) {
      const before = pauseSwitch.paused;
      cancelResume?.();
      cancelResume = undefined;
      const over = paused?.untilMs !== undefined && paused.untilMs <= clock.now();
      pauseSwitch.paused = over ? undefined : paused;
      if (paused?.untilMs !== undefined && !over)
        cancelResume = clock.after(paused.untilMs - clock.now(), () => this.control(paused));
      if (before && !pauseSwitch.paused) {
        log.info({ subscription: runtime.name }, "the subscription goes on");
        for (const { partition } of owned.values()) partition.wake();
      } else if (!before && pauseSwitch.paused)
        log.warn({ subscription: runtime.name, reason: paused?.reason }, "the subscription is paused");
    },
    superseded(epoch) {
      if (left || epoch <= registration.definition.epoch) return;
      left = true;
      trouble = `epoch ${epoch} has taken over; this member has left`;
      log.warn(
        { subscription: runtime.name, epoch: registration.definition.epoch, newerEpoch: epoch },
        "a newer definition is registered: this member drains and leaves",
      );
      void group?.leave();
    },
    async perform(intent) {
      const entry = owned.get(intent.partition);
      if (!entry || performing.has(intent.id)) return;
      performing.add(intent.id);
      const key = `${runtime.name}/${intent.id}`;
      try {
        // Who told us of it may have looked before it was done.
        const [there] = (await engine.state?.get(collections.intents, [key])) ?? [];
        if (!there) return;
        const answer = await performOwned(intent, entry);
        // Fenced: what was done by one who lost the partition meanwhile was not committed, and is the next owner's.
        await engine.transact?.({
          fences: [{ lease: entry.lease.name, token: entry.lease.token }],
          documents: [
            { collection: collections.intents, key, value: null },
            { collection: collections.answers, key: intent.id, value: JSON.stringify(answer) },
          ],
        });
      } finally {
        performing.delete(intent.id);
      }
    },
    partitions: () =>
      [...owned.values()].map(({ partition }) => partition.status()).sort((a, b) => a.partition - b.partition),
    paused: () => pauseSwitch.paused,
    trouble: () => trouble ?? group?.trouble(),
  };
}

/** Begins a new run at the position of a seek. Refuses over held keys unless they are to be retired. */
export async function movePosition(
  runtime: SubscriptionRuntime,
  partition: Partition,
  lease: Lease,
  intent: Intent & { kind: "seek" },
): Promise<void> {
  const { engine, platform } = runtime;
  const state = engine.state as NonNullable<typeof engine.state>;
  const key = positionKey(runtime.name, partition.number);
  const { heldKeys } = partition.status();
  if (heldKeys > 0 && !intent.retireHeld) {
    throw new TidingsError(
      "TIDINGS_HELD_KEYS_OPEN",
      `Partition ${partition.number} of "${runtime.name}" has ${heldKeys} held keys: redrive or discard them first, or seek with --retire-held to set them aside as superseded.`,
      { details: { subscription: runtime.name, partition: partition.number, heldKeys } },
    );
  }
  const [stored] = await state.get(collections.positions, [key]);
  const old = JSON.parse(stored?.value ?? "{}") as PositionDocument;
  const retired = heldKeys > 0 ? await retireHeld(runtime, partition.number, intent.by) : [];
  const outcome = await engine.transact?.({
    fences: [{ lease: lease.name, token: lease.token }],
    documents: [
      {
        collection: collections.positions,
        key,
        value: JSON.stringify(positionAt(intent.position, platform.clock.now(), old.run + 1, old.commit + 1)),
      },
      { collection: collections.claims, key, value: null },
      ...retired,
    ],
  });
  if (!outcome?.committed)
    throw new TidingsError("TIDINGS_FENCED", `Another member has taken over ${key} meanwhile; try again.`);
}

/** Writes that close every dead letter of a partition as superseded and forget its held keys. */
async function retireHeld(
  runtime: SubscriptionRuntime,
  number: number,
  by: string,
): Promise<{ collection: string; key: string; value: string | null }[]> {
  const { engine, platform } = runtime;
  const state = engine.state as NonNullable<typeof engine.state>;
  const prefix = `${String(number).padStart(5, "0")}/`;
  const writes: { collection: string; key: string; value: string | null }[] = [];
  for (const collection of [collections.held(runtime.name), collections.heldEvents(runtime.name)]) {
    for (const { key } of await state.scan(collection, { prefix, limit: Number.MAX_SAFE_INTEGER }))
      writes.push({ collection, key, value: null });
  }
  const open = collections.deadLetters(runtime.name);
  for (const { key, value } of await state.scan(open, { limit: Number.MAX_SAFE_INTEGER })) {
    const letter = JSON.parse(value) as { partition: number };
    if (letter.partition !== number) continue;
    writes.push({ collection: open, key, value: null });
    const closed = {
      ...letter,
      state: "discarded",
      closedAtMs: platform.clock.now(),
      closedBy: by,
      note: "superseded by a seek",
    };
    writes.push({ collection: collections.closedDeadLetters(runtime.name), key, value: JSON.stringify(closed) });
  }
  return writes;
}
