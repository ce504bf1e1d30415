import type { StoredRecord } from "../../event/record.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import { failureRecord } from "../failure/failure.ts";
import { collections, type DeadLetter, type DeadLetterReason, recordToDocument, type Tries } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";

/** What is known when an event is given up. */
export interface Parked {
  readonly id: string;
  readonly record: StoredRecord;
  readonly heldId: string;
  readonly reason: DeadLetterReason;
  readonly error: unknown;
  readonly tries: Tries;
  readonly run: number;
  /** The dead letter it was before, when a redrive has failed. */
  readonly before?: DeadLetter | undefined;
}

/** The dead letter of an event that was given up. */
export function deadLetterOf(parked: Parked, runtime: SubscriptionRuntime): DeadLetter {
  const { record, before } = parked;
  const nowMs = runtime.platform.clock.now();
  const traceparent = record.attributes?.["traceparent"];
  return {
    id: parked.id,
    subscription: runtime.name,
    service: runtime.service,
    topic: record.topic,
    partition: record.partition,
    position: record.position,
    key: record.key,
    heldId: parked.heldId,
    state: "open",
    reason: parked.reason,
    failure: failureRecord(parked.error, record),
    tries: storyOf(parked),
    parkedAtMs: before?.parkedAtMs ?? nowMs,
    lastFailedAtMs: nowMs,
    redrives: before?.redrives ?? 0,
    ...(before?.redrive === undefined
      ? {}
      : {
          redrive: before.redrive.over
            ? before.redrive
            : { ...before.redrive, failedAtMs: before.redrive.failedAtMs ?? nowMs },
        }),
    run: parked.run,
    host: runtime.member.host,
    ...(runtime.member.appVersion === undefined ? {} : { appVersion: runtime.member.appVersion }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(before?.editedFrom === undefined ? {} : { editedFrom: before.editedFrom }),
    ...(before?.note === undefined ? {} : { note: before.note }),
    record: recordToDocument(record),
  };
}

/** A redrive counts its tries from nothing, but what failed first has failed then, however often it was redriven since. */
function storyOf({ tries, before }: Parked): Tries {
  const [oldest] = tries.attempts;
  const times = [before?.tries.firstFailedAtMs, oldest?.atMs, tries.firstFailedAtMs].filter((at) => at !== undefined);
  return times.length === 0 ? tries : { ...tries, firstFailedAtMs: Math.min(...times) };
}

/** Writes a dead letter. */
export function writeDeadLetter(letter: DeadLetter): DocumentWrite {
  return { collection: collections.deadLetters(letter.subscription), key: letter.id, value: JSON.stringify(letter) };
}

/** How long a discard can be undone unless it says otherwise. */
export const undoDefaultMs = 24 * 60 * 60 * 1000;

/** How a dead letter is closed. */
export interface Closing {
  readonly state: "resolved" | "discarded";
  readonly nowMs: number;
  readonly by: string;
  /** How long a discard can be undone. */
  readonly undoMs?: number | undefined;
  readonly note?: string | undefined;
}

/** Moves a dead letter among the closed ones. */
export function closeDeadLetter(letter: DeadLetter, closing: Closing): DocumentWrite[] {
  const { state, nowMs, by, undoMs = undoDefaultMs, note } = closing;
  const closed: DeadLetter = {
    ...letter,
    state,
    closedAtMs: nowMs,
    closedBy: by,
    ...(state === "discarded" ? { undoUntilMs: nowMs + undoMs } : {}),
    ...(note === undefined ? {} : { note }),
  };
  return [
    { collection: collections.deadLetters(letter.subscription), key: letter.id, value: null },
    { collection: collections.closedDeadLetters(letter.subscription), key: letter.id, value: JSON.stringify(closed) },
  ];
}

/** Opens a discarded dead letter again. */
export function reopenDeadLetter(closed: DeadLetter): DocumentWrite[] {
  const { closedAtMs: _, closedBy: __, undoUntilMs: ___, note: ____, ...letter } = closed;
  return [
    { collection: collections.closedDeadLetters(letter.subscription), key: letter.id, value: null },
    writeDeadLetter({ ...letter, state: "open" }),
  ];
}
