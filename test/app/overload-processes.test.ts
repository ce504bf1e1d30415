import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { service, tidings } from "tidings";
import { silentLogger } from "../../src/delivery/log.ts";
import { Happened, things } from "../delivery/support.ts";

const support = new URL("../delivery/support.ts", import.meta.url).href;
const publisher = `
  import { tidings } from "tidings";
  import { Happened, things } from ${JSON.stringify(support)};
  const app = await tidings({ name: "publisher", url: process.env.URL_OF_TEST, topics: [things] }).start();
  for (let n = 0; ; ) {
    for (let i = 0; i < 20; i++, n++) {
      const mine = n;
      app.publish(Happened, { key: "k" + (mine % 97), n: mine }).then(
        () => console.log("accepted", mine),
        (error) => console.log("refused", error.code, error.details.subscription, error.details.retryAfterMs),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }`;

it("publishers in another process on one file are refused, and what they were told is accepted is handled, also when they are killed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-overload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const url = `sqlite:${join(folder, "shop.db")}`;
  const handled: number[] = [];
  const app = await tidings({
    name: "consumer",
    url,
    topics: [things],
    logger: silentLogger,
    services: [
      service("slow", { from: "start", concurrency: 8, backlog: { eventsMax: 50 } }).on(Happened, async ({ data }) => {
        await setTimeout(10);
        handled.push(data.n);
      }),
    ],
  }).start();
  const args = ["--conditions=tidings-source", "--input-type=module-typescript", "--eval", publisher];
  const env = { ...process.env, URL_OF_TEST: url };
  const child = spawn(process.execPath, args, {
    cwd: import.meta.dirname,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  t.after(() => child.kill("SIGKILL"));
  const accepted: number[] = [];
  const refused: string[] = [];
  let most = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, ...rest] = line.split(" ");
    if (what === "accepted") accepted.push(Number(rest[0]));
    else refused.push(rest.join(" "));
    if ((accepted.length + refused.length) % 200 === 0) {
      const { subscriptions } = await app.totals();
      most = Math.max(most, subscriptions[0]?.pending ?? 0);
    }
    if (accepted.length === 600) child.kill("SIGKILL");
  }
  await ended;
  const { subscriptions } = await app.settled({ timeoutMs: 20_000 });
  const seen = new Set(handled);
  assert.equal(seen.size, handled.length, "each is handled once");
  assert.deepEqual(
    accepted.filter((n) => !seen.has(n)),
    [],
  );
  assert.equal(subscriptions[0]?.pending, 0);
  assert.ok(refused.length > 100, `${refused.length} were refused`);
  for (const answer of refused) assert.match(answer, /^TIDINGS_OVERLOADED slow\/things [1-9]\d*$/);
  assert.ok(most <= 200, `${most} were pending with a limit of 50`);
  t.diagnostic(`${accepted.length} accepted, ${refused.length} refused, at most ${most} pending`);
  await app.stop();
});
