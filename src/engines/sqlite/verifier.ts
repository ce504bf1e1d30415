import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { VerifyProblem, VerifyReport } from "../../ports/engine.ts";
import type { Connection } from "./binding.ts";
import { errorOf } from "./maintenance.ts";
import { startThread } from "./start-thread.ts";
import type { Answer, ThreadData } from "./thread-messages.ts";
import { verifySteps } from "./verify.ts";

/** What the caller of a verification may say. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (recordsChecked: number) => void;
}

/** Verifies on a thread of its own: checking the pages of a table is one long statement. */
export function verifyOnThread(thread: ThreadData, { signal, onProgress }: VerifyOptions): Promise<VerifyReport> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const worker = startThread({ ...thread, role: "verify", readOnly: true });
    worker.ref();
    const problems: VerifyProblem[] = [];
    const end = (): void => {
      signal?.removeEventListener("abort", onAbort);
      void worker.terminate();
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    const onAbort = (): void => fail(aborted(signal as AbortSignal));
    signal?.addEventListener("abort", onAbort, { once: true });
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`The thread of the verification ended with exit code ${code}.`)));
    worker.on("message", (answer: Answer) => {
      if (answer.kind === "problem") problems.push({ place: answer.place, problem: answer.problem });
      else if (answer.kind === "progress") onProgress?.(answer.checked);
      else if (answer.kind === "verified") {
        if (answer.failure) return fail(errorOf(answer.failure));
        end();
        resolve({ recordsChecked: answer.checked, problems });
      }
    });
  });
}

/** Verifies in steps between other work, where no second connection may be opened. */
export async function verifyInline(
  connection: Connection,
  { clock }: Platform,
  { signal, onProgress }: VerifyOptions,
): Promise<VerifyReport> {
  const problems: VerifyProblem[] = [];
  let recordsChecked = 0;
  for (const step of verifySteps(connection)) {
    recordsChecked += step.checked;
    problems.push(...step.problems);
    onProgress?.(recordsChecked);
    await new Promise<void>((resolve) => clock.soon(resolve));
    if (signal?.aborted) throw aborted(signal);
  }
  return { recordsChecked, problems };
}

function aborted(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new TidingsError("TIDINGS_CLOSED", "The verification was aborted.");
}
