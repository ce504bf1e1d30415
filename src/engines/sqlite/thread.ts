// A thread of its own for what would hold up the event loop: checkpoints, retention, verification.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { systemPlatform } from "../../platform/system.ts";
import { type Connection, loadBinding } from "./binding.ts";
import { checkpoint } from "./checkpoint.ts";
import { describeFailure, failureKind, toTidingsError } from "./failure.ts";
import { fileBytes } from "./place.ts";
import { setAndReadBack } from "./pragma.ts";
import { forgetIds, retain } from "./retention.ts";
import type { Answer, Request, ThreadData, ThreadFailure } from "./thread-messages.ts";
import { verifySteps } from "./verify.ts";

const data = workerData as ThreadData;
const port = parentPort as MessagePort;
const { clock } = systemPlatform();
/** Here SQLite may wait for locks itself: nobody else runs on this thread. */
const waitMs = 5000;
/** How long the log's new beginning may wait for readers while writers stand still. */
const restartWaitMs = 100;
/** So little is left to copy that writers may stand still for it. */
const littleLeft = 512 * 1024;

const answer = (message: Answer): void => port.postMessage(message);
const turn = (): Promise<void> => new Promise((resolve) => clock.soon(resolve));

async function open(): Promise<Connection> {
  const binding = await loadBinding(data.binding);
  const connection = binding.open(data.realPath, { readOnly: data.readOnly, waitMs });
  if (data.readOnly) return connection;
  setAndReadBack(connection, "wal_autocheckpoint", 0);
  // Removing what is old need not survive a power cut; a checkpoint is synced at this level as well.
  setAndReadBack(connection, "synchronous", 1);
  return connection;
}

function failureOf(error: unknown): ThreadFailure {
  const ours = toTidingsError(error, data.realPath);
  const io = failureKind(error) === "io";
  return isTidingsError(ours)
    ? { message: io ? describeFailure(error) : ours.message, code: ours.code, io }
    : { message: ours.message };
}

/** Follows the writers until little is left; begins the log anew once it is long, while they stand still. */
function keepWalShort(connection: Connection): Answer {
  try {
    let state = checkpoint(connection, "PASSIVE");
    for (let round = 0; round < 4 && state.left > littleLeft; round++) state = checkpoint(connection, "PASSIVE");
    if (state.bytes < data.walRestartBytes) return { kind: "wal", bytes: state.bytes, blocked: false };
    answer({ kind: "pause" });
    setAndReadBack(connection, "busy_timeout", restartWaitMs);
    const long = fileBytes(`${data.realPath}-wal`) > data.walBytesMax;
    state = checkpoint(connection, long ? "TRUNCATE" : "RESTART");
    return { kind: "wal", bytes: state.bytes, blocked: state.busy };
  } catch (error) {
    return { kind: "wal", bytes: 0, blocked: failureKind(error) === "busy", failure: failureOf(error) };
  } finally {
    setAndReadBack(connection, "busy_timeout", waitMs);
  }
}

/** Runs a job step by step; what came meanwhile has its turn in between. */
async function run(job: number, steps: Generator<number, void>): Promise<void> {
  let count = 0;
  try {
    for (const removed of steps) {
      count += removed;
      await turn();
    }
    answer({ kind: "done", job, count });
  } catch (error) {
    answer({ kind: "done", job, count, failure: failureOf(error) });
  }
}

async function maintain(): Promise<void> {
  const connection = await open();
  let jobs = Promise.resolve();
  const enqueue = (job: number, steps: () => Generator<number, void>): void => {
    jobs = jobs.then(() => run(job, steps()));
  };
  port.on("message", (request: Request) => {
    if (request.kind === "checkpoint") answer(keepWalShort(connection));
    else if (request.kind === "retain") enqueue(request.job, () => retain(connection, request.logs, request.rule));
    else if (request.kind === "forget") enqueue(request.job, () => forgetIds(connection, request.beforeMs));
    else close(connection, request.checkpoint);
  });
}

function close(connection: Connection, last: boolean): void {
  try {
    if (last) {
      setAndReadBack(connection, "busy_timeout", restartWaitMs);
      checkpoint(connection, "TRUNCATE");
    }
  } catch {
    // Somebody else is writing, or the disk is full: the log stays, and whoever opens the file next copies it.
  }
  // After a failed sync nothing may be checkpointed any more, and closing would: the process's end does the rest.
  if (last) connection.close();
  answer({ kind: "closed" });
  if (last) port.close();
}

async function verify(): Promise<void> {
  let checked = 0;
  try {
    const connection = await open();
    for (const step of verifySteps(connection)) {
      checked += step.checked;
      for (const { place, problem } of step.problems) answer({ kind: "problem", place, problem });
      answer({ kind: "progress", checked });
      await turn();
    }
    connection.close();
    answer({ kind: "verified", checked });
  } catch (error) {
    answer({ kind: "verified", checked, failure: failureOf(error) });
  }
  port.close();
}

await (data.role === "verify" ? verify() : maintain());
