import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { serverKinds } from "../../scripts/chaos/catalog.ts";
import { redis } from "../../scripts/chaos/redis.ts";
import { connectionKinds, lastsMs, planOf, sizeOf } from "../../scripts/chaos/plan.ts";
import { neverRepeats, publishesOf } from "../../scripts/chaos/published.ts";
import { numberedOf } from "../../scripts/crash/publish.ts";
import { judge } from "../../scripts/crash/scenario.ts";
import { flags } from "../../scripts/launch/run.mjs";

const root = join(import.meta.dirname, "../..");
const chaos = (...args: string[]) =>
  promisify(execFile)(process.execPath, [...flags, join(root, "scripts/chaos.ts"), ...args]);

/** In CI a server that is not installed is a failure. */
const missing = (kind: (typeof serverKinds)[number]): string | false =>
  kind.service.find() !== undefined || process.env["CI"] !== undefined ? false : `${kind.name} is not installed`;

describe("npm run chaos", { timeout: 900_000 }, () => {
  for (const kind of serverKinds)
    it(`finds nothing wrong with ${kind.name} after a few faults of every kind`, { skip: missing(kind) }, async () => {
      const few = ["--scale", "0.1", "--events", "3000", "--seed", "3"];
      const { stdout } = await chaos("--engine", kind.name, ...few, "--json");
      const line = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
      const { lost, doubled, reordered, violations } = line;
      assert.deepEqual({ lost, doubled, reordered, violations }, { lost: 0, doubled: 0, reordered: 0, violations: 0 });
      assert.ok((line["faults"] as number) >= 10, stdout);
      assert.ok((line["acknowledged"] as number) > 2_000, stdout);
      assert.ok((line["resumedMsMax"] as number) <= (line["resumeWithinMs"] as number), stdout);
    });

  it(
    "finds nothing wrong with a broker without a store, whose journal is cut meanwhile",
    { skip: missing(redis) },
    async () => {
      const few = ["--scale", "0.1", "--events", "4000", "--seed", "5"];
      const { stdout } = await chaos("--engine", "redis", "--store", "none", ...few, "--json");
      const line = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number | string>;
      const { store, lost, doubled, reordered, violations } = line;
      const nothing = { lost: 0, doubled: 0, reordered: 0, violations: 0 };
      assert.deepEqual({ store, lost, doubled, reordered, violations }, { store: "none", ...nothing });
      assert.ok((line["faults"] as number) >= 10, stdout);
      assert.ok((line["acknowledged"] as number) > 3_000, stdout);
      assert.ok((line["journalRemoved"] as number) > 0, stdout);
    },
  );

  it("refuses an engine without a server, a scale or store that is none, and a copy of the sources that is none", async () => {
    for (const [args, message] of [
      [["--store", "somewhere"], /--store takes server, file, none\./],
      [["--engine", "postgres", "--store", "none"], /--store none: postgres holds state itself and keeps no journal\./],
      [["--engine", "nats", "--store", "server"], /--store server: nats holds no state\./],
      [["--engine", "nothing"], /no server for the engine "nothing"; there are postgres, redis, nats, kafka/],
      [["--scale", "none"], /--scale takes a number greater than 0\./],
      [["--source", tmpdir()], /--source: there is no index\.ts in .*, nor in a folder src of it\./],
    ] as const)
      await assert.rejects(chaos(...args), (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 2);
        assert.match(error.stderr ?? "", message);
        return true;
      });
  });
});

describe("the plan of a run", () => {
  it("has as many faults as the promise is about, and the same ones for the same seed", () => {
    const plan = planOf(sizeOf(1), 7, ["own"]);
    const count = (...kinds: readonly string[]): number => plan.filter(({ kind }) => kinds.includes(kind)).length;
    assert.equal(sizeOf(1).events, 50_000);
    assert.ok(count("kill") >= 10);
    assert.ok(count("pause") >= 5);
    assert.ok(count(...connectionKinds) >= 20);
    assert.equal(count("outage"), 1);
    assert.equal(count("own"), 3);
    for (const kind of connectionKinds) assert.ok(count(kind) >= 3, kind);
    assert.ok(plan.every((fault) => fault.kind !== "pause" || fault.forMs === 10_000));
    assert.ok(plan.some((fault) => fault.kind === "outage" && fault.forMs === 60_000));
    assert.deepEqual(planOf(sizeOf(1), 7, ["own"]), plan);
    assert.notDeepEqual(planOf(sizeOf(1), 8, ["own"]), plan);
  });

  it("is short at a small scale, and still has every kind but the outage", () => {
    const plan = planOf(sizeOf(0.1), 1, ["own"]);
    assert.deepEqual(
      new Set(plan.map(({ kind }) => kind)),
      new Set(["kill", "pause", "member-kill", "member-pause", "own", ...connectionKinds]),
    );
    assert.ok(lastsMs(plan, 1_000) < 60_000);
  });
});

describe("what publishers have published", () => {
  const keyCount = 40;
  const answers = { publishers: 4, events: 80, keyCount, acknowledged: new Set([3, 7]), refused: new Set([11]) };

  it("is acknowledged, refused or unknown, in the order of the calls to each key", () => {
    const publishes = publishesOf(answers, "counts").filter(({ producer }) => producer === "publisher 3");
    assert.deepEqual(
      publishes.slice(0, 4).map(({ answer }) => answer),
      ["acknowledged", "acknowledged", "refused", "unknown"],
    );
    assert.equal(publishes.length, 80);
    const { key, seq } = numberedOf(3, 40, keyCount);
    assert.equal(seq, 1);
    assert.ok(publishes.some((each) => each.key === key && each.seq === 1));
  });

  it("is found wrong when something refused is there, and when the end of a publish comes after the next one", () => {
    const publishes = publishesOf(answers, "counts");
    const entry = (event: string, key: string | null, position: number, payload = "") =>
      ({ event, topic: "counts", partition: 0, position, key, payload }); // prettier-ignore
    const mine = publishes.filter(({ producer }) => producer === "publisher 3");
    const good = mine.slice(0, 2).map(({ event, key, payload }, position) => entry(event, key, position, payload));
    assert.deepEqual(judge({ publishes, log: good }, []).words, []);
    const refused = mine[2] as (typeof mine)[number];
    const phantom = [...good, entry(refused.event, refused.key, 2, refused.payload)];
    assert.match(
      judge({ publishes, log: phantom }, []).words[0] ?? "",
      /^I2: .* every call that published it was refused/,
    );
    const first = mine[0] as (typeof mine)[number];
    const second = mine.find((each) => each.key === first.key && each.seq === 1) as typeof first;
    const late = [second, first, mine[1] as typeof first];
    const log = late.map(({ event, key, payload }, position) => entry(event, key, position, payload));
    assert.match(judge({ publishes, log }, []).words[0] ?? "", /^I4: .* stands before an earlier one/);
  });

  it("is repeated by all but every fourth", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 7].filter(neverRepeats), [3, 7]);
  });
});
