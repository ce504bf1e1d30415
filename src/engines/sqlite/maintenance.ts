import type { Worker } from "node:worker_threads";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RetentionRule } from "../../ports/topics.ts";
import type { Connection } from "./binding.ts";
import { forgetIds, retain } from "./retention.ts";
import { startThread } from "./start-thread.ts";
import { type WalGauge, walGauge } from "./wal-gauge.ts";
import type { Answer, Request, ThreadData, ThreadFailure } from "./thread-messages.ts";

/** Work on the file beside reading and writing events. */
export interface Maintenance {
  /** So much was written by a commit. */
  wrote(bytes: number): void;
  /** Why no commit may be made now: text when one may be soon, an error when there is no hope of that. */
  heldBack(): string | Error | undefined;
  retain(logs: readonly number[], rule: RetentionRule): Promise<number>;
  forgetIds(beforeMs: number): Promise<number>;
  trouble(): string | undefined;
  /** `failed`: the disk has failed, so nothing may be checkpointed any more. */
  close(failed: boolean): Promise<void>;
}

/** What the checkpoint thread's keeper works with. */
export interface MaintenanceParts {
  readonly clock: Clock;
  readonly thread: ThreadData;
  readonly checkpointBytes: number;
  readonly walBytesMaxWhileRead: number;
  /** The disk failed under the thread. */
  readonly onDiskFailed: (reason: string) => void;
  /** Commits that were held back may go on. */
  readonly mayWrite: () => void;
}

/** Where there may be one connection only, SQLite checkpoints by itself, and the rest is done in steps between commits. */
export function inlineMaintenance(connection: Connection, clock: Clock): Maintenance {
  let closed = false;
  async function run(steps: Generator<number, void>): Promise<number> {
    let count = 0;
    for (const removed of steps) {
      count += removed;
      await new Promise<void>((resolve) => clock.soon(resolve));
      if (closed) throw new TidingsError("TIDINGS_CLOSED", "The engine was closed.");
    }
    return count;
  }
  return {
    wrote: () => undefined,
    heldBack: () => undefined,
    retain: (logs, rule) => run(retain(connection, logs, rule)),
    forgetIds: (beforeMs) => run(forgetIds(connection, beforeMs)),
    trouble: () => undefined,
    close: async () => {
      closed = true;
    },
  };
}

interface Job {
  readonly resolve: (count: number) => void;
  readonly reject: (error: Error) => void;
}

interface Keeper {
  worker: Worker | undefined;
  /** A checkpoint is asked for and not yet answered. */
  asked: boolean;
  paused: boolean;
  blocked: boolean;
  readonly wal: WalGauge;
  failure: ThreadFailure | undefined;
  deaths: number;
  /** No thread is started before this instant of the monotonic clock, after one has died. */
  againAtMs: number;
  lastJob: number;
  readonly jobs: Map<number, Job>;
  onClosed: (() => void) | undefined;
}

/** So often a thread is started again before that counts as trouble. */
const deathsBorne = 5;
/** How long to wait before the next one is started; doubles with each death. */
const againMs = { first: 25, most: 5000 };
/** Closing waits so long for the thread's last checkpoint. */
const closeMs = 5000;

