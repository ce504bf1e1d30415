// Runs a process, ends it by SIGKILL at random moments, starts it again on the same file, and lets the last one finish.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { type Dice, dice } from "../../examples/shop/random.ts";
import { flags } from "../launch/run.mjs";
import { type Oracle, openOracle } from "./oracle.ts";

export interface Plan {
  /** The program, which speaks as `speak.ts` says. */
  readonly program: string;
  /** What each process is told, as JSON; asked for anew each time. */
  readonly task: (last: boolean) => object;
  readonly oracle: string;
  readonly kills: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

/** Share of the kills that hit a process while it starts. */
const earlyShare = 0.2;
/** Longest wait before a kill, in milliseconds. */
const waitMaxMs = 600;
const finishMs = 120_000;

/** Resolves when the last process has finished; rejects when one ended otherwise than by our kill. */
export async function runWithKills(plan: Plan): Promise<void> {
  const chance = dice(`${plan.seed}/crash`);
  const oracle = openOracle(plan.oracle);
  try {
    for (let kill = 1; kill <= plan.kills; kill++) {
      plan.say(`kill ${kill} of ${plan.kills}`);
      await killOnce(plan, chance, oracle);
    }
    plan.say("the last process finishes");
    await finish(plan, oracle);
  } finally {
    oracle.close();
  }
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves when it runs, or is gone. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended and all it said is heard. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly complaint: string }>;
}

async function killOnce(plan: Plan, chance: Dice, oracle: Oracle): Promise<void> {
  const running = start(plan, false, oracle);
  if (chance.next() >= earlyShare) await running.ready;
  await Promise.race([sleep(chance.next() * waitMaxMs), running.ended]);
  running.child.kill("SIGKILL");
  const { code, signal, complaint } = await running.ended;
  // A process that was through before the kill reached it is no fault.
  if (signal !== "SIGKILL" && code !== 0)
    throw new Error(`A process ended by itself with ${signal ?? code}.\n${complaint}`);
}

async function finish(plan: Plan, oracle: Oracle): Promise<void> {
  const running = start(plan, true, oracle);
  const timer = setTimeout(() => running.child.kill("SIGKILL"), finishMs);
  const { code, signal, complaint } = await running.ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`The last process ended with ${signal ?? code}.\n${complaint}`);
}

function start({ program, task }: Plan, last: boolean, oracle: Oracle): Running {
  const child = spawn(process.execPath, [...flags, program, JSON.stringify({ ...task(last), last })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text) => (complaint += String(text)));
  const ready = Promise.withResolvers<void>();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    if (line === "ready") ready.resolve();
    else if (line.startsWith("ack ")) oracle.note(line.slice(4).split(" ").map(Number));
  });
  const heard = new Promise<void>((resolve) => lines.once("close", resolve));
  const ended = new Promise<Awaited<Running["ended"]>>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      ready.resolve();
      void heard.then(() => resolve({ code, signal, complaint }));
    });
  });
  return { child, ready: ready.promise, ended };
}
