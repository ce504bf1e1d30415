import { TidingsError } from "../../errors/tidings-error.ts";

/** What every call after `close` rejects with. */
export function closedError(address: string): TidingsError {
  return new TidingsError("TIDINGS_CLOSED", `The engine of ${address} is closed.`, { details: { address } });
}

/** The rejection of a write of an engine that was opened for reading. */
export function notWritable(address: string): TidingsError {
  return new TidingsError("TIDINGS_READ_ONLY", `The engine of ${address} was opened for reading only.`, {
    details: { address },
  });
}

/** The rejection of opening for reading what was never written. */
export function nothingThere(prefix: string, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_NOT_FOUND",
    `There is nothing of the prefix "${prefix}" at ${address}, and nothing is made for reading: correct the address or the prefix, or start the application first.`,
    { details: { prefix, address } },
  );
}

/** The rejection of a publish whose acknowledgement did not come, or came for a part of it. */
export function unknownOutcome(address: string, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `Not everything of a publish to ${address} was acknowledged (${why}): the rest may or may not have taken effect. Repeat with an id of your own.`,
    { details: { address } },
  );
}

/** Where a message lies. */
export interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** The address of the broker without secrets: a source for what names none. */
  readonly address: string;
}

/** The rejection of a read that comes to a message of ours which is not what was written. */
export function corrupt({ topic, partition, position }: Omit<MessagePlace, "address">): TidingsError {
  return new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The event at position ${position} of topic "${topic}", partition ${partition}, does not match its checksum; ` +
      'restore it from a replica or a backup. "tidings engine verify" lists all that is damaged.',
    { details: { topic, partition, position } },
  );
}