/** Keeps the checkpoint thread, which is started when it is first needed. */
export function threadMaintenance(parts: MaintenanceParts): Maintenance {
  const { clock, thread } = parts;
  const wal = walGauge(`${thread.realPath}-wal`);
  const keeper: Keeper = {
    worker: undefined, asked: false, paused: false, blocked: false, wal,
    failure: undefined, deaths: 0, againAtMs: 0, lastJob: 0, jobs: new Map(), onClosed: undefined,
  }; // prettier-ignore
  const send = (request: Request): void => (keeper.worker ??= start(parts, keeper)).postMessage(request);

  function ask(): void {
    if (keeper.asked || (!keeper.worker && clock.monotonic() < keeper.againAtMs)) return;
    keeper.asked = true;
    wal.asked();
    send({ kind: "checkpoint" });
  }

  function job(make: (job: number) => Request): Promise<number> {
    return new Promise((resolve, reject) => {
      const id = ++keeper.lastJob;
      keeper.jobs.set(id, { resolve, reject });
      send(make(id));
      keeper.worker?.ref();
    });
  }

  return {
    wrote(bytes) {
      wal.wrote(bytes);
      if (wal.grown() >= parts.checkpointBytes) ask();
    },
    heldBack() {
      if (keeper.paused) return "The write-ahead log is being begun anew";
      const cap = keeper.blocked ? parts.walBytesMaxWhileRead : thread.walBytesMax;
      if (wal.bytes() <= cap) return undefined;
      ask();
      // The log cannot be copied, so nothing gets better by waiting.
      if (keeper.failure?.code === "TIDINGS_DISK_FULL") return errorOf(keeper.failure);
      const why = keeper.blocked
        ? "a long read of another process keeps it from beginning anew"
        : "the checkpoint thread is behind";
      return `The write-ahead log of ${thread.realPath} holds more than ${cap} bytes: ${why}`;
    },
    retain: (logs, rule) => job((id) => ({ kind: "retain", job: id, logs, rule })),
    forgetIds: (beforeMs) => job((id) => ({ kind: "forget", job: id, beforeMs })),
    trouble() {
      if (keeper.failure) return `Checkpoints fail: ${keeper.failure.message}`;
      if (keeper.deaths >= deathsBorne) return `The checkpoint thread has died ${keeper.deaths} times.`;
      const cap = thread.walBytesMax;
      return wal.bytes() > cap
        ? `The write-ahead log holds ${Math.round(wal.bytes())} bytes, more than ${cap}.`
        : undefined;
    },
    close: (failed) => closeThread(keeper, clock, failed),
  };
}

/** The thread's last checkpoint, then its end. After a failed sync it keeps its connection, since closing it would checkpoint. */
async function closeThread(keeper: Keeper, clock: Clock, failed: boolean): Promise<void> {
  const { worker } = keeper;
  if (!worker) return;
  for (const { reject } of keeper.jobs.values()) reject(new TidingsError("TIDINGS_CLOSED", "The engine was closed."));
  keeper.jobs.clear();
  worker.ref();
  await new Promise<void>((resolve) => {
    const cancel = clock.after(closeMs, resolve);
    keeper.onClosed = () => {
      cancel();
      resolve();
    };
    worker.postMessage({ kind: "close", checkpoint: !failed } satisfies Request);
  });
  if (failed) worker.unref();
  else await worker.terminate();
  keeper.worker = undefined;
}

function start(parts: MaintenanceParts, keeper: Keeper): Worker {
  const worker = startThread(parts.thread);
  worker.on("message", (answer: Answer) => receive(parts, keeper, answer));
  const died = (reason: string): void => {
    if (keeper.worker !== worker) return;
    keeper.worker = undefined;
    keeper.asked = false;
    keeper.paused = false;
    if (keeper.onClosed) return keeper.onClosed();
    keeper.deaths++;
    keeper.againAtMs = parts.clock.monotonic() + Math.min(againMs.most, againMs.first * 2 ** keeper.deaths);
    for (const { reject } of keeper.jobs.values()) reject(new Error(`The checkpoint thread ended: ${reason}`));
    keeper.jobs.clear();
    parts.mayWrite();
  };
  worker.on("error", (error) => died(String(error)));
  worker.on("exit", (code) => died(`exit code ${code}`));
  return worker;
}

function receive({ onDiskFailed, mayWrite }: MaintenanceParts, keeper: Keeper, answer: Answer): void {
  if (answer.kind === "pause") keeper.paused = true;
  else if (answer.kind === "closed") keeper.onClosed?.();
  else if (answer.kind === "wal") {
    keeper.asked = false;
    keeper.paused = false;
    keeper.blocked = answer.blocked;
    keeper.failure = answer.failure;
    if (answer.failure?.io) onDiskFailed(`a checkpoint failed: ${answer.failure.message}`);
    else if (!answer.failure) {
      keeper.wal.answered(answer.bytes);
      keeper.deaths = 0;
    }
    mayWrite();
  } else if (answer.kind === "done") {
    const job = keeper.jobs.get(answer.job);
    keeper.jobs.delete(answer.job);
    if (keeper.jobs.size === 0) keeper.worker?.unref();
    if (answer.failure) job?.reject(errorOf(answer.failure));
    else job?.resolve(answer.count);
  }
}

/** The error that a thread met. */
export function errorOf({ code, message }: ThreadFailure): Error {
  return code ? new TidingsError(code, message) : new Error(message);
}
