import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { service, tidings } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "../delivery/support.ts";

const support = new URL("../delivery/support.ts", import.meta.url).href;
const program = `
  import { service, tidings } from "tidings";
  import { Happened } from ${JSON.stringify(support)};
  const hung = service("hung").on(Happened, () => new Promise(() => {}));
  const app = await tidings({ name: "app", url: "memory:", services: [hung] }).start();
  await app.publish(Happened, { key: "k", n: 1 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await app.stop({ timeoutMs: 50 });
  console.log("stopped");`;

describe("an application that is stopped", () => {
  it("lets its process end by itself, also when a handler never ends", async () => {
    const args = ["--conditions=tidings-source", "--input-type=module-typescript", "--eval", program];
    const stdout = await new Promise<string>((resolve, reject) => {
      const given = { cwd: import.meta.dirname, timeout: 20_000 };
      execFile(process.execPath, args, given, (error, out) => (error ? reject(error) : resolve(out)));
    });
    assert.match(stdout, /stopped/);
  });

  it("frees the partition of a handler that never ends, so that another process goes on at once", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const hung = service("sink").on(Happened, () => new Promise<void>(() => undefined));
    const first = await bench([hung], { world, platform, memberId: "one" });
    await first.feed("k", 0);
    await drive(first.clock, first.app.stop({ timeoutMs: 100 }));
    const second = await bench([service("sink").on(Happened, () => undefined)], { world, platform, memberId: "two" });
    await second.rest();
    assert.equal((await totalsOf(second)).handled, 1);
    await drive(second.clock, second.app.stop());
  });

  it("before it was started is not started any more", async () => {
    const app = tidings({ name: "app", url: "memory:", logger: silentLogger });
    await app.stop();
    await assert.rejects(app.start(), { code: "TIDINGS_ALREADY_STARTED" });
  });
});
