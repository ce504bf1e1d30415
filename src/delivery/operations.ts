import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import type { HeldEntry } from "./held/held-entry.ts";
import { heldIdOfKey } from "./held/held-entry.ts";
import type { PartitionParts } from "./partition/partition.ts";
import { type Answer, collections, type DeadLetter, type Intent, recordFromDocument } from "./records.ts";
import type { SubscriptionRuntime } from "./runtime.ts";

/**
 * Does in its partition what an operator asked for. Only the owner of the partition calls this, so that nothing
 * else moves meanwhile. Never rejects: what is wrong becomes the answer. A seek is not done here, since it restarts the partition.
 */
export async function perform(intent: Intent, parts: PartitionParts, runtime: SubscriptionRuntime): Promise<Answer> {
  try {
    await dispatch(intent, parts, runtime);
    await parts.committer.drained();
    return { ok: true };
  } catch (error) {
    return answerOf(error);
  }
}

/** An error as an answer. */
export function answerOf(error: unknown): Answer {
  return { ok: false, code: isTidingsError(error) ? error.code : "TIDINGS_HANDLER_FAILED", message: messageOf(error) };
}

async function dispatch(intent: Intent, parts: PartitionParts, runtime: SubscriptionRuntime): Promise<void> {
  switch (intent.kind) {
    case "redrive": {
      const letter = await read(intent.deadLetter, runtime);
      return redrive(letter, headOf(letter, parts), intent, parts, runtime);
    }
    case "discard": {
      const letter = await read(intent.deadLetter, runtime);
      return parts.held.discarded(headOf(letter, parts), intent.by);
    }
    case "pause-key": {
      refuseDead(intent, parts);
      parts.held.pauseKey(intent.key, intent.reason, intent.untilMs);
      const lane = parts.lanes.find(intent.key);
      if (lane) parts.lanes.holdBack(lane);
      return;
    }
    case "resume-key": {
      const entry = parts.held.find(heldIdOfKey(intent.key));
      if (entry?.reason !== "paused") {
        throw new TidingsError(
          "TIDINGS_NOT_PAUSABLE",
          `The key ${JSON.stringify(intent.key)} of "${intent.subscription}" is not paused.`,
        );
      }
      return parts.held.resumeKey(entry);
    }
    case "seek":
      throw new TidingsError("TIDINGS_UNSUPPORTED", "A seek restarts its partition.");
  }
}

/** A key behind a dead letter waits already, and resuming it would run the dead letter without being asked to. */
function refuseDead(intent: Intent & { kind: "pause-key" }, parts: PartitionParts): void {
  const entry = parts.held.find(heldIdOfKey(intent.key));
  if (entry?.reason !== "dead") return;
  throw new TidingsError(
    "TIDINGS_NOT_PAUSABLE",
    `The key ${JSON.stringify(intent.key)} of "${intent.subscription}" waits behind the dead letter ${entry.deadLetter} already; redrive or discard that.`,
    { details: { subscription: intent.subscription, key: intent.key } },
  );
}

async function read(id: string, runtime: SubscriptionRuntime): Promise<DeadLetter> {
  const [document] = (await runtime.engine.state?.get(collections.deadLetters(runtime.name), [id])) ?? [];
  if (!document)
    throw new TidingsError("TIDINGS_NOT_FOUND", `The subscription "${runtime.name}" has no open dead letter ${id}.`, {
      details: { deadLetter: id },
    });
  return JSON.parse(document.value) as DeadLetter;
}

/** The entry of a dead letter that nobody works on. Nothing may come between this and the work, or two would do it. */
function headOf({ id, heldId }: DeadLetter, parts: PartitionParts): HeldEntry {
  const entry = parts.held.find(heldId);
  if (!entry || entry.deadLetter !== id)
    throw new TidingsError("TIDINGS_NOT_FOUND", `The dead letter ${id} is not at the head of its key.`, {
      details: { deadLetter: id },
    });
  if (entry.reason !== "dead" || entry.busy) {
    throw new TidingsError("TIDINGS_DEAD_LETTER_STATE", `The dead letter ${id} is being redriven already.`, {
      details: { deadLetter: id },
    });
  }
  return entry;
}

function redrive(
  letter: DeadLetter,
  entry: HeldEntry,
  intent: Intent & { kind: "redrive" },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): void {
  const { topic, partition, position } = letter;
  const changed = intent.edited ? { record: intent.edited, editedFrom: letter.editedFrom ?? letter.record.id } : {};
  const next: DeadLetter = { ...letter, state: "redriving", redrives: letter.redrives + 1, ...changed };
  const record =
    intent.edited &&
    recordFromDocument(intent.edited, { topic, partition, position, appendedAtMs: runtime.platform.clock.now() });
  parts.held.runNow(entry, { redriving: true, ...(record ? { record } : {}) }, next);
}
