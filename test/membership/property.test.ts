import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Cluster, createCluster, type TestMember } from "./support.ts";

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("join" as const), which: fc.nat(4) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("leave" as const, "crash" as const, "pause" as const, "resume" as const),
      which: fc.nat(4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "heal" as const), which: fc.constant(0) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("wait" as const), which: fc.integer({ min: 1, max: 15_000 }) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const plans = fc.record({
  partitions: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(),
  hints: fc.boolean(),
  drainMs: fc.constantFrom(0, 0, 300, 12_000),
  fixedIds: fc.boolean(),
  steps: fc.array(step, { maxLength: 25 }),
});

test("whatever joins, leaves, crashes, stops and fails: no overlap at any time, and at rest each partition has one owner", async () => {
  await fc.assert(
    fc.asyncProperty(plans, async ({ steps, drainMs, fixedIds, ...options }) => {
      const cluster = createCluster(options);
      const onRevoked = (): Promise<void> | void =>
        drainMs === 0 ? undefined : new Promise((resolve) => void cluster.clock.after(drainMs, resolve));
      const ids = { next: 0 };
      const nameFor = (which: number): string => (fixedIds ? `m${which}` : `m${ids.next++}`);
      for (const one of steps) await play(cluster, one, nameFor, onRevoked);
      cluster.failStore(false);
      for (const member of cluster.members) if (member.paused && member.alive) member.resume();
      if (!cluster.members.some(({ alive }) => alive)) await cluster.join("last");
      await cluster.advance(90_000);
      cluster.expectSettled();
    }),
    { numRuns: Number(process.env["TIDINGS_TEST_RUNS"] ?? 150) },
  );
});

async function play(
  cluster: Cluster,
  { do: what, which }: Step,
  nameFor: (which: number) => string,
  onRevoked: () => Promise<void> | void,
): Promise<void> {
  const live = cluster.members.filter(({ alive }) => alive);
  const member = live[which % Math.max(1, live.length)];
  if (what === "wait") return cluster.advance(which);
  if (what === "fail" || what === "heal") return cluster.failStore(what === "fail");
  if (what === "join") {
    const id = nameFor(which);
    // A fixed id joins when its last start is dead: two live ones with one id have a test of their own.
    if (!live.some((other) => other.id === id)) await cluster.join(id, { onRevoked });
    return;
  }
  if (!member) return;
  if (what === "leave") return leave(cluster, member);
  if (what === "pause" && !member.paused) member.pause();
  if (what === "resume" && member.paused) member.resume();
  if (what === "crash") member.crash();
}

async function leave(cluster: Cluster, member: TestMember): Promise<void> {
  if (member.paused) return;
  let left = false;
  const leaving = member.group.leave().then(() => (left = true));
  for (let i = 0; i < 1000 && !left; i++) await cluster.clock.advance(100);
  await leaving;
  member.crash();
  assert.equal(member.group.assignment().length, 0);
}
