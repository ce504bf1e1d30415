import type { StoredRecord } from "../../event/record.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Claims } from "../commit/claims.ts";
import type { Committer } from "../commit/committer.ts";
import { conflictError, conflictsMax } from "../failure/conflict.ts";
import { leave } from "../guards/entrance.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Batches } from "../run/batches.ts";
import { execute } from "../run/execute.ts";
import { beginHook, type EndHook, endHook } from "../hooks.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { Aftermath, type FailedRuns } from "./aftermath.ts";
import { Alone, type AloneRuns, type ClaimRun } from "./alone.ts";
import { AtMostOnce } from "./at-most-once.ts";
import { Delivery, type DeliveryOwner, type ResolvedRoute, isGivenUp } from "./delivery.ts";
import { Door } from "./door.ts";
import { HotTurns } from "./hot-turns.ts";
import type { Lane } from "./lane.ts";
import { LaneBook } from "./lane-book.ts";
import { ReadyLanes } from "./ready-lanes.ts";

/** What the lanes of a partition work with. */
export interface LanesOptions {
  readonly runtime: SubscriptionRuntime;
  readonly committer: Committer;
  readonly claims: Claims;
  readonly held: HeldKeys;
  readonly batches: Batches;
  /** Whether nothing more is fetched until something is settled. */
  readonly isFull: () => boolean;
  /** A delivery is done with: fetch may go on. */
  readonly onSettled: (delivery: Delivery) => void;
}

