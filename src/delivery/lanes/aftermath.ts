import type { StoredRecord } from "../../event/record.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Claims } from "../commit/claims.ts";
import { actionOf, codeOf, legible, textOf } from "../failure/failure.ts";
import { type NextStep, nextStep } from "../failure/retry.ts";
import { GuardNotes, waitsAfter } from "../guards/entrance.ts";
import { type Guard, isRefusal } from "../guards/guard.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { type Delivery, withFailure } from "./delivery.ts";
import type { Lane } from "./lane.ts";

/** What follows a failure, in the hands of the lanes. */
export interface FailedRuns {
  /** Runs the delivery once more, in the slot it has. */
  run(delivery: Delivery): void;
  /** It has come to an end: its settlement goes to the committer. */
  finish(delivery: Delivery): void;
  /** Gives its slot back. */
  free(delivery: Delivery): void;
  putBack(delivery: Delivery): void;
  abandon(delivery: Delivery): void;
  restart(delivery: Delivery): void;
  goOn(lane: Lane): void;
  /** The key is held from now on. */
  closeLane(lane: Lane): void;
  /** Nothing else of the partition starts until the delivery has come to an end. */
  blockOthers(delivery: Delivery): void;
  stopped(): boolean;
}

/** What an aftermath works with. */
export interface AftermathOptions {
  readonly runtime: SubscriptionRuntime;
  readonly claims: Claims;
  readonly held: HeldKeys;
}

/** Steps that take an event out of its lane. */
type AsideStep = NextStep & { step: "hold" | "park" };

/** Decides what follows a failed run, and does it. */
export class Aftermath {
  readonly #runtime: SubscriptionRuntime;
  readonly #claims: Claims;
  readonly #held: HeldKeys;
  readonly #runs: FailedRuns;
  /** Deliveries between two tries. */
  readonly #waiting = new Map<Delivery, CancelTimer>();

  constructor({ runtime, claims, held }: AftermathOptions, runs: FailedRuns) {
    this.#runtime = runtime;
    this.#claims = claims;
    this.#held = held;
    this.#runs = runs;
  }

  follow(delivery: Delivery, thrown: unknown): void {
    const error = legible(thrown);
    const guard = this.#runtime.guarantee === "at-most-once" ? undefined : this.#waitsFor(delivery, error);
    if (guard) return this.#waitFor(guard, delivery, error);
    const step = this.#stepAfter(delivery, error);
    logFailure(this.#runtime, delivery, error, step);
    this.#take(
      delivery,
      error,
      this.#runtime.guarantee === "at-most-once" ? { step: "park", reason: "exhausted" } : step,
    );
  }

  /** A batch handler that throws what one of its items was refused with has all of them wait. */
  #waitsFor(delivery: Delivery, error: unknown): Guard | undefined {
    const name = isRefusal(error) ? error.details["dependency"] : undefined;
    return waitsAfter(delivery) ?? (typeof name === "string" ? this.#runtime.host.guards.find(name) : undefined);
  }

