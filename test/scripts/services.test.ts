import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { beginningOf } from "../../scripts/services/records.ts";

const script = resolve(import.meta.dirname, "../../scripts/services.ts");
const names = ["kafka", "nats", "postgres", "rabbitmq", "redis", "redis-synced"];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function services(...args: readonly string[]): Promise<Ended> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [script, ...args])) };
  } catch (error) {
    return error as Ended;
  }
}

describe("npm run services", () => {
  it("answers status with one line of JSON that holds known names and loopback URLs only", async () => {
    const { code, stdout } = await services("status", "--json");
    assert.equal(code, 0);
    const found = Object.entries(JSON.parse(stdout) as Record<string, string>);
    for (const [name, url] of found) {
      assert.ok(names.includes(name), name);
      assert.equal(new URL(url).hostname, "127.0.0.1");
    }
  });

  it("answers status with a line per service for people", async () => {
    const { stdout } = await services("status");
    assert.deepEqual(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/\s+/)[0]),
      names,
    );
  });

  it("refuses an unknown service and names the known ones", async () => {
    const { code, stdout, stderr } = await services("up", "oracle");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.equal(stderr, `There is no service named "oracle"; there are: ${names.join(", ")}.\n`);
  });

  it("refuses what it cannot do and says how it is used", async () => {
    for (const args of [[], ["restart"], ["up"], ["status", "--jsno"]]) {
      const { code, stderr } = await services(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /npm run services -- up NAME/);
    }
  });

  it(
    "tells a living process from one that had its number before",
    { skip: process.platform !== "linux" && "reads /proc" },
    () => {
      assert.match(beginningOf(process.pid) ?? "", /^\d+$/);
      assert.equal(beginningOf(2 ** 22 + 1), undefined);
    },
  );
});
