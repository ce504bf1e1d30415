// A store that is set back to a backup while its broker is not.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { type App, service, tidings } from "tidings";
import { engineOfUrl } from "../../src/app/engines.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { adoptStore } from "../../src/outbox/binding.ts";
import { composeEngine } from "../../src/outbox/composed.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import { Followed, Happened } from "../delivery/support.ts";

/** Runs the application for as long as the work takes. */
async function running<Result>(folder: string, work: (app: App) => Promise<Result>): Promise<Result> {
  const first = service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data));
  const second = service("second").on(Followed, async ({ data }, ctx) => {
    const box = ctx.state<number[]>("seen");
    box.set(data.key, [...((await box.get(data.key)) ?? []), data.n]);
  });
  const url = `sqlite:${join(folder, "broker.db")}`;
  const store = `sqlite:${join(folder, "store.db")}`;
  const app = await tidings({ name: "restored", url, store, services: [first, second], logger: silentLogger }).start();
  const result = await work(app);
  await app.settled({ timeoutMs: 20_000 });
  await app.stop();
  return result;
}

/** What `tidings engine adopt --restored` does, while no application runs. */
async function adopt(folder: string): Promise<void> {
  const platform = systemPlatform();
  const open = async (name: string) => (await engineOfUrl(`sqlite:${join(folder, name)}`)).open({ platform });
  const engine = await composeEngine(await open("broker.db"), await open("store.db"));
  await adoptStore(engine, platform, { restored: true });
  await engine.close();
}

const publish = (...numbers: number[]): ((app: App) => Promise<void>) => {
  return async (app) => {
    for (const n of numbers) await app.publish(Happened, { key: "a", n });
  };
};

it("a restored store that is given a new name sends what its handlers publish now, and nobody takes it for repeats", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-restored-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await running(folder, publish(0, 1, 2));
  const [file, backup] = [join(folder, "store.db"), join(folder, "backup.db")];
  copyFileSync(file, backup);
  await running(folder, publish(3, 4));
  copyFileSync(backup, file);
  for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  await adopt(folder);
  const seen = await running(folder, async (app) => {
    await publish(5)(app);
    await app.settled({ timeoutMs: 20_000 });
    return app.state<number[]>("second", "seen").get("a");
  });
  // It handles 3 and 4 again and publishes them again: events of their own, which under the old name would have been dropped.
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 3, 4, 5]);
});
