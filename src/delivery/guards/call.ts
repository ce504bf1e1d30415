import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import type { Guard, Pass } from "./guard.ts";

/** What a call through a guard needs to know of the run that it belongs to, and notes of it. */
export interface CallingRun {
  passes: Pass[] | undefined;
  /** A guard that has refused a call of this run: the run is done again when the guard lets it through. */
  refusedBy: Guard | undefined;
  /** Guards of which a call of this run has failed in a way that tells against them. */
  blamed: Guard | undefined;
}

/** Runs a call if its guard lets it through, and tells the guard what became of it. */
export async function callThrough<Result>(
  guard: Guard,
  run: CallingRun,
  isFirst: boolean,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result> | Result,
): Promise<Result> {
  const pass = run.passes?.find((one) => one.guard === guard);
  const { breaker, rate } = guard;
  if (breaker && !breaker.isClosed() && !pass?.probe) return refuse(guard, run, isOpen(guard));
  if (rate && pass?.token !== undefined) pass.token = undefined;
  else if (rate?.has()) rate.take();
  else if (rate && isFirst) return refuse(guard, run, isUsedUp(guard));
  else if (rate) await tokenOf(guard, signal);
  try {
    const result = await work(signal);
    breaker?.succeeded(pass?.probe);
    return result;
  } catch (error) {
    // What fails because it was told to stop says nothing of the dependency, unless it has taken too long.
    const isStopped = signal.aborted && !isTimeout(signal.reason);
    if (!isStopped && guard.blames(error)) {
      run.blamed = guard;
      breaker?.failed(pass?.probe, error);
    }
    throw error;
  }
}

function refuse(guard: Guard, run: CallingRun, error: TidingsError): never {
  run.refusedBy = guard;
  throw error;
}

/** Later calls of a run wait in place: what was called before cannot be taken back. */
function tokenOf({ rate, waiters }: Guard, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const who = {};
    const onAbort = (): void => {
      waiters.delete(who);
      reject(signal.reason as Error);
    };
    const ask = (): void => {
      if (signal.aborted) return;
      if (!rate?.has()) {
        waiters.add(who, ask);
        rate?.ask();
        return;
      }
      rate.take();
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    ask();
  });
}

const isTimeout = (reason: unknown): boolean => isTidingsError(reason) && reason.code === "TIDINGS_HANDLER_TIMEOUT";

function isOpen({ name, breaker }: Guard): TidingsError {
  return new TidingsError(
    "TIDINGS_BREAKER_OPEN",
    `The circuit breaker "${name}" is ${breaker?.document.state ?? "open"} (${breaker?.document.reason ?? ""}), so the call was not made; the delivery waits until it is let through.`,
    { details: { dependency: name } },
  );
}

function isUsedUp({ name }: Guard): TidingsError {
  return new TidingsError(
    "TIDINGS_RATE_LIMITED",
    `The rate of "${name}" is used up, so the call was not made; the delivery waits for its turn.`,
    { details: { dependency: name } },
  );
}
