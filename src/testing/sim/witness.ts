import type { Hooks } from "../../delivery/hooks.ts";
import {
  collections,
  type HeldDocument,
  type HeldEventDocument,
  type PositionDocument,
} from "../../delivery/records.ts";
import type { MemoryCall } from "../../engines/memory/faults.ts";
import { entryOf, outboxTopic } from "../../outbox/row.ts";
import { partitionLeaseName } from "../../membership/names.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Lease } from "../../ports/leases.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import type { Outcome, Transaction } from "../../ports/transaction.ts";
import { type Charge, type Effect, identityOf, type OwnedWrite, type PositionSample, type Publish, type Run, type TimerFiring } from "../check/history.ts"; // prettier-ignore
import type { Violation } from "../check/violation.ts";
import { hashOf, isConstantClockKind, settledOf, sumOf } from "./measures.ts";
import { Dependencies } from "./dependencies.ts";
import { RedriveWatch } from "./redrive-watch.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Swarm } from "./swarm.ts";
import type { Trace } from "./trace.ts";

/** What is written into an outbox is on its way to another topic. */
function toBroker(entry: TopicEntry): TopicEntry {
  if (entry.topic !== outboxTopic) return entry;
  return entryOf({ ...entry.record, ...entry, position: 0, appendedAtMs: 0 }, "");
}

type Changing<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** A handler as it runs, with what tells whether it came early. */
export interface SeenRun extends Changing<Run> {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
}

const deadLetterPrefix = collections.deadLetters("");
const heldEventPrefix = collections.heldEvents("");
/** Instants are written in whole milliseconds. */
const clockToleranceMs = 2;
const heldPrefix = collections.held("");

/** Sees everything that takes effect, and every handler that runs, and writes it down for the checker. */
export class Witness {
  readonly publishes: Publish[] = [];
  readonly runs: SeenRun[] = [];
  readonly effects: Effect[] = [];
  readonly positions: PositionSample[] = [];
  /** Where each run of a subscription began: by subscription, partition and run. */
  readonly starts = new Map<string, number>();
  readonly ownership: OwnedWrite[] = [];
  readonly timers: TimerFiring[] = [];
  readonly deadLetters = new Set<string>();
  readonly violations: Violation[] = [];
  readonly redrives: RedriveWatch;
  readonly dependencies: Dependencies;
  readonly charges: Charge[] = [];
  /** Most handlers that ran at once, by member and subscription. */
  readonly peaks = new Map<string, number>();
  /** Why applications could not start, by code. */
  readonly startFailures = new Map<string, number>();
  readonly #scheduler: Scheduler;
  readonly #trace: Trace;
  readonly #exactClocks: boolean;
  readonly #engines = new Map<Engine, { readonly member: string; readonly node: number }>();
  /** Who took the lease of a partition last. */
  readonly #owners = new Map<string, string>();
  readonly #tokens = new Map<string, number>();
  /** By subscription and key of a held document: until when its head waits for a retry, by true time. */
  readonly #due = new Map<string, { readonly dueMs: number; readonly owner: string }>();
  /** The heads of held keys, as above. */
  readonly #heads = new Map<string, { readonly headSeq: number; readonly failures: number }>();
  /** By subscription, partition and position of an event: the held document it is in, as above. */
  readonly #heldIn = new Map<string, string>();
  readonly #running = new Map<string, number>();
  readonly #epochMs: number;
  readonly #name: string;