/** Runs the deliveries of a partition: parallel across keys, in order and one at a time per key. */
export class Lanes implements DeliveryOwner {
  readonly #options: LanesOptions;
  readonly #runtime: SubscriptionRuntime;
  readonly #clock: Clock;
  readonly #aftermath: Aftermath;
  readonly #atMostOnce: AtMostOnce | undefined;
  readonly #lanes = new LaneBook();
  readonly #ready = new ReadyLanes();
  readonly #door: Door;
  #runningCount = 0;
  /** Those of them that are told when they shall stop: not those that have ended before anybody could. */
  readonly #running = new Set<Delivery>();
  readonly #hot: HotTurns;
  readonly #alone: Alone;
  /** Deliveries before which nothing of the partition goes on. */
  readonly #blocking = new Set<Delivery>();
  #dispatching = false;
  #stopped = false;
  #aborted = false;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #dispatchLater = (): void => this.dispatch();

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#clock = options.runtime.platform.clock;
    this.#hot = new HotTurns(options.runtime.hotDocuments, (lane) => this.#goOn(lane));
    if (options.runtime.guarantee === "at-most-once")
      this.#atMostOnce = new AtMostOnce(options.committer, (delivery) =>
        delivery.discarded ? this.#restart(delivery) : this.#begin(delivery),
      );
    this.#door = new Door({ ...options, wake: (lane) => this.#wake(lane), close: (lane) => this.#lanes.close(lane) });
    const runs: FailedRuns & AloneRuns = {
      took: () => void (this.#runningCount += 1),
      begin: (delivery) => this.#begin(delivery),
      release: (delivery) => this.#release(delivery),
      run: (delivery) => this.#tryAgain(delivery),
      finish: (delivery) => this.#finish(delivery),
      free: (delivery) => this.#free(delivery),
      putBack: (delivery) => this.#putBack(delivery),
      abandon: (delivery) => this.#abandon(delivery),
      restart: (delivery) => this.#restart(delivery),
      goOn: (lane) => this.#goOn(lane),
      closeLane: (lane) => this.#lanes.close(lane),
      blockOthers: (delivery) => {
        this.#blocking.add(delivery);
        this.#alone.outlived(delivery);
      },
      heldUp: () => this.isHeldUp(),
      stopped: () => this.#stopped,
    };
    this.#alone = new Alone({ ...options, door: this.#door }, runs);
    this.#aftermath = new Aftermath(options, runs);
  }

  /** A delivery that is in no lane yet. */
  make(record: StoredRecord, route: ResolvedRoute): Delivery {
    return new Delivery(record, route, this);
  }

  enqueue(delivery: Delivery): void {
    const lane = this.#lanes.of(delivery.record.key);
    delivery.lane = lane;
    lane.queue.push(delivery);
    this.#ready.add(lane);
  }

  /** The lane of a key, while something of it is under way. */
  find(key: string | null): Lane | undefined {
    return this.#lanes.find(key);
  }

  /**
   * Lets what waits in the lane of a held key wait behind the key, as soon as nothing before it is under way, or left to whoever
   * owns the partition next: were it settled sooner, that would find the earlier one behind it. False when the key is not held.
   */
  holdBack(lane: Lane): boolean {
    const { held } = this.#options;
    const entry = lane.key === null ? undefined : held.blocks(lane.key);
    if (!entry || isGivenUp(lane.queue[0])) return false;
    if (lane.busy || this.#stopped) return true;
    lane.blocked = undefined;
    this.#door.forget(lane);
    for (const delivery of lane.queue.splice(0)) {
      this.#hot.leave(delivery);
      if (delivery.suspect) this.#options.claims.forget(delivery.record.position);
      held.append(entry, delivery);
    }
    this.#lanes.close(lane);
    return true;
  }

  running(): number {
    return this.#runningCount;
  }

  /** Whether nothing of the partition may start for now: the subscription is paused, or an event blocks its partition. */
  isHeldUp(): boolean {
    return this.#blocking.size > 0 || this.#runtime.paused();
  }

  /** Starts whatever may start. */
  dispatch(): void {
    const { claims, runtime } = this.#options;
    if (this.#dispatching || this.#stopped || this.#ready.first() === undefined || runtime.paused()) return;
    if (!runtime.gate.open(this.#dispatchLater) || !runtime.turns.enter(this.#dispatchLater)) return;
    this.#dispatching = true;
    let started = 0;
    for (let lane = this.#ready.first(); lane; lane = this.#ready.first()) {
      if (this.#stopped || this.isHeldUp()) break;
      const delivery = lane.queue[0];
      if (delivery === undefined || lane.blocked || this.holdBack(lane)) {
        this.#ready.shift();
        continue;
      }
      // What runs alone has a claim of its own.
      const { suspect } = delivery;
      if (!(suspect || claims.covers(delivery.record.position)) || !runtime.slots.take(this.#dispatchLater)) break;
      this.#ready.shift();
      if (!suspect && !this.#door.admits(delivery, lane)) {
        this.#hot.leave(delivery);
        runtime.slots.give();
        continue;
      }
      lane.queue.shift();
      lane.running = delivery;
      this.#runningCount += 1;
      if (suspect) this.#alone.runSuspect(delivery);
      else this.#begin(delivery);
      if (suspect && !runtime.gate.open(this.#dispatchLater)) break;
      if ((++started & 15) === 0 && runtime.turns.isOver()) {
        runtime.turns.interrupt(this.#dispatchLater);
        break;
      }
    }
    this.#dispatching = false;
  }

  /** A retry at once; where it has to wait for a guard it gives its slot back, and its place in its lane is the first. */
  #tryAgain(delivery: Delivery): void {
    if (this.#door.admitsAgain(delivery)) return this.#begin(delivery);
    this.#free(delivery);
    this.#putBack(delivery);
  }

  #begin(delivery: Delivery): void {
    if (this.#atMostOnce?.mayBegin(delivery) === false) return;
    if (!delivery.route.batch) return this.#run(delivery);
    this.#running.add(delivery);
    this.#options.batches.add(delivery);
  }

  #run(delivery: Delivery): void {
    const startedAt = this.#clock.monotonic();
    const hook = beginHook(this.#runtime, delivery);
    let work: void | Promise<void>;
    try {
      work = execute(delivery, this.#runtime);
    } catch (error) {
      this.#note(startedAt, hook, error);
      this.failed(delivery, error);
      return;
    }
    if (work === undefined) {
      this.#note(startedAt, hook, undefined);
      this.ended(delivery);
      return;
    }
    this.#running.add(delivery);
    work.then(
      () => {
        this.#note(startedAt, hook, undefined);
        this.ended(delivery);
      },
      (error: unknown) => {
        this.#note(startedAt, hook, error);
        this.failed(delivery, error);
      },
    );
  }

  #note(startedAt: number, hook: EndHook, error: unknown): void {
    this.#runtime.metrics.duration.record((this.#clock.monotonic() - startedAt) / 1000);
    endHook(this.#runtime, hook, error);
  }

  /** The handler is through with this delivery. */
  ended(delivery: Delivery): void {
    delivery.unit?.end();
    delivery.writes = delivery.unit?.writes;
    if (delivery.guarded) leave(delivery, "handled");
    if (delivery.as === "unknown") delivery.counts = { unknown: -1, handled: 1 };
    if (delivery.identity) ((delivery.writes ??= { bytes: 100 }).timers ??= []).push(delivery.identity);
    if (delivery.conflicts > 0 || delivery.tries.failures > 0)
      this.#options.claims.forgetFailures(delivery.record.position);
    this.#finish(delivery);
  }

  failed(delivery: Delivery, error: unknown): void {
    delivery.unit?.end();
    delivery.writes = undefined;
    if (delivery.guarded) leave(delivery, delivery.discarded || this.#aborted ? "unknown" : "failed", error);
    if (delivery.discarded) return this.#restart(delivery);
    this.#hot.leave(delivery);
    // What a handler throws that was told to stop says nothing about the event.
    if (this.#aborted) return this.#abandon(delivery);
    this.#aftermath.follow(delivery, error);
  }

  /** The delivery has come to an end of any kind: its settlement goes to the committer, its lane goes on. */
  #finish(delivery: Delivery): void {
    if (delivery.discarded) return this.#restart(delivery);
    this.#free(delivery);
    if (delivery.held) return this.#options.held.succeeded(delivery);
    this.#runtime.metrics.consumed.add();
    const lane = delivery.lane as Lane;
    lane.uncommitted.push(delivery);
    this.#options.committer.add(delivery);
    this.#goOn(lane);
  }

  /** Gives back the slot of a delivery that runs no more. */
  #free(delivery: Delivery): void {
    this.#runningCount -= 1;
    if (this.#running.size > 0) this.#running.delete(delivery);
    this.#runtime.slots.give();
    if (this.#blocking.size > 0 && this.#blocking.delete(delivery)) this.#clock.soon(this.#dispatchLater);
    if (delivery.lane?.running === delivery) delivery.lane.running = undefined;
    if (delivery.held) this.#alone.tell(delivery);
    if (this.#runningCount === 0 && this.#idleWaiters.length > 0)
      for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #goOn(lane: Lane): void {
    if (lane.queue.length > 0) this.#wake(lane);
  }

  #wake(lane: Lane): void {
    this.#ready.add(lane);
    if (!this.#dispatching) this.dispatch();
  }

  /** What ran on top of something that did not commit is run again behind it. */
  #restart(delivery: Delivery): void {
    const lane = delivery.lane as Lane;
    delivery.discarded = false;
    // It may have been let through as a probe, and not have begun.
    if (delivery.guarded) leave(delivery, "unknown");
    this.#free(delivery);
    lane.queue = [...lane.again, delivery, ...lane.queue];
    lane.again = [];
    this.#goOn(lane);
  }

  /** Left unsettled: whoever owns the partition next will deliver it. */
  #abandon(delivery: Delivery): void {
    this.#release(delivery);
    this.#alone.giveUp(delivery);
  }

  #release(delivery: Delivery): void {
    this.#hot.leave(delivery);
    this.#free(delivery);
  }

  /** Puts a delivery back in front of its lane as if it had not run. */
  #putBack(delivery: Delivery): void {
    const { lane } = delivery;
    this.#alone.tell(delivery);
    // It has not killed anybody, and has still to run alone.
    if (delivery.suspect) void this.#options.claims.acquit();
    if (delivery.held) return this.#options.held.putBack(delivery.held, delivery.tries);
    if (!lane) return;
    lane.queue.unshift(delivery);
    this.#wake(lane);
  }

  committed(delivery: Delivery): void {
    const { lane } = delivery;
    this.#hot.leave(delivery);
    if (lane) {
      lane.committed(delivery);
      this.#lanes.leave(lane);
      if (lane.queue.length > 0 && !this.#stopped && !this.holdBack(lane)) this.#ready.add(lane);
    }
    if (delivery.suspect) this.#options.claims.forget(delivery.record.position);
    this.#alone.tell(delivery);
    this.#options.onSettled(delivery);
  }

  conflicted(delivery: Delivery, changed: string): void {
    this.#runtime.metrics.conflicts.add();
    if (delivery.conflicts > conflictsMax || this.#runtime.guarantee === "at-most-once")
      delivery.commitError = conflictError(delivery.record.type, this.#runtime.name, delivery.conflicts);
    if (delivery.held) return this.#hot.await(delivery, changed, () => this.#options.held.conflicted(delivery));
    if (!this.#alone.has(delivery)) this.#hot.queueUp(delivery, changed);
    this.#runAgain(delivery);
  }

  refused(delivery: Delivery, error: unknown): void {
    delivery.commitError = error;
    if (delivery.held) return this.#options.held.conflicted(delivery);
    this.#runAgain(delivery);
  }

  /** Takes everything of the lane back that ran after `delivery`, which runs again first. */
  #runAgain(delivery: Delivery): void {
    const lane = delivery.lane as Lane;
    const later = lane.takeBack(delivery).slice(1);
    // Nothing else of its lane has run, and nothing may be dispatched meanwhile.
    if (this.#alone.has(delivery)) return this.#alone.again(delivery);
    this.#options.committer.withdraw(new Set(later));
    // Whoever waits behind this one must not be the one it waits for.
    for (const other of later) this.#hot.leave(other);
    if (lane.running) this.#hot.leave(lane.running);
    else if (lane.queue[0]) this.#hot.leave(lane.queue[0]);
    if (lane.blocked !== delivery) lane.blocked = undefined;
    const again = [delivery, ...later];
    if (lane.running) {
      lane.running.discarded = true;
      lane.again = [...again, ...lane.again];
    } else {
      lane.queue = [...again, ...lane.queue];
      this.#goOn(lane);
    }
  }

  /** Runs one delivery by itself; resolves when it is settled, held, put back or given up. */
  runAlone(delivery: Delivery, claim?: ClaimRun): Promise<void> {
    if (!delivery.held) delivery.lane = this.#lanes.of(delivery.record.key);
    return this.#alone.run(delivery, claim);
  }

  /** Nothing new starts; resolves when nothing runs. */
  quiesce(): Promise<void> {
    this.#close();
    this.#options.batches.stop();
    this.#aftermath.stop();
    this.#hot.stop();
    if (this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** First of all: what is given up gives back what guards had let it through with, and nothing of this partition may take it. */
  #close(): void {
    this.#stopped = true;
    this.#door.stop();
  }

  /** Nothing will be committed any more: nobody shall wait for what has ended, and nothing that has not begun begins. */
  letGo(): void {
    this.#close();
    for (const lane of this.#lanes.all()) lane.wakeAll();
    const open = [...this.#options.batches.drop(), ...(this.#atMostOnce?.giveUp() ?? [])];
    for (const delivery of open) this.#abandon(delivery);
    this.#alone.tellAll();
  }

  /** Tells every running handler to stop. */
  abort(reason: unknown): void {
    this.#aborted = true;
    for (const delivery of this.#running) delivery.unit?.abort(reason);
  }
}
