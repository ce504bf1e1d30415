import { TidingsError } from "../../errors/tidings-error.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Batches } from "../run/batches.ts";
import type { Claims } from "../commit/claims.ts";
import type { Committer } from "../commit/committer.ts";
import { Delivery, type DeliveryOwner, type ResolvedRoute, withFailure } from "./delivery.ts";
import { execute } from "../run/execute.ts";
import { actionOf, codeOf } from "../failure/failure.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import { Lane } from "./lane.ts";
import { type NextStep, nextStep } from "../failure/retry.ts";
import type { SubscriptionRuntime } from "../runtime.ts";

/** What the lanes of a partition work with. */
export interface LanesOptions {
  readonly runtime: SubscriptionRuntime;
  readonly committer: Committer;
  readonly claims: Claims;
  readonly held: HeldKeys;
  readonly batches: Batches;
  /** A delivery is done with: fetch may go on. */
  readonly onSettled: (delivery: Delivery) => void;
}

/** Runs the deliveries of a partition: parallel across keys, in order and one at a time per key. */
export interface Lanes extends DeliveryOwner {
  /** A delivery with its place in a lane, not waiting yet. */
  make(record: StoredRecord, route: ResolvedRoute): Delivery;
  enqueue(delivery: Delivery): void;
  /** Takes what waits behind a key out of its lane. */
  takeWaiting(key: string): readonly Delivery[];
  /** Starts whatever may start. */
  dispatch(): void;
  /** Runs one delivery by itself; resolves when it is settled, held or given up. */
  runAlone(delivery: Delivery): Promise<void>;
  /** Nothing new starts; resolves when nothing runs. */
  quiesce(): Promise<void>;
  /** Tells every running handler to stop. */
  abort(reason: unknown): void;
  /** A batch is through with this delivery. */
  ended(delivery: Delivery): void;
  failed(delivery: Delivery, error: unknown): void;
  /** Puts a delivery back in front of its lane as if it had not run. */
  putBack(delivery: Delivery): void;
  running(): number;
}

/** How long a loop of synchronous handlers may keep the event loop, in milliseconds. */
const sliceMs = 2;
/** A delivery whose reads have changed so often is given to the retry ladder: somebody else writes without end. */
const conflictsMax = 1000;

