import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import type { Engine } from "../ports/engine.ts";
import { journalTopic } from "./command.ts";

export const closedError = (): TidingsError => new TidingsError("TIDINGS_CLOSED", "The journal is closed.");

export const unknownError = (): TidingsError =>
  new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    "This member was away for so long that the journal of its broker went on without it: what it wrote last may have been done or not.",
  );

/** What somebody is told whose command is there and could not be read back; what ends the journal is told as it is. */
export const unreadError = (error: unknown): unknown =>
  isTidingsError(error) && error.retryable
    ? new TidingsError(
        "TIDINGS_OUTCOME_UNKNOWN",
        `A command stands in the journal of the broker, and what came of it could not be read: ${error.message}`,
        { cause: error },
      )
    : error;

export const lostError = ({ name, address }: Engine): TidingsError =>
  new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `The front of the topic "${journalTopic}" on ${name} at ${address} is gone, and no snapshot of it is left: the positions of the subscriptions are lost. Remove that topic to begin anew, and take retention off it.`,
    { details: { engine: name } },
  );

export const newerError = ({ name, address }: Engine): TidingsError =>
  new TidingsError(
    "TIDINGS_SCHEMA_TOO_NEW",
    `The topic "${journalTopic}" on ${name} at ${address} was written by a newer version of tidings: bring this member to that version.`,
    { details: { engine: name } },
  );

/** Nothing is taken any more before there is a snapshot. */
export const fullError = ({ name, address }: Engine, bytesKept: number): TidingsError =>
  new TidingsError(
    "TIDINGS_DISK_FULL",
    `The topic "${journalTopic}" on ${name} at ${address} keeps ${bytesKept} bytes, and too much of them is in no snapshot yet: one is tried to be written. When this stays, the positions and pauses of the subscriptions are more than fits: use a store.`,
    { details: { engine: name, bytesKept } },
  );

/** The state may not grow any more. */
export const tooLargeError = ({ name, address }: Engine, bytesKept: number): TidingsError =>
  new TidingsError(
    "TIDINGS_DISK_FULL",
    `What the members note in the topic "${journalTopic}" on ${name} at ${address} is more than fits into its ${bytesKept} bytes: remove subscriptions that are not needed, or use a store.`,
    { details: { engine: name, bytesKept } },
  );