  constructor(scheduler: Scheduler, trace: Trace, options: { swarm: Swarm; epochMs: number; name: string }) {
    this.#scheduler = scheduler;
    this.#trace = trace;
    this.#exactClocks = options.swarm.kinds.every(isConstantClockKind);
    this.dependencies = new Dependencies(scheduler, options.swarm);
    this.redrives = new RedriveWatch(() => (this.#exactClocks ? scheduler.nowMs : undefined));
    this.#epochMs = options.epochMs;
    this.#name = options.name;
  }

  opened(engine: Engine, member: string, node: number): void {
    this.#engines.set(engine, { member, node });
  }

  nodeOf(engine: Engine): number | undefined {
    return this.#engines.get(engine)?.node;
  }

  startFailed(error: unknown): void {
    const code = (error as { code?: string }).code ?? String(error);
    this.startFailures.set(code, (this.startFailures.get(code) ?? 0) + 1);
    if (code.startsWith("TIDINGS_")) return;
    const message = `An application could not start: ${String((error as Error).stack ?? error)}`;
    this.violations.push({ invariant: "I7", message });
  }

  died(node: string): void {
    this.#trace.text(`dead ${node}`);
    for (const name of this.#running.keys()) if (name.startsWith(`n${node} `) || name.startsWith(`n${node}-`)) this.#running.delete(name); // prettier-ignore
  }

  /** Hears of every delivery of a member. */
  hooksOf(member: string, alive: () => boolean): Hooks {
    return {
      onDelivery: ({ subscription, record }) => {
        if (!alive()) return () => undefined;
        const run = this.#begin(member, subscription, record);
        return () => {
          if (!alive()) return;
          run.end = this.#scheduler.steps;
          const name = `${member} ${subscription}`;
          this.#running.set(name, (this.#running.get(name) ?? 1) - 1);
        };
      },
    };
  }

  #begin(member: string, subscription: string, record: StoredRecord): SeenRun {
    const { topic, partition, position, key, data } = record;
    const begin = this.#scheduler.steps;
    const lease = partitionLeaseName(subscription, { topic, partition });
    const right = `${member} with token ${this.#tokens.get(lease) ?? 0}`;
    const run: SeenRun = { subscription, member: right, event: identityOf(record), key, topic, partition, position, begin, payload: hashOf(data) }; // prettier-ignore
    this.runs.push(run);
    this.#trace.text(`run ${subscription} ${position}`);
    const name = `${member} ${subscription}`;
    const count = (this.#running.get(name) ?? 0) + 1;
    this.#running.set(name, count);
    this.peaks.set(name, Math.max(count, this.peaks.get(name) ?? 0));
    const held = this.#due.get(this.#heldIn.get(`${subscription} ${partition} ${position}`) ?? "");
    // One who has lost the partition and does not know it yet may do what it likes: it cannot commit it.
    if (held && this.#exactClocks && this.#owners.get(lease) === held.owner && held.owner.startsWith(`${member}#`)) {
      const dueAtMs = held.dueMs - clockToleranceMs;
      this.timers.push({ subscription, event: run.event, dueAtMs, firedAtMs: this.#scheduler.nowMs });
    }
    return run;
  }

  /** A call that is about to take effect, or not. */
  attempted({ transaction }: MemoryCall): void {
    for (const { topic, record } of (transaction?.publish ?? []).map(toBroker)) {
      const { key, data } = record;
      this.publishes.push({ event: identityOf(record), topic, key, answer: "unknown", payload: hashOf(data) });
    }
  }

  /** A call that took effect. */
  applied({ kind, engine, transaction }: MemoryCall, result: unknown): void {
    if (transaction && (result as Outcome).committed) {
      this.redrives.committed(transaction);
      this.dependencies.committed(transaction);
    }
    const by = this.#engines.get(engine);
    if (!by) return;
    this.#trace.text(kind);
    this.#trace.number(by.node);
    if (kind === "lease") this.#leased(result);
    if (transaction && (result as Outcome).committed) this.#committed(transaction, by.member);
  }

  #leased(result: unknown): void {
    if (!Array.isArray(result)) return;
    for (const lease of result as readonly (Lease | undefined)[]) {
      if (!lease) continue;
      this.#owners.set(lease.name, lease.owner);
      this.#tokens.set(lease.name, lease.token);
    }
  }

  #committed(transaction: Transaction, member: string): void {
    const position = transaction.documents?.find(({ collection }) => collection === collections.positions);
    let run = 1;
    if (position?.value) run = this.#moved(transaction, position.key, position.value, member);
    for (const { collection, key, value } of transaction.documents ?? []) {
      if (collection.startsWith(heldPrefix)) this.#held(collection.slice(heldPrefix.length), key, value, transaction);
      else if (collection.startsWith(heldEventPrefix))
        this.#heldEvent(collection.slice(heldEventPrefix.length), key, value);
      else if (collection.startsWith(deadLetterPrefix) && value !== null) this.deadLetters.add(key);
    }
    if (!position) return;
    const subscription = position.key.slice(0, position.key.lastIndexOf("/"));
    const source = `/${this.#name}/${subscription.slice(0, subscription.indexOf("/"))}`;
    const seen = new Set<string>();
    for (const { record } of transaction.publish ?? []) {
      const cause = record.attributes?.["causationid"];
      // Several events that one delivery publishes are one effect.
      if (cause === undefined || seen.has(cause) || record.source !== source) continue;
      seen.add(cause);
      this.effects.push({ subscription, name: "published", event: cause, key: null, run });
    }
  }

  #moved({ fences }: Transaction, key: string, value: string, member: string): number {
    const document = JSON.parse(value) as PositionDocument;
    const { run, low, start, counts } = document;
    const subscription = key.slice(0, key.lastIndexOf("/"));
    const partition = Number(key.slice(key.lastIndexOf("/") + 1));
    const topic = subscription.slice(subscription.indexOf("/") + 1);
    this.positions.push({ subscription, partition, run, low });
    this.starts.set(`${subscription} ${partition} ${run}`, start);
    this.#trace.text(key);
    this.#trace.number(low);
    const lease = partitionLeaseName(subscription, { topic, partition });
    const fence = fences?.find((each) => each.lease === lease);
    // The first one of a partition is written by whoever registers the subscription, before anybody owns it.
    const first = document.commit === 0 && low === start && run === 1;
    if (!first) this.ownership.push({ lease, owner: member, token: fence?.token });
    const settled = settledOf(document);
    const counted = sumOf(counts);
    if (settled !== counted) {
      const message = `A commit of ${key} has settled ${settled} positions and counted ${counted}: ${JSON.stringify(counts)}.`;
      this.violations.push({ invariant: "P3", subscription, message });
    }
    return run;
  }

  #heldEvent(subscription: string, key: string, value: string | null): void {
    if (value === null) return;
    const { position } = JSON.parse(value) as HeldEventDocument;
    const entry = key.slice(0, key.lastIndexOf("#"));
    this.#heldIn.set(
      `${subscription} ${Number(entry.slice(0, entry.indexOf("/")))} ${position}`,
      `${subscription} ${entry}`,
    );
  }

