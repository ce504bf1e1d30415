// An application for the tests of redrives on a file: publishes jobs that fail for good until somebody mends the worker,
// says when it runs, and ends with its stdin.
import { existsSync } from "node:fs";
import { tidings } from "tidings";
import { Queued, worker } from "./support.ts";

const [url = "", count = "0"] = process.argv.slice(2);
const file = url.slice("sqlite:".length);
const how = {
  done: [],
  begun: [],
  // Mended for most: 5 % still fail.
  fails: (n: number) => !existsSync(`${file}.mended`) || n % 20 === 7,
};

const app = await tidings({
  name: "jobs",
  url,
  services: [worker(how)],
  memberTtlMs: 2000,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
}).start();
for (let n = 0; n < Number(count); n += 100)
  await app.publishAll(Array.from({ length: 100 }, (_, i) => [Queued, { key: `k${n + i}`, n: n + i }] as const));
await app.settled({ timeoutMs: 60_000 });
process.stdout.write("ready\n");
process.stdin.resume();
process.stdin.once("end", () => void app.stop());
