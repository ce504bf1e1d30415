import { TidingsError } from "../../errors/tidings-error.ts";

/** The rejection of a write of an engine that was opened for reading. */
export function notWritable(address: string): TidingsError {
  return new TidingsError("TIDINGS_READ_ONLY", `Cannot write to ${address}: it was opened for reading only.`, {
    details: { address },
  });
}
