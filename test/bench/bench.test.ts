import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { ensureModules } from "../../scripts/launch/modules.mjs";
import { flags } from "../../scripts/launch/run.mjs";
import { urls } from "../../scripts/services/records.ts";

const root = join(import.meta.dirname, "../..");
const redis = urls(["redis"])["redis"];
const skip =
  redis === undefined && process.env["CI"] === undefined
    ? "Redis does not run; npm run services -- up redis starts it"
    : false;

interface Line {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better: string;
  readonly settings: Record<string, unknown>;
  readonly peer?: string;
  readonly peerValue?: number;
  readonly ratio?: number;
}

/** Runs the bench; its standard output must be JSON lines and nothing else. */
async function bench(...args: string[]): Promise<Line[]> {
  await ensureModules({ root, folder: join(root, "bench"), node: process.execPath });
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, join(root, "bench/main.ts"), ...args], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

const synced = /fsync before every acknowledgement/;

function checkLine(
  { name, value, unit, better, settings, peer, peerValue, ratio }: Line,
  durability: RegExp = synced,
): void {
  assert.match(name, /^[a-z0-9-]+$/);
  assert.ok(Number.isFinite(value) && value > 0, `${name} has the value ${value}`);
  assert.ok(unit.length > 0, name);
  assert.ok(better === "higher" || better === "lower", name);
  if (name !== "machine") {
    assert.equal(settings["payloadBytes"], 256, name);
    assert.match(String(settings["durability"]), durability, name);
    assert.equal(settings["repetitions"], 1, name);
    assert.match(String(settings["range"]), /–/, name);
  }
  if (peer === undefined) return assert.equal(ratio, undefined, name);
  assert.ok(ratio !== undefined && peerValue !== undefined && peerValue > 0, name);
  assert.ok(Math.abs(ratio - value / peerValue) / ratio < 0.02, `${name}: ${ratio} is not ${value} / ${peerValue}`);
}

const postgres = process.env["TIDINGS_POSTGRES_URL"] ?? urls(["postgres"])["postgres"];
const skipPostgres =
  postgres === undefined && process.env["CI"] === undefined
    ? "PostgreSQL does not run; npm run services -- up postgres starts it"
    : false;

describe("the bench of the Postgres engine", { timeout: 300_000, skip: skipPostgres }, () => {
  it("compares with the loop by hand and with pg-boss on one server, whose settings it prints", async () => {
    const args = ["--without", "graphile-worker", "--only", "end-to-end", "--only", "batched", "--only", "backlog"];
    const [machine, ...lines] = await bench("postgres", "--json", "--quick", ...args);
    assert.equal(machine?.settings["fsync"], "on");
    assert.equal(machine?.settings["synchronous_commit"], "on");
    assert.equal(machine?.settings["pgBoss"], "12.38.0");
    for (const line of lines) checkLine(line);
    const found = lines.map(({ name, peer }) => `${name} / ${peer}`).filter((name) => !name.startsWith("server-cpu"));
    assert.deepEqual(found, [
      "end-to-end / bare",
      "event-loop-delay / bare",
      "cpu-per-event / bare",
      "statements / bare",
      "wal-per-event / bare",
      "end-to-end-batched / bare",
      "end-to-end-batched / pg-boss",
      "statements-batched / bare",
      "wal-per-event-batched / bare",
      "statements-batched / pg-boss",
      "wal-per-event-batched / pg-boss",
      "backlog-per-delivery / short backlog",
      "backlog-cpu-per-delivery / short backlog",
      "backlog-memory / short backlog",
    ]);
  });
});

/** What is measured of a broker, in the order of the lines; without a store where the bench says that it can be. */
function linesOf(broker: string, nestjs: string, withoutStore: boolean): string[] {
  const ours = withoutStore ? ["", "-stored"] : ["-stored"];
  return [
    "publish / raw",
    "publish-batched / raw",
    ...ours.map((which) => `end-to-end${which} / raw`),
    `end-to-end-${nestjs} / nestjs`,
    ...["p50", "p99"].flatMap((percent) => ours.map((which) => `latency-${percent}${which} / raw`)),
    "lanes / raw",
  ].map((line) => `${broker}-${line}`);
}

const measured = [
  { broker: "redis", service: "redis-synced", nestjs: "nestjs", durability: /^disk: synced/ },
  { broker: "nats", service: "nats", nestjs: "nestjs", durability: /^confirmed/ },
  { broker: "kafka", service: "kafka", nestjs: "vs-nestjs", durability: /^confirmed/ },
  { broker: "rabbitmq", service: "rabbitmq", nestjs: "vs-nestjs", durability: /^confirmed/ },
];

