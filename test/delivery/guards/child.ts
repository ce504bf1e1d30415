// A process for the tests of guards that processes share on one file: says each call, and ends with its stdin.
import { existsSync } from "node:fs";
import { dependency, service, tidings } from "tidings";
import { Happened, things } from "../support.ts";

const [url = "", name = "", kind = ""] = process.argv.slice(2);
const file = url.slice("sqlite:".length);
const say = (...words: readonly (string | number)[]): void => void process.stdout.write(`${words.join(" ")}\n`);
const bank = dependency(
  "bank-api",
  kind === "breaker"
    ? { breaker: { failures: 3, openMs: 400, openMsMax: 400 } }
    : { breaker: false, rate: { perSecond: 40, burst: 4 } },
);
const payer = service("payer", {
  from: "start",
  retry: { immediateMs: [0], delayedMs: Array<number>(20).fill(50) },
}).on(
  Happened,
  ({ data }, ctx) =>
    ctx.call(bank, () => {
      const isUp = existsSync(`${file}.up`);
      say("call", ctx.now(), data.key, data.n, isUp ? "ok" : "failed");
      if (!isUp) throw new Error("connection refused");
    }),
  { uses: [bank] },
);
const app = await tidings({
  name: "shop",
  url,
  services: [payer],
  topics: [things],
  memberTtlMs: 2000,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
}).start();
say("ready", name);
process.stdin.resume();
process.stdin.once("end", () => void app.stop());