  /** Puts it back as if it had not run: it runs again when the guard lets it through. */
  #waitFor(guard: Guard, delivery: Delivery, error: unknown): void {
    const { log, name } = this.#runtime;
    log.debug(
      { subscription: name, event: delivery.record.id, guard: guard.name, err: error },
      "an event waits for its guard",
    );
    (delivery.guarded ??= new GuardNotes()).waitsFor = guard;
    if (delivery.held) delivery.held.waitsFor = guard;
    this.#runs.free(delivery);
    this.#runs.putBack(delivery);
  }

  /** Counts the failure and looks up in the policy what comes next. */
  #stepAfter(delivery: Delivery, error: unknown): NextStep {
    const { platform, metrics, member } = this.#runtime;
    const nowMs = platform.clock.now();
    const action = actionOf(error);
    if (action === "conflict") delivery.conflicts += 1;
    else if (action !== "pause") {
      metrics.failures.add();
      delivery.tries = withFailure(delivery.tries, {
        atMs: nowMs,
        host: member.host,
        code: codeOf(error),
        message: textOf(error).slice(0, 500),
      });
    }
    const failed = {
      failures: delivery.tries.failures,
      firstFailedAtMs: delivery.tries.firstFailedAtMs ?? nowMs,
      nowMs,
      redriving: delivery.held?.redriving ?? false,
      conflicts: delivery.conflicts,
    };
    return nextStep(error, failed, delivery.route.policy, platform.random);
  }

  #take(delivery: Delivery, error: unknown, step: NextStep): void {
    switch (step.step) {
      case "retry-now":
        return void this.#retryNow(delivery, step.delayMs);
      case "pause":
        void this.#runtime.pause(textOf(error), step.pauseMs);
        this.#runs.free(delivery);
        return this.#runs.putBack(delivery);
      case "discard":
        return this.#discard(delivery);
      case "hold":
      case "park":
        return void this.#setAside(delivery, error, step);
    }
  }

  async #retryNow(delivery: Delivery, delayMs: number): Promise<void> {
    this.#runtime.metrics.retries.add();
    if (!delivery.held && delivery.tries.failures > 0)
      await this.#claims.noteFailures(delivery.record.position, delivery.tries.failures);
    this.#runLater(delivery, delayMs);
  }

  /** Between two tries the delivery keeps its slot, unless the partition is given up. */
  #runLater(delivery: Delivery, delayMs: number): void {
    if (this.#runs.stopped()) return this.#runs.abandon(delivery);
    const cancel = this.#runtime.platform.clock.after(delayMs, () => {
      this.#waiting.delete(delivery);
      if (delivery.discarded) this.#runs.restart(delivery);
      else this.#runs.run(delivery);
    });
    this.#waiting.set(delivery, cancel);
  }

  /** Gives up what waits between two tries: whoever owns the partition next will deliver it. */
  stop(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [delivery, cancel] of waiting) {
      cancel();
      this.#runs.abandon(delivery);
    }
  }

  #discard(delivery: Delivery): void {
    if (delivery.as === "unknown") delivery.counts = { unknown: -1, discarded: 1 };
    else delivery.as = "discarded";
    if (!delivery.held) {
      // Its identity is settled as that of one that was handled: a second copy of it is no other event.
      if (delivery.identity) delivery.writes = { timers: [delivery.identity], bytes: 100 };
      return this.#runs.finish(delivery);
    }
    this.#runs.free(delivery);
    void this.#held.discarded(delivery.held, { by: "policy" });
  }

  /** Holds the delivery or makes a dead letter of it, once everything before it in its lane is committed. */
  async #setAside(delivery: Delivery, error: unknown, step: AsideStep): Promise<void> {
    const runs = this.#runs;
    this.#claims.forgetFailures(delivery.record.position);
    if (delivery.held) {
      runs.free(delivery);
      return this.#held.failedAgain(delivery, error, step);
    }
    const lane = delivery.lane as Lane;
    for (let wait = lane.committedSoFar(); wait && !delivery.discarded; wait = lane.committedSoFar()) {
      await wait;
      if (runs.stopped()) break;
    }
    if (runs.stopped()) return runs.abandon(delivery);
    if (delivery.discarded) return runs.restart(delivery);
    if (delivery.route.policy.onFailure === "blockPartition") return this.#blockPartition(delivery, error, step);
    const alone = isHeldAlone(delivery, lane, step);
    const followers = alone ? [] : lane.queue.splice(0);
    runs.free(delivery);
    this.#held.hold(delivery, error, step, alone, followers);
    if (alone) runs.goOn(lane);
    else runs.closeLane(lane);
  }

  /** Nothing of the partition goes on before this event does: it is tried again for ever, or the subscription pauses. */
  #blockPartition(delivery: Delivery, error: unknown, step: AsideStep): void {
    const runs = this.#runs;
    if (step.step === "hold") {
      runs.blockOthers(delivery);
      return this.#runLater(delivery, step.delayMs);
    }
    const reason = `event ${delivery.record.id} at ${placeOf(delivery.record)} blocks its partition: ${textOf(error)}`;
    void this.#runtime.pause(reason, undefined);
    runs.free(delivery);
    runs.putBack(delivery);
  }
}

/** Whether the events behind it may overtake it. */
function isHeldAlone(delivery: Delivery, lane: Lane, step: AsideStep): boolean {
  return (
    lane.key === null ||
    delivery.as === "unknown" ||
    delivery.route.policy.onFailure === "skipAhead" ||
    (step.step === "park" && step.reason === "unmatched")
  );
}

function logFailure(runtime: SubscriptionRuntime, delivery: Delivery, error: unknown, step: NextStep): void {
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

function placeOf({ topic, partition, position }: StoredRecord): string {
  return `${topic}/${partition}/${position}`;
}
