import { collections, type DeadLetter } from "../../delivery/records.ts";
import { abortReason } from "../../delivery/redrive/batch.ts";
import { type ChunkDocument, itemStatus, type RedriveCounts, type RedriveDocument } from "../../delivery/redrive/documents.ts"; // prettier-ignore
import type { Transaction } from "../../ports/transaction.ts";
import type { RedriveBatch, RedriveEnd, RedriveSending } from "../check/history.ts";
import type { Violation } from "../check/violation.ts";

type Changing<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** An operation as it goes. */
interface Watched {
  document: RedriveDocument | undefined;
  /** By chunk and dead letter: what has become of it. */
  readonly chunks: Map<string, ReadonlyMap<string, number>>;
  readonly sent: Changing<RedriveSending>[];
  readonly batches: RedriveBatch[];
}

const openPrefix = collections.deadLetters("");
const closedPrefix = collections.closedDeadLetters("");

/** Follows every redrive operation and every dead letter, commit by commit. */
export class RedriveWatch {
  readonly violations: Violation[] = [];
  /** Where events stand that were discarded and restored. */
  readonly restored: Pick<DeadLetter, "subscription" | "topic" | "partition" | "position">[] = [];
  readonly #operations = new Map<string, Watched>();
  readonly #letters = new Map<string, Pick<DeadLetter, "state" | "redrives" | "redrive">>();
  readonly #nowMs: () => number | undefined;

  /** `nowMs` gives nothing where clocks cannot be compared. */
  constructor(nowMs: () => number | undefined) {
    this.#nowMs = nowMs;
  }

  /** A transaction that took effect. */
  committed({ documents = [] }: Transaction): void {
    for (const { collection, key, value } of documents) {
      if (value === null) continue;
      if (collection === collections.redriveItems) this.#chunk(key, value);
      else if (collection.startsWith(openPrefix) || collection.startsWith(closedPrefix)) this.#letter(key, value);
    }
    for (const { collection, value } of documents)
      if (value !== null && (collection === collections.redrives || collection === collections.endedRedrives))
        this.#changed(JSON.parse(value) as RedriveDocument);
  }

  /** Operations as they are now, with what was seen of them. */
  ends(): readonly RedriveEnd[] {
    return [...this.#operations].flatMap(([id, { document, sent, batches }]) => {
      if (!document) return [];
      const { state, counts, endedAtMs, pace } = document;
      const rate = pace.perSecond === undefined ? {} : { perSecond: pace.perSecond };
      return [{ id, state, ended: endedAtMs !== undefined, counts, sent, batches, ...rate }];
    });
  }

  #operation(id: string): Watched {
    let found = this.#operations.get(id);
    if (!found) {
      found = { document: undefined, chunks: new Map(), sent: [], batches: [] };
      this.#operations.set(id, found);
    }
    return found;
  }

  #chunk(key: string, value: string): void {
    const { items } = JSON.parse(value) as ChunkDocument;
    const statuses = new Map(items.map(([letter, , , , , status]) => [letter, status]));
    this.#operation(key.slice(0, key.lastIndexOf("/"))).chunks.set(key, statuses);
  }

  #letter(id: string, value: string): void {
    const letter = JSON.parse(value) as DeadLetter;
    const { state, redrives, redrive, subscription, topic, partition, position } = letter;
    const before = this.#letters.get(id);
    this.#letters.set(id, { state, redrives, ...(redrive ? { redrive } : {}) });
    const wasUnderWay = before?.state === "redriving";
    if (state === "open" && before?.state === "discarded")
      this.restored.push({ subscription, topic, partition, position });
    if (state === "redriving") {
      if (wasUnderWay && before.redrives !== redrives)
        this.#found(`The dead letter ${id} was sent back while it was under way.`);
      if ((!wasUnderWay || before.redrives !== redrives) && redrive && !redrive.over) this.#sent(redrive.operation, id);
    } else if (wasUnderWay && before.redrive && !before.redrive.over) {
      const sending = this.#operations.get(before.redrive.operation)?.sent.findLast((each) => each.deadLetter === id);
      const outcomes = { open: "failed", resolved: "handled", discarded: "set aside" } as const;
      if (sending) sending.outcome = outcomes[state];
    }
  }

  #sent(operation: string, deadLetter: string): void {
    const watched = this.#operation(operation);
    const isStopped = watched.document?.state !== "running" && statusOf(watched, deadLetter) !== itemStatus.asked;
    watched.sent.push({ deadLetter, outcome: undefined, isStopped });
  }

  #changed(next: RedriveDocument): void {
    const operation = this.#operation(next.id);
    const { document: before, chunks } = operation;
    operation.document = next;
    const statuses = [...chunks.values()].flatMap((items) => [...items.values()]);
    if (!before) this.#overlaps(next.id, operation);
    else if (next.batches > before.batches) this.#began(before, operation, statuses);
    const wrong = differenceOf(next.counts, statuses);
    if (wrong !== undefined) this.#found(`The redrive ${next.id} has counted ${wrong}.`);
  }

  /** A dead letter is covered by one operation at a time. */
  #overlaps(id: string, { chunks }: Watched): void {
    const mine = new Set([...chunks.values()].flatMap((items) => [...items.keys()]));
    for (const [other, { document, chunks: theirs }] of this.#operations) {
      if (other === id || !document || document.endedAtMs !== undefined) continue;
      const goesOn = document.state === "running" || document.state === "paused";
      for (const [letter, status] of [...theirs.values()].flatMap((items) => [...items])) {
        const isOpen = status === itemStatus.waiting ? goesOn : status <= itemStatus.moved;
        if (isOpen && mine.has(letter))
          this.#found(`The redrives ${other} and ${id} cover the dead letter ${letter} at once.`);
      }
    }
  }

  #began(before: RedriveDocument, { batches }: Watched, statuses: readonly number[]): void {
    const { id, state, pace, counts, rampStep } = before;
    const { canary = 0, ramp } = pace;
    const size = statuses.filter((status) => status === itemStatus.asked).length;
    const isCanary = counts.moved < canary;
    const most = isCanary ? canary : (ramp[Math.min(rampStep, ramp.length - 1)] ?? 0);
    batches.push({ atMs: this.#nowMs(), size, most });
    if (state !== "running") this.#found(`The redrive ${id} began a batch while it was ${state}.`);
    const reason = abortReason(before);
    if (reason !== undefined) this.#found(`The redrive ${id} began a batch although ${reason}.`);
  }

  #found(message: string): void {
    this.violations.push({ invariant: "REDRIVE", message });
  }
}

const statusOf = ({ chunks }: Watched, letter: string): number | undefined =>
  [...chunks.values()].map((items) => items.get(letter)).find((status) => status !== undefined);

/** What of the counts is not what the items say. */
function differenceOf(counts: RedriveCounts, statuses: readonly number[]): string | undefined {
  const count = (...wanted: readonly number[]): number => statuses.filter((status) => wanted.includes(status)).length;
  const { moved, succeeded, failedAgain, setAside, skipped } = itemStatus;
  const real: RedriveCounts = {
    covered: statuses.length,
    moved: count(moved, succeeded, failedAgain, setAside),
    succeeded: count(succeeded),
    failedAgain: count(failedAgain),
    setAside: count(setAside),
    skipped: count(skipped),
  };
  const names = Object.keys(real) as (keyof RedriveCounts)[];
  const wrong = names.filter((name) => real[name] !== counts[name]);
  return wrong.length === 0
    ? undefined
    : wrong.map((name) => `${name} to ${counts[name]} where ${real[name]} are`).join(", ");
}
