import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { tidings } from "tidings";

import { readTopic } from "../../scripts/crash/log.ts";
import { flags } from "../../scripts/launch/run.mjs";
import { effects, happenings } from "./events.ts";

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tidings-environment-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** How a worker is started. */
export interface WorkerOptions {
  readonly path: string;
  /** Options of the engine, as in its address. */
  readonly options?: string;
  /** Bytes that each event carries besides. */
  readonly pad?: number;
  /** Number of its first event. */
  readonly from?: number;
  /** What goes before the command. */
  readonly wrap?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that runs worker.ts. */
export class Worker {
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #errors = "";

  constructor(t: TestContext, { path, options = "", pad = 0, from = 0, wrap = [], env = {} }: WorkerOptions) {
    const program = join(import.meta.dirname, "worker.ts");
    const [command, ...args] = [...wrap, process.execPath, ...flags, program, path, options, String(pad), String(from)];
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
      detached: true,
    });
    this.#child = child;
    child.stdin.on("error", () => undefined);
    child.stderr.on("data", (text) => (this.#errors += String(text)));
    const reader = createInterface({ input: child.stdout });
    reader.on("line", (line) => this.lines.push(line));
    this.ended = Promise.all([once(child, "exit"), once(reader, "close")]).then(([[code]]) => code as number | null);
    t.after(() => this.kill());
  }

  /** Ends it with everything that stands before it, such as strace. */
  kill(): void {
    this.signal("SIGCONT");
    this.signal("SIGKILL");
  }

  /** To the process and what was put around it. */
  signal(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined && this.#child.exitCode === null) process.kill(-this.#child.pid, signal);
    } catch {
      // It is gone.
    }
  }

  tell(word: "stop" | "hoard" | "release"): void {
    this.#child.stdin?.write(`${word}\n`);
  }

  /** How many lines there are; `since` in the other functions. */
  get mark(): number {
    return this.lines.length;
  }

  count(start: string, since = 0): number {
    return this.lines.slice(since).filter((line) => line.startsWith(start)).length;
  }

  /** Waits until it holds. */
  async until(what: string, holds: () => boolean, ms = 60_000): Promise<void> {
    for (const end = performance.now() + ms; !holds(); await sleep(10)) {
      if (performance.now() < end) continue;
      throw new Error(`Not within ${ms} ms: ${what}.\n${this.lines.slice(-20).join("\n")}\n${this.#errors}`);
    }
  }

  /** Lets it come to rest and end. */
  async stop(): Promise<void> {
    this.tell("stop");
    assert.equal(await this.ended, 0, `${this.lines.slice(-5).join("\n")}\n${this.#errors}`);
    assert.equal(this.lines.at(-1), "stopped");
  }

  /** Numbers of the events that were acknowledged. */
  acknowledged(): readonly number[] {
    return this.lines.filter((line) => line.startsWith("ack ")).map((line) => Number(line.slice(4)));
  }
}

/** What must hold in the end, whatever happened: P1, P3, P4 and the file's checksums. `atRest`: everything was handled. */
export async function assertPromises(path: string, acknowledged: readonly number[], atRest = true): Promise<void> {
  const app = await tidings({
    name: "worker",
    url: `sqlite:${path}`,
    topics: [happenings, effects],
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  }).start();
  try {
    const numberOf = ({ data }: { readonly data: unknown }): number => (data as { n: number }).n;
    const logged = (await readTopic(app, happenings.name)).map(numberOf);
    const there = new Set(logged);
    assert.equal(logged.length, there.size, "an event stands there twice");
    assert.deepEqual(
      acknowledged.filter((n) => !there.has(n)),
      [],
      "acknowledged events are lost",
    );
    const done = (await readTopic(app, effects.name)).map(numberOf);
    assert.equal(done.length, new Set(done).size, "an effect stands there twice");
    for await (const [n, count] of app.state<number>("counter", "counts").entries())
      assert.equal(count, 1, `event ${n} was counted ${count} times`);
    const [totals] = (await app.totals()).subscriptions;
    assert.ok(totals);
    const { handled, held, discarded, filtered, expired, skipped, unknown, pending, total } = totals;
    assert.equal(handled + held + discarded + filtered + expired + skipped + unknown + pending, total);
    assert.equal(done.length, handled);
    if (atRest) assert.deepEqual([pending, held, handled], [0, 0, logged.length]);
    assert.deepEqual((await app.engine.verify()).problems, []);
  } finally {
    await app.stop();
  }
}