describe("the bench of brokers", { timeout: 600_000 }, () => {
  for (const { broker, service, durability, nestjs } of measured) {
    const given = process.env[`TIDINGS_${service.toUpperCase().replace("-", "_")}_URL`] ?? urls([service])[service];
    const skip =
      given === undefined && process.env["CI"] === undefined
        ? `${service} does not run; npm run services -- up ${service} starts it`
        : false;

    it(`compares with the plain client of ${broker} and with NestJS, whose versions it prints`, { skip }, async () => {
      const [machine, ...lines] = await bench("brokers", "--json", "--quick", "--only", broker);
      assert.equal(machine?.settings["nestjs"], "12.1.1");
      assert.match(String(machine?.settings[service === "redis-synced" ? "redisSynced" : service]), /^\d/);
      for (const line of lines) checkLine(line, durability);
      const withoutStore = lines.some(({ name }) => name === `${broker}-end-to-end`);
      assert.deepEqual(
        lines.map(({ name, peer }) => `${name} / ${peer}`),
        linesOf(broker, nestjs, withoutStore),
      );
      for (const { settings } of lines) assert.ok(String(settings["peerDoes"]).length > 20);
    });
  }
});

describe("the bench of overload", { timeout: 300_000 }, () => {
  it("says of each load what was handled, what was refused and how long both took", async () => {
    const [machine, ...lines] = await bench("overload", "--json", "--quick");
    assert.equal(machine?.name, "machine");
    for (const line of lines) checkLine(line);
    const names = ["goodput", "handled-p50", "handled-p99", "acknowledged-p99"].flatMap((name) =>
      [70, 100, 200, 1000].map((load) => `${name}-${load}`),
    );
    const ofRefusals = ["refused-p99", "refused-from-call-p99", "recovered-after"].flatMap((name) =>
      [200, 1000].map((load) => `${name}-${load}`),
    );
    assert.deepEqual(
      lines.map(({ name }) => name),
      [...names, ...ofRefusals, "memory-consumer-1000", "memory-publisher-1000"],
    );
    const shareAt = (name: string) => Number(lines.find((line) => line.name === name)?.settings["refusedShare"]);
    // Of ten times what can be handled at most a tenth is let in, and some for the time it takes to notice.
    assert.ok(shareAt("goodput-1000") > 0.8, `${shareAt("goodput-1000")} were refused`);
    for (const { settings } of lines) assert.equal(settings["processes"], 2);
  });
});

describe("the bench of the embedded engine", { timeout: 300_000 }, () => {
  it("measures everything that needs no Redis, the machine first", async () => {
    const lines = await bench("embedded", "--json", "--quick", "--without", "bullmq");
    for (const line of lines) checkLine(line);
    assert.deepEqual(
      lines.map(({ name, peer }) => (peer === undefined ? name : `${name} / ${peer}`)),
      [
        "machine",
        "end-to-end / bare",
        "event-loop-delay / bare",
        "cpu-per-event / bare",
        "latency-p50 / bare",
        "latency-p99 / bare",
        "backlog / short backlog",
        "backlog-memory / node --max-semi-space-size=8",
        "backlog-small-heap / without the option",
        "publish-cost-subscriptions / 1 idle subscription",
        "publish-cost-keys / 1000 keys",
        "checksums",
        "memory / node alone",
        "cold-start",
        "cold-start-full",
      ],
    );
    for (const fact of ["cpu", "kernel", "node", "sqlite", "tidings", "fsyncP50Ms"])
      assert.ok(lines[0]?.settings[fact] !== undefined, fact);
  });

  it("measures BullMQ on Redis", { skip }, async () => {
    const lines = await bench("embedded", "--json", "--quick", "--only", "end-to-end");
    for (const line of lines) checkLine(line);
    const [machine, , bullmq] = lines;
    assert.equal(bullmq?.peer, "bullmq");
    assert.equal(machine?.settings["bullmq"], "6.7.0");
    assert.equal(machine?.settings["redisAppendonly"], "no");
  });

  it("refuses what it does not know", async () => {
    const refused = (args: string[], what: RegExp) =>
      assert.rejects(bench(...args), (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 2);
        assert.match(error.stderr ?? "", what);
        return true;
      });
    await refused(["nothing"], /Name one suite/);
    await refused(["embedded", "--only", "nothing"], /no measurement "nothing"/);
    await refused(["embedded", "--repeat", "0"], /--repeat/);
    await refused(["embedded", "--quik"], /quik/);
  });
});
