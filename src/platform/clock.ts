/** Cancels a timer; cancelling twice, or after it fired, does nothing. */
export type CancelTimer = () => void;

/**
 * Time as the rest of tidings sees it. Nothing above this folder may ask the system for the time or
 * set a timer, so that a test or a simulator can own both.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, UTC. May jump in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. For measuring durations. */
  monotonic(): number;
  /** Calls `fn` once after at least `delayMs`. The timer does not keep the process alive when `background`. */
  after(delayMs: number, fn: () => void, background?: boolean): CancelTimer;
  /** Calls `fn` once after pending I/O had its turn: the rhythm of batching. */
  soon(fn: () => void): void;
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
