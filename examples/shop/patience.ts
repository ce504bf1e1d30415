// What passes by itself is waited for: an application that is overloaded, a broker that is being restarted.
import { setTimeout as sleep } from "node:timers/promises";
import { isTidingsError } from "tidings";

/**
 * Does it again, with growing pauses, while it fails in a way that passes. It must be something that may be done twice: asking, or
 * publishing events with ids of their own. Rejects with an AbortError when the signal says to stop.
 */
export async function patiently<Result>(act: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 1000)) {
    signal.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if (!isTidingsError(error) || !error.retryable) throw error;
      await sleep(waitMs, undefined, { signal });
    }
  }
}
