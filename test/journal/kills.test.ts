import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { tidings } from "tidings";

import { serviceUrl } from "../../scripts/services/url.ts";
import * as kafka from "../engines/kafka/support.ts";
import * as nats from "../engines/nats/support.ts";
import * as rabbitmq from "../engines/rabbitmq/support.ts";
import * as redis from "../engines/redis/support.ts";
import { afterwards } from "../lib/afterwards.ts";
import { Happened, things } from "./listed.ts";

const until = nats.until;

/** Members that are killed and started again, and what they said, with when: all processes of a machine have one monotonic clock. */
class Crew {
  readonly said: { readonly key: string; readonly n: number; readonly at: bigint }[] = [];
  readonly #url: string;
  readonly #members = new Map<number, ChildProcess>();
  #ready = 0;

  constructor(t: TestContext, url: string) {
    this.#url = url;
    afterwards(t, () => {
      for (const member of this.#members.values()) member.kill("SIGKILL");
    });
  }

  start(number: number): void {
    const program = join(import.meta.dirname, "member.ts");
    const child = spawn(process.execPath, [...process.execArgv, program, this.#url], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#members.set(number, child);
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [key = "", n, at] = line.split(" ");
      if (key === "ready") this.#ready += 1;
      else this.said.push({ key, n: Number(n), at: BigInt(at ?? 0) });
    });
  }

  kill(number: number): void {
    this.#members.get(number)?.kill("SIGKILL");
  }

  get ready(): number {
    return this.#ready;
  }

  get handled(): number {
    return new Set(this.said.map(({ n }) => n)).size;
  }
}

async function killedMembers(t: TestContext, url: string): Promise<void> {
  const app = await tidings({ name: "publisher", url, topics: [things] }).start();
  afterwards(t, () => app.stop());
  const crew = new Crew(t, url);
  for (const number of [0, 1]) crew.start(number);
  await until("both are there", () => crew.ready === 2);
  const [rounds, perRound] = [6, 60];
  for (let round = 0; round < rounds; round++) {
    const before = crew.handled;
    const numbers = Array.from({ length: perRound }, (_, i) => round * perRound + i);
    await Promise.all(numbers.map((n) => app.publish(Happened, { key: `key${n % 12}`, n })));
    await until("some of them are handled", () => crew.handled > before + 5);
    crew.kill(round % 2);
    crew.start(round % 2);
  }
  await until("all are handled", () => crew.handled === rounds * perRound, 60_000);
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { key, n } of crew.said.toSorted((a, b) => (a.at < b.at ? -1 : 1))) {
    if (seen.has(n)) continue;
    assert.ok(n > (last.get(key) ?? -1), `${n} of ${key} was handled behind ${last.get(key)}`);
    seen.add(n);
    last.set(key, n);
  }
}

describe("members on a broker without a store, two of them, one killed after the other", () => {
  it("handle every event of NATS, those of a key in order", { skip: nats.withoutNats }, async (t) => {
    await killedMembers(t, `${serviceUrl("nats")}?durability=weak&prefix=${nats.prefixFor(t)}`);
  });

  it("handle every event of Redis, those of a key in order", { skip: redis.withoutRedis }, async (t) => {
    await killedMembers(t, `${redis.url()}?prefix=${await redis.prefix(t)}`);
  });

  it("handle every event of Kafka, those of a key in order", { skip: kafka.withoutKafka }, async (t) => {
    await killedMembers(t, `${serviceUrl("kafka")}?durability=weak&prefix=${kafka.prefixFor(t)}`);
  });

  it("handle every event of RabbitMQ, those of a key in order", { skip: rabbitmq.withoutRabbitmq }, async (t) => {
    await killedMembers(t, `${serviceUrl("rabbitmq")}?durability=weak&prefix=${rabbitmq.prefixFor(t)}`);
  });
});