export function createLanes(options: LanesOptions): Lanes {
  const { runtime, committer, claims, held, batches } = options;
  const { clock, random } = runtime.platform;
  const lanes = new Map<string, Lane>();
  let ready: Lane[] = [];
  let readyHead = 0;
  const running = new Set<Delivery>();
  let dispatching = false;
  let stopped = false;
  let idleWaiters: (() => void)[] = [];
  const settledAlone = new Map<Delivery, () => void>();

  function makeReady(lane: Lane): void {
    if (lane.ready || lane.blocked || lane.running || lane.queue.length === 0) return;
    lane.ready = true;
    ready.push(lane);
  }

  function dispatch(): void {
    if (dispatching || stopped || readyHead === ready.length || runtime.paused()) return;
    if (!runtime.gate.open(dispatch)) return;
    dispatching = true;
    const startedAt = clock.monotonic();
    let started = 0;
    while (readyHead < ready.length && !stopped && !runtime.paused()) {
      const lane = ready[readyHead] as Lane;
      const delivery = lane.queue[0];
      if (delivery === undefined || lane.blocked) {
        lane.ready = false;
        readyHead++;
        continue;
      }
      if (!claims.covers(delivery.record.position) || !runtime.slots.take(dispatch)) break;
      readyHead++;
      lane.ready = false;
      lane.queue.shift();
      start(lane, delivery);
      if ((++started & 15) === 0 && clock.monotonic() - startedAt > sliceMs) {
        clock.soon(dispatch);
        break;
      }
    }
    if (readyHead > 256) {
      ready = ready.slice(readyHead);
      readyHead = 0;
    }
    dispatching = false;
  }

  function start(lane: Lane, delivery: Delivery): void {
    lane.running = delivery;
    running.add(delivery);
    if (delivery.route.batch && delivery.commitError === undefined) batches.add(delivery);
    else run(delivery);
  }

  function run(delivery: Delivery): void {
    const startedAt = clock.monotonic();
    const note = (error?: unknown): void => {
      runtime.metrics.duration.record((clock.monotonic() - startedAt) / 1000);
      hook?.(error);
    };
    const hook = runtime.hooks.onDelivery?.({
      subscription: runtime.name,
      record: delivery.record,
      attempt: delivery.attempt,
    });
    let work: void | Promise<void>;
    try {
      work = execute(delivery, runtime);
    } catch (error) {
      note(error);
      failed(delivery, error);
      return;
    }
    if (work === undefined) {
      note();
      ended(delivery);
      return;
    }
    work.then(
      () => {
        note();
        ended(delivery);
      },
      (error: unknown) => {
        note(error);
        failed(delivery, error);
      },
    );
  }

  function ended(delivery: Delivery): void {
    delivery.unit?.end();
    delivery.writes = delivery.unit?.writes;
    if (delivery.as === "unknown") delivery.counts = { unknown: -1, handled: 1 };
    if (delivery.identity) ((delivery.writes ??= { bytes: 100 }).timers ??= []).push(delivery.identity);
    if (delivery.conflicts > 0 || delivery.tries.failures > 0) claims.forgetFailures(delivery.record.position);
    finish(delivery);
  }

  /** The delivery has come to an end of any kind: its settlement goes to the committer, its lane goes on. */
  function finish(delivery: Delivery): void {
    if (delivery.discarded) return restart(delivery);
    free(delivery);
    if (delivery.held) {
      held.succeeded(delivery);
      return;
    }
    runtime.metrics.consumed.add();
    const lane = delivery.lane as Lane;
    lane.uncommitted.push(delivery);
    committer.add(delivery);
    goOn(lane);
  }

  function free(delivery: Delivery): void {
    running.delete(delivery);
    runtime.slots.give();
    if (delivery.lane?.running === delivery) delivery.lane.running = undefined;
    if (delivery.held) settledAlone.get(delivery)?.();
    if (running.size === 0 && idleWaiters.length > 0) {
      const woken = idleWaiters;
      idleWaiters = [];
      for (const wake of woken) wake();
    }
  }

  function goOn(lane: Lane): void {
    if (lane.queue.length === 0) return;
    makeReady(lane);
    if (!dispatching) dispatch();
  }

  /** What ran on top of something that did not commit is run again behind it. */
  function restart(delivery: Delivery): void {
    const lane = delivery.lane as Lane;
    delivery.discarded = false;
    free(delivery);
    lane.queue = [...lane.again, delivery, ...lane.queue];
    lane.again = [];
    goOn(lane);
  }

  function failed(delivery: Delivery, error: unknown): void {
    delivery.unit?.end();
    delivery.writes = undefined;
    if (delivery.discarded) return restart(delivery);
    leaveHot(delivery);
    if (stopped && codeOf(error) === "AbortError") return abandon(delivery);
    const nowMs = clock.now();
    const conflict = actionOf(error) === "conflict";
    if (conflict) delivery.conflicts += 1;
    else if (actionOf(error) !== "pause") {
      runtime.metrics.failures.add();
      delivery.tries = withFailure(delivery.tries, {
        atMs: nowMs,
        host: runtime.member.host,
        code: codeOf(error),
        message: String((error as { message?: unknown } | undefined)?.message ?? error).slice(0, 500),
      });
    }
    const step = nextStep(
      error,
      {
        failures: delivery.tries.failures,
        firstFailedAtMs: delivery.tries.firstFailedAtMs ?? nowMs,
        nowMs,
        redriving: delivery.held?.redriving ?? false,
        conflicts: delivery.conflicts,
      },
      delivery.route.policy,
      random,
    );
    logFailure(delivery, error, step);
    take(delivery, error, runtime.guarantee === "at-most-once" ? { step: "park", reason: "exhausted" } : step);
  }

  function logFailure(delivery: Delivery, error: unknown, step: NextStep): void {
    const { record } = delivery;
    const fields = {
      subscription: runtime.name,
      event: record.id,
      type: record.type,
      key: record.key,
      partition: record.partition,
      position: record.position,
      failures: delivery.tries.failures,
      next: step.step,
      ...("delayMs" in step ? { delayMs: step.delayMs } : {}),
      err: error,
    };
    if (step.step === "park") runtime.log.error(fields, "gave up on an event");
    else if (step.step !== "retry-now") runtime.log.warn(fields, "an event failed");
    else runtime.log.debug(fields, "an event failed and is tried again at once");
  }

  function take(delivery: Delivery, error: unknown, step: NextStep): void {
    switch (step.step) {
      case "retry-now":
        return void retryNow(delivery, step.delayMs);
      case "pause":
        void runtime.pause(String((error as { message?: unknown } | undefined)?.message ?? error), step.pauseMs);
        free(delivery);
        return putBack(delivery);
      case "discard":
        if (delivery.as === "unknown") delivery.counts = { unknown: -1, discarded: 1 };
        else delivery.as = "discarded";
        if (delivery.held) {
          free(delivery);
          return void held.discarded(delivery.held, "policy");
        }
        return finish(delivery);
      case "hold":
      case "park":
        return void setAside(delivery, error, step);
    }
  }

  async function retryNow(delivery: Delivery, delayMs: number): Promise<void> {
    runtime.metrics.retries.add();
    if (!delivery.held && delivery.tries.failures > 0)
      await claims.noteFailures(delivery.record.position, delivery.tries.failures);
    clock.after(delayMs, () => {
      if (stopped) return abandon(delivery);
      if (delivery.discarded) return restart(delivery);
      run(delivery);
    });
  }

  /** Left unsettled: whoever owns the partition next will deliver it. */
  function abandon(delivery: Delivery): void {
    leaveHot(delivery);
    free(delivery);
    settledAlone.get(delivery)?.();
  }

  /** Holds the delivery or makes a dead letter of it, once everything before it in its lane is committed. */
  async function setAside(
    delivery: Delivery,
    error: unknown,
    step: NextStep & { step: "hold" | "park" },
  ): Promise<void> {
    claims.forgetFailures(delivery.record.position);
    if (delivery.held) {
      free(delivery);
      return held.failedAgain(delivery, error, step);
    }
    const lane = delivery.lane as Lane;
    for (let wait = lane.committedSoFar(); wait; wait = lane.committedSoFar()) await wait;
    if (stopped) return abandon(delivery);
    if (delivery.discarded) return restart(delivery);
    const { onFailure } = delivery.route.policy;
    if (onFailure === "blockPartition") return blockPartition(delivery, error, step);
    const alone =
      lane.key === null ||
      delivery.as === "unknown" ||
      onFailure === "skipAhead" ||
      (step.step === "park" && step.reason === "unmatched");
    const followers = alone ? [] : lane.queue.splice(0);
    free(delivery);
    held.hold(delivery, error, step, alone, followers);
    if (alone) goOn(lane);
    else if (lane.key !== null) lanes.delete(lane.key);
  }

  /** Nothing of the partition goes on before this event does: it is tried again for ever, or the subscription pauses. */
  function blockPartition(delivery: Delivery, error: unknown, step: NextStep): void {
    if (step.step === "hold") {
      clock.after(step.delayMs, () => (stopped ? abandon(delivery) : run(delivery)), true);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const { record } = delivery;
    void runtime.pause(
      `event ${record.id} at ${record.topic}/${record.partition}/${record.position} blocks its partition: ${message}`,
      undefined,
    );
    free(delivery);
    putBack(delivery);
  }

  function putBack(delivery: Delivery): void {
    const { lane } = delivery;
    settledAlone.get(delivery)?.();
    if (delivery.held) return held.putBack(delivery.held);
    if (!lane) return;
    if (lane.running === delivery) lane.running = undefined;
    lane.queue.unshift(delivery);
    makeReady(lane);
  }

  function leaveHot(delivery: Delivery): void {
    if (delivery.hot === undefined) return;
    runtime.hotDocuments.leave(delivery.hot);
    delivery.hot = undefined;
  }

  /** Lets the lane wait until it is the delivery's turn at the document that changed under it. */
  function queueUp(delivery: Delivery, changed: string): void {
    if (delivery.hot === changed) return;
    leaveHot(delivery);
    const lane = delivery.lane as Lane;
    lane.blocked = true;
    runtime.hotDocuments.enter(changed, () => {
      delivery.hot = changed;
      lane.blocked = false;
      goOn(lane);
    });
  }

  /** Takes everything of the lane back that ran after `delivery`, which runs again first. */
  function runAgain(delivery: Delivery): void {
    const lane = delivery.lane as Lane;
    const later = lane.takeBack().filter((other) => other !== delivery);
    committer.withdraw(new Set(later));
    // Whoever waits behind this one must not be the one it waits for.
    for (const other of later) leaveHot(other);
    const again = [delivery, ...later];
    if (lane.running) {
      lane.running.discarded = true;
      lane.again = [...again, ...lane.again];
    } else {
      lane.queue = [...again, ...lane.queue];
      goOn(lane);
    }
  }

  function laneOf(key: string | null): Lane {
    let lane = key === null ? undefined : lanes.get(key);
    if (!lane) {
      lane = new Lane(key);
      if (key !== null) lanes.set(key, lane);
    }
    return lane;
  }

  const self: Lanes = {
    make(record, route) {
      const delivery = new Delivery(record, route, self);
      delivery.lane = laneOf(record.key);
      return delivery;
    },
    enqueue(delivery) {
      const lane = delivery.lane as Lane;
      lane.queue.push(delivery);
      makeReady(lane);
    },
    takeWaiting: (key) => lanes.get(key)?.queue.splice(0) ?? [],
    dispatch,
    ended,
    failed,
    putBack(delivery) {
      free(delivery);
      putBack(delivery);
    },
    running: () => running.size,
    committed(delivery) {
      const { lane } = delivery;
      leaveHot(delivery);
      if (lane) {
        lane.committed(delivery);
        if (lane.key !== null && lane.idle && lanes.get(lane.key) === lane) lanes.delete(lane.key);
      }
      settledAlone.get(delivery)?.();
      options.onSettled(delivery);
    },
    conflicted(delivery, changed) {
      runtime.metrics.conflicts.add();
      if (delivery.conflicts > conflictsMax) {
        delivery.commitError = new TidingsError(
          "TIDINGS_CONFLICT",
          `The state that "${delivery.record.type}" reads in "${runtime.name}" changed before each of ${conflictsMax} commits.`,
        );
      }
      if (delivery.held) return held.conflicted(delivery);
      queueUp(delivery, changed);
      runAgain(delivery);
    },
    refused(delivery, error) {
      delivery.commitError = error;
      if (delivery.held) return held.conflicted(delivery);
      runAgain(delivery);
    },
    runAlone(delivery) {
      return new Promise((resolve) => {
        settledAlone.set(delivery, () => {
          settledAlone.delete(delivery);
          resolve();
        });
        const begin = (): void => {
          if (stopped) return settledAlone.get(delivery)?.();
          if (!runtime.slots.take(begin)) return;
          if (delivery.lane) delivery.lane.running = delivery;
          running.add(delivery);
          if (delivery.route.batch) batches.add(delivery);
          else run(delivery);
        };
        begin();
      });
    },
    quiesce() {
      stopped = true;
      batches.stop();
      if (running.size === 0) return Promise.resolve();
      return new Promise((resolve) => idleWaiters.push(resolve));
    },
    abort(reason) {
      for (const delivery of running) delivery.unit?.abort(reason);
    },
  };
  return self;
}
