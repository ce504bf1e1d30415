// An application on a real file, for the tests of what its surroundings do to it: publishes numbered events one after the
// other, whatever becomes of them, and handles them. Lines on its standard output: `ready`, `ack N`, `fail CODE`, and
// `health COLOR WHY` whenever that changes. `stop` on its standard input lets it come to rest and ends it; `hoard` takes
// every file handle that is left, `release` gives them back.
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { isTidingsError, service, tidings } from "tidings";

import { Effect, effects, Happened, happenings } from "./events.ts";

const [path = "", options = "", pad = "0", from = "0"] = process.argv.slice(2);
// Written at once, and waited for where the reader is behind: a write of our own would then fail with EAGAIN.
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const failing = new Set<string>();

const counter = service("counter", { from: "start" }).on(Happened, async ({ data }, ctx) => {
  // Every tenth event fails once and comes back by its timer.
  if (data.n % 10 === 0 && ctx.attempt === 1 && !failing.has(`${data.n}`)) {
    failing.add(`${data.n}`);
    throw new Error("A planted failure.");
  }
  const box = ctx.state<number>("counts");
  box.set(`${data.n}`, ((await box.get(`${data.n}`)) ?? 0) + 1);
  ctx.publish(Effect, { key: data.key, n: data.n });
});

const app = tidings({
  name: "worker",
  url: `sqlite:${path}?${options}`,
  services: [counter],
  topics: [happenings, effects],
  delivery: { retry: { immediateMs: [], delayedMs: [50, 100, 200] } },
  retentionEveryMs: 200,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});

/** The code of a failure; what has none is a bug, and shows. */
const codeOf = (error: unknown): string => (isTidingsError(error) ? error.code : String(error));

try {
  await app.start();
} catch (error) {
  say(`refused ${codeOf(error)} ${(error as Error).message}`);
  process.exit(1);
}
say("ready");

let stopping = false;
const hoarded: number[] = [];
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "stop") stopping = true;
  else if (line === "hoard") {
    try {
      for (;;) hoarded.push(openSync("/dev/null", "r"));
    } catch {
      say(`hoarded ${hoarded.length}`);
    }
  } else if (line === "release") for (const fd of hoarded.splice(0)) closeSync(fd);
});

let told = "";
async function tellHealth(): Promise<void> {
  while (!stopping) {
    const { status, engine } = await app.health().catch((error: unknown) => {
      return { status: "unknown", engine: { trouble: codeOf(error) } };
    });
    const line = `health ${status} ${engine.trouble ?? ""}`.trim();
    if (line !== told) say(line);
    told = line;
    await sleep(20);
  }
}

async function publish(lane: number): Promise<void> {
  for (let n = Number(from) + lane; !stopping; n += 4) {
    try {
      await app.publish(Happened, { key: `key-${n % 7}`, n, pad: "x".repeat(Number(pad)) });
      say(`ack ${n}`);
    } catch (error) {
      say(`fail ${codeOf(error)}`);
    }
    await sleep(2);
  }
}

await Promise.all([tellHealth(), ...[0, 1, 2, 3].map(publish)]);
await app.settled({ timeoutMs: 60_000 });
await app.stop();
say("stopped");
process.exit(0);
