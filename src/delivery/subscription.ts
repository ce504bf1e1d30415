import { hasCode, isTidingsError, type TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import { type Group, joinGroup } from "../membership/group.ts";
import { stateHint } from "../membership/hint.ts";
import { type CancelTimer, sleep } from "../platform/clock.ts";
import type { Lease } from "../ports/leases.ts";
import type { DocumentWrite } from "../ports/transaction.ts";
import { answerOf, perform } from "./operations.ts";
import { createPartition, type Partition, type PartitionStatus } from "./partition/partition.ts";
import type { Paused, PauseSwitch } from "./pause-switch.ts";
import type { Standing, Viewed } from "./position-view.ts";
import { type Answer, collections, type Intent } from "./records.ts";
import { register, type Registration } from "./registration.ts";
import type { SubscriptionRuntime } from "./runtime.ts";
import { movePosition } from "./seek.ts";

/** How a member of a subscription takes part. */
export interface MemberOptions {
  readonly memberId: string;
  readonly ttlMs: number;
  readonly drainTimeoutMs: number;
}

/** A subscription in this process: one member of it. */
export interface Subscription extends Viewed {
  readonly runtime: SubscriptionRuntime;
  register(): Promise<void>;
  start(): Promise<void>;
  /** Drains and leaves. */
  stop(): Promise<void>;
  abort(reason: unknown): void;
  /** Gives up what has not drained: nothing of it is committed, and others may take it. */
  abandon(): Promise<void>;
  /** What the store says about pausing; `mark` was taken before it was looked at. */
  control(paused: Paused | undefined, mark: number): void;
  /** To be taken before a look at the store. */
  mark(): number;
  /** A definition with this epoch is registered: older members drain and leave. */
  superseded(epoch: number): void;
  /** Does what an operator asked for, if this member owns the partition. */
  perform(intent: Intent): Promise<void>;
  partitions(): readonly PartitionStatus[];
  paused(): Paused | undefined;
  trouble(): string | undefined;
}

/** A subscription as this process takes part in it. Nothing is stored or started yet. */
export function createSubscription(
  runtime: SubscriptionRuntime,
  registration: Registration,
  member: MemberOptions,
  pauseSwitch: PauseSwitch,
): Subscription {
  return new MemberSubscription(runtime, registration, member, pauseSwitch);
}

/** A partition with the lease that fences it. */
interface Owned {
  readonly partition: Partition;
  readonly lease: Lease;
}

/** How long to wait before a partition that could not be started is tried again, in milliseconds. */
const againMs = 1000;
/** How long to wait before an answer that could not be written is tried again, in milliseconds. */
const answerAgainMs = 200;

class MemberSubscription implements Subscription {
  readonly runtime: SubscriptionRuntime;
  readonly name: string;
  readonly topic: string;
  readonly #registration: Registration;
  readonly #member: MemberOptions;
  readonly #pauseSwitch: PauseSwitch;
  /** By partition, the lease of what the group has given to this member and not taken back. */
  readonly #assigned = new Map<number, Lease>();
  /** Of these, the partitions that are in work: not those whose start has failed, or that are moved. */
  readonly #owned = new Map<number, Owned>();
  /** Partitions that a seek moves: it begins them itself, and nobody else before. */
  readonly #moving = new Set<number>();
  /** Ids of the intents that are being performed. */
  readonly #performing = new Set<string>();
  /** By partition: resolves when the intents that were seen so far are performed, and the seeks among them. */
  readonly #underWay = new Map<number, { readonly all: Promise<unknown>; readonly seeks: Promise<unknown> }>();
  #group: Group | undefined;
  /** Why partitions could not be started or were lost, by their number, until they are started again. */
  readonly #troubles = new Map<number, string>();
  #superseded: string | undefined;
  #cancelResume: CancelTimer | undefined;
  /** A pause whose time has passed here, though the wall clock may say that it has not. */
  #over: Paused | undefined;
  #left = false;

  constructor(
    runtime: SubscriptionRuntime,
    registration: Registration,
    member: MemberOptions,
    pauseSwitch: PauseSwitch,
  ) {
    this.runtime = runtime;
    this.name = runtime.name;
    this.topic = runtime.topic;
    this.#registration = registration;
    this.#member = member;
    this.#pauseSwitch = pauseSwitch;
    pauseSwitch.hold = (paused) => this.#control(paused);
  }

  register(): Promise<void> {
    return register(this.#registration);
  }

  async start(): Promise<void> {
    // A newer definition may have been registered since this one was.
    if (this.#left) return;
    const { engine, platform, name, topic, log } = this.runtime;
    const { definition } = this.#registration;
    const hint = stateHint(engine, name);
    this.#group = await joinGroup({
      leases: engine.leases as NonNullable<typeof engine.leases>,
      platform,
      group: name,
      ...this.#member,
      partitions: Array.from({ length: definition.partitions }, (_, partition) => ({ topic, partition })),
      onAssigned: async ({ partition }, lease) => {
        this.#assigned.set(partition, lease);
        if (!this.#left) this.#begin(partition, lease);
      },
      onRevoked: ({ partition }, _lease, reason) => this.#revoke(partition, reason),
      ...(hint ? { hint } : {}),
      log,
    });
    // Whoever said so before it had joined could not tell the group.
    if (this.#left) await this.#group.leave();
  }

  async stop(): Promise<void> {
    this.#left = true;
    this.#cancelResume?.();
    await this.#group?.leave();
  }

  abort(reason: unknown): void {
    for (const { partition } of this.#owned.values()) partition.abort(reason);
  }

  async abandon(): Promise<void> {
    for (const { partition } of this.#owned.values()) void partition.stop(true);
    await this.#group?.abandon();
  }

  #begin(number: number, lease: Lease): void {
    const { name, log } = this.runtime;
    const partition = createPartition(this.runtime, number, lease, (error) => this.#lost(partition, error));
    this.#owned.set(number, { partition, lease });
    // Suspects may take long; the group need not wait for them.
    partition.start().then(
      () => void this.#troubles.delete(number),
      (error: unknown) => {
        // Given up since: whoever owns it now starts it.
        if (!this.#isOwned(partition)) return;
        this.#troubles.set(number, messageOf(error));
        log.error({ subscription: name, partition: number, err: error }, "a partition could not be started");
        this.#disown(partition);
        void partition.stop(true);
        this.runtime.platform.clock.after(againMs, () => this.#beginAgain(number, lease), true);
      },
    );
  }

  /** The group is not asked: it may be joining still, for as long as the store takes. */
  #beginAgain(number: number, lease: Lease): void {
    if (this.#left || this.#owned.has(number) || this.#moving.has(number)) return;
    if (this.#assigned.get(number) !== lease) return;
    this.#begin(number, lease);
  }

  /** Nothing of the partition can be committed any more. */
  #lost(partition: Partition, error: TidingsError): void {
    const { number } = partition;
    if (error.code !== "TIDINGS_FENCED" && this.#isOwned(partition)) this.#troubles.set(number, error.message);
    this.#disown(partition);
    this.runtime.log.warn({ subscription: this.runtime.name, partition: number, code: error.code }, error.message);
    void partition.stop(true);
    void this.#group?.rebalanceNow();
  }

  async #revoke(number: number, reason: string): Promise<void> {
    const owned = this.#owned.get(number);
    this.#assigned.delete(number);
    this.#troubles.delete(number);
    if (!owned) return;
    this.runtime.log.info({ subscription: this.runtime.name, partition: number, reason }, "a partition is given up");
    await owned.partition.stop(reason === "lost");
    // Whoever is next says it soon; there may be nobody.
    const [standing] = this.#left && reason !== "lost" ? standingOf(owned) : [];
    if (standing) await this.runtime.view.last(this, standing);
    this.#disown(owned.partition);
  }

  /** Another one may have taken its place. */
  #isOwned(partition: Partition): boolean {
    return this.#owned.get(partition.number)?.partition === partition;
  }

  #disown(partition: Partition): void {
    if (this.#isOwned(partition)) this.#owned.delete(partition.number);
  }

  mark(): number {
    return this.#pauseSwitch.mark();
  }

  control(stored: Paused | undefined, mark: number): void {
    if (!this.#pauseSwitch.isOlder(mark)) this.#control(stored);
  }

  #control(stored: Paused | undefined): void {
    const { name, platform, log } = this.runtime;
    const before = this.#pauseSwitch.paused;
    const paused = isSame(stored, this.#over) ? undefined : stored;
    if (this.#cancelResume && isSame(paused, before)) return;
    this.#cancelResume?.();
    this.#cancelResume = undefined;
    const leftMs = paused?.untilMs === undefined ? undefined : paused.untilMs - platform.clock.now();
    const now = leftMs !== undefined && leftMs <= 0 ? undefined : paused;
    this.#pauseSwitch.paused = now;
    const end = (): void => {
      this.#over = paused;
      this.#control(undefined);
    };
    if (now && leftMs !== undefined && !this.#left) this.#cancelResume = platform.clock.after(leftMs, end);
    if (before && !now) {
      log.info({ subscription: name }, "the subscription goes on");
      for (const { partition } of this.#owned.values()) partition.wake();
    } else if (!before && now) log.warn({ subscription: name, reason: now.reason }, "the subscription is paused");
  }

  superseded(epoch: number): void {
    const mine = this.#registration.definition.epoch;
    if (this.#left || epoch <= mine) return;
    this.#left = true;
    this.#superseded = `epoch ${epoch} has taken over; this member has left`;
    this.runtime.log.warn(
      { subscription: this.runtime.name, epoch: mine, newerEpoch: epoch },
      "a newer definition is registered: this member drains and leaves",
    );
    void this.#group?.leave();
  }

  /** A seek takes the partition apart, so it waits for everything before it, and everything after waits for it. */
  async perform(intent: Intent): Promise<void> {
    const { id, partition, kind } = intent;
    if (!this.#owned.has(partition) || this.#performing.has(id)) return;
    this.#performing.add(id);
    const before = this.#underWay.get(partition);
    const turn = kind === "seek" ? before?.all : before?.seeks;
    const mine = Promise.resolve(turn).then(() => this.#performOnce(intent));
    const all = Promise.allSettled([before?.all, mine]).then(() => undefined);
    this.#underWay.set(partition, { all, seeks: kind === "seek" ? all : Promise.resolve(turn) });
    try {
      await mine;
    } finally {
      this.#performing.delete(id);
    }
  }

  async #performOnce(intent: Intent): Promise<void> {
    const { engine, name } = this.runtime;
    const key = `${name}/${intent.id}`;
    // Who told us of it may have looked before it was done.
    const [there] = (await engine.state?.get(collections.intents, [key])) ?? [];
    const owned = this.#owned.get(intent.partition);
    if (!there || !owned) return;
    const answer = intent.kind === "seek" ? await this.#seek(intent, owned) : await this.#perform(intent, owned);
    // It is being given up, and its lease may hold still: the next owner does it. Or it has said itself what became of it.
    if (answer === undefined || (!answer.ok && answer.code === "TIDINGS_FENCED")) return;
    await this.#answer(owned, [{ collection: collections.intents, key, value: null }, answerWrite(intent, answer)]);
  }

  /**
   * Says what became of an intent. Fenced: what was done by one who lost the partition meanwhile was not committed, and is the
   * next owner's. While the store refuses it is tried again: who did it once more would be told that it has been done.
   */
  async #answer({ partition, lease }: Owned, documents: readonly DocumentWrite[]): Promise<void> {
    const { engine, platform } = this.runtime;
    for (;;) {
      try {
        await engine.transact?.({ fences: [{ lease: lease.name, token: lease.token }], documents });
        return;
      } catch (error) {
        if (!isTidingsError(error) || !error.retryable || !this.#isOwned(partition)) throw error;
      }
      await sleep(platform.clock, answerAgainMs);
    }
  }

  async #perform(intent: Intent, { partition }: Owned): Promise<Answer> {
    try {
      return await perform(intent, await partition.parts(), this.runtime);
    } catch (error) {
      return answerOf(error);
    }
  }

  /**
   * A new run of the partition from another position: nothing of the old one may be under way. Its answer is written with it;
   * undefined when that is so, or cannot be known: then the intent is gone, or is looked at again.
   */
  async #seek(intent: Intent & { kind: "seek" }, { partition, lease }: Owned): Promise<Answer | undefined> {
    const { number } = partition;
    this.#moving.add(number);
    await partition.stop(false);
    this.#disown(partition);
    try {
      await movePosition(this.runtime, partition, lease, intent, [answerWrite(intent, { ok: true })]);
      return undefined;
    } catch (error) {
      return hasCode(error, "TIDINGS_OUTCOME_UNKNOWN") ? undefined : answerOf(error);
    } finally {
      this.#moving.delete(number);
      // It may have been lost meanwhile, and be back under another lease.
      const assigned = this.#assigned.get(number);
      if (assigned) this.#beginAgain(number, assigned);
    }
  }

  partitions(): readonly PartitionStatus[] {
    const all = [...this.#owned.values()].map(({ partition }) => partition.status());
    return all.sort((a, b) => a.partition - b.partition);
  }

  standings(): readonly Standing[] {
    return [...this.#owned.values()].flatMap(standingOf);
  }

  paused(): Paused | undefined {
    return this.#pauseSwitch.paused;
  }

  trouble(): string | undefined {
    const [trouble] = this.#troubles.values();
    return this.#superseded ?? trouble ?? this.#group?.trouble();
  }
}

function standingOf({ partition, lease }: Owned): [] | [Standing] {
  const position = partition.position();
  return position === undefined ? [] : [{ partition: partition.number, position, lease }];
}

function isSame(one: Paused | undefined, other: Paused | undefined): boolean {
  return one?.sinceMs === other?.sinceMs && one?.untilMs === other?.untilMs && one?.reason === other?.reason;
}

function answerWrite({ id }: Intent, answer: Answer): DocumentWrite {
  return { collection: collections.answers, key: id, value: JSON.stringify(answer) };
}
