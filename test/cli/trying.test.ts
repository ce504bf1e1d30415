// `tidings test` on services that fail in ways which would end the process, or only together with other runs.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";

import { tidings } from "./support.ts";

const strays = join(import.meta.dirname, "trying/strays.ts");
const state = join(import.meta.dirname, "trying/state.ts");
const sentences = [
  /The handler of "shop\.order\.placed" in the service "mailer" left a promise behind that was rejected: Error: no mail about 4\d \(.*trying\/strays\.ts:\d+:\d+\)\. Await it/,
  /The handler of "shop\.order\.placed" in the service "printer" left something behind that threw: TypeError: out of paper \(.*trying\/strays\.ts:\d+:\d+\)/,
];

interface Failed {
  readonly failed: readonly {
    readonly seed: string;
    readonly violations: readonly { readonly message: string }[];
    readonly command: string;
    readonly stateOutside: boolean;
  }[];
}

async function sim(env: Record<string, string>, ...args: string[]): Promise<Failed["failed"]> {
  const { status, stdout, stderr } = await tidings(["test", "sim", "--app", state, ...args, "--json"], { env });
  assert.equal(status, 7, stderr);
  return (JSON.parse(stdout) as Failed).failed;
}

describe("a failure that nobody awaits", () => {
  it("is a finding of tidings test sim, once, with the handler, the service and the command", async () => {
    const { status, stderr, stdout } = await tidings(["test", "sim", "--app", strays, "--seeds", "2"]);
    assert.equal(status, 7);
    for (const sentence of sentences)
      assert.equal(stderr.split("\n").filter((line) => sentence.test(line)).length, 1, stderr);
    assert.match(stderr, new RegExp(`^problem: tidings test sim --app ${strays} --seed 1-00000[12]$`, "m"));
    assert.match(stdout, /^2 seeds, .* 2 violations\.\n$/);
    assert.doesNotMatch(stderr, /^ +at /m);
  });

  it("is a finding of tidings test crash, in the report as well", async () => {
    const { status, stderr, stdout } = await tidings(["test", "crash", strays, "--json"]);
    assert.equal(status, 7);
    for (const sentence of sentences) assert.match(stderr, sentence);
    assert.match(stderr, new RegExp(`^problem: tidings test crash ${strays}$`, "m"));
    assert.match(stderr, /^error: 2 failures were awaited by nobody: .*\[TIDINGS_EXPECTATION_FAILED\]$/m);
    const { unawaited } = JSON.parse(stdout) as { unawaited: { service: string; event: string }[] };
    const told = unawaited.map(({ service, event }) => `${service} ${event}`).sort((a, b) => (a < b ? -1 : 1));
    assert.deepEqual(told, ["mailer shop.order.placed", "printer shop.order.placed"]);
  });
});

describe("a file that cannot be tried", () => {
  it("is refused with what it needs", async () => {
    for (const words of [["crash"], ["sim", "--app"]]) {
      const { status, stderr } = await tidings(["test", ...words, join(import.meta.dirname, "trying/nothing.ts")]);
      assert.equal(status, 2, stderr);
      assert.match(stderr, /^error: \w+\(\) needs a workload: .*\[TIDINGS_INVALID_OPTION\]\n$/);
    }
  });
});

describe("the command that a seed is told with", () => {
  it("is the smaller one, where that fails alone as well", async () => {
    const [failed] = await sim({ FAILS_FROM_RUN: "1" }, "--seed", "7");
    assert.equal(failed!.stateOutside, false);
    assert.equal(failed!.command, `tidings test sim --app ${state} --seed 1-000007 --keep none --events 1`);
  });

  it("is the whole seed, where less of it fails only after other runs in the process", async () => {
    const [failed] = await sim({ FAILS_ALONE: "yes" }, "--seed", "7");
    assert.equal(failed!.stateOutside, true);
    assert.equal(failed!.command, `tidings test sim --app ${state} --seed 1-000007`);
  });

  it("is all seeds up to it, where the seed does not fail alone, and says that handlers keep state", async () => {
    const { stderr } = await tidings(["test", "sim", "--app", state, "--seed", "3", "--seeds", "2"]);
    assert.match(stderr, new RegExp(`^problem: tidings test sim --app ${state} --seed 3 --seeds 2$`, "m"));
    assert.match(stderr, /handlers keep state outside of ctx/);
  });

  it("is what was asked for with --no-shrink", async () => {
    const [failed] = await sim({ FAILS_FROM_RUN: "1" }, "--seed", "7", "--no-shrink", "--events", "3");
    assert.equal(failed!.command, `tidings test sim --app ${state} --seed 1-000007 --events 3`);
  });
});