  #held(subscription: string, key: string, value: string | null, { fences }: Transaction): void {
    const name = `${subscription} ${key}`;
    const due = this.#due.get(name);
    const before = this.#heads.get(name);
    this.#due.delete(name);
    this.#heads.delete(name);
    if (value === null) return;
    const held = JSON.parse(value) as HeldDocument;
    const { headSeq, tries } = held;
    this.#heads.set(name, { headSeq, failures: tries.failures });
    for (const { code } of tries.attempts)
      if (code.startsWith("TIDINGS_")) this.charges.push({ subscription, key: held.key, code });
    if (before && before.headSeq === headSeq && tries.failures < before.failures && held.redriving !== true) {
      const message = `${subscription} has forgotten failures of ${key}: ${before.failures} became ${tries.failures}.`;
      this.violations.push({ invariant: "I16", subscription, key: held.key, message });
    }
    // This is how a head begins to run. One that an operator has paused and let go on waits no longer.
    if (due && held.running !== undefined && held.reason === "retry" && this.#exactClocks)
      this.timers.push({ subscription, event: key, dueAtMs: due.dueMs - clockToleranceMs, firedAtMs: this.#scheduler.nowMs }); // prettier-ignore
    const owner = this.#owners.get(fences?.[0]?.lease ?? "");
    if (held.reason === "retry" && held.dueAtMs !== undefined && held.running === undefined && owner !== undefined)
      this.#due.set(name, { dueMs: held.dueAtMs - this.#epochMs, owner });
  }
}
