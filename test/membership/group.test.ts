import assert from "node:assert/strict";
import { test } from "node:test";
import { partitionLeaseName } from "../../src/membership/names.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine } from "../../src/ports/engine.ts";
import type { Lease } from "../../src/ports/leases.ts";
import { type Cluster, createCluster } from "./support.ts";

test("a single member owns everything as soon as it has joined", async () => {
  const cluster = createCluster({ partitions: 8 });
  const { group } = await cluster.join("a");
  assert.equal(group.assignment().length, 8);
  assert.equal(cluster.clock.monotonic(), 0);
  assert.equal(group.trouble(), undefined);
  cluster.expectSettled();
});

for (const hints of [false, true]) {
  for (const count of [1, 2, 3, 4, 5]) {
    test(`${count} members share 12 partitions evenly, ${hints ? "with" : "without"} hints`, async () => {
      const cluster = createCluster({ partitions: 12, hints });
      for (let i = 0; i < count; i++) await cluster.join(`m${i}`);
      await cluster.advance(10_000);
      cluster.expectSettled();
      const before = cluster.tenures.length;
      await cluster.advance(120_000);
      cluster.expectSettled();
      assert.equal(cluster.tenures.length, before, "nothing moves once all is shared");
    });
  }
}

test("more members than partitions leave some members without", async () => {
  const cluster = createCluster({ partitions: 2 });
  for (const id of ["a", "b", "c", "d"]) await cluster.join(id);
  await cluster.advance(10_000);
  cluster.expectSettled();
});

test("a newcomer moves only the partitions it gets", async () => {
  const cluster = createCluster({ partitions: 12 });
  const [a, b] = [await cluster.join("a"), await cluster.join("b")];
  await cluster.advance(10_000);
  const before = cluster.tenures.length;
  await cluster.join("c");
  await cluster.advance(10_000);
  cluster.expectSettled();
  assert.equal(cluster.tenures.length - before, 4);
  for (const { group } of [a, b]) assert.equal(group.assignment().length, 4);
});

test("with hints a newcomer has its share long before a heartbeat", async () => {
  const cluster = createCluster({ partitions: 4, hints: true });
  await cluster.join("a");
  await cluster.join("b");
  await cluster.advance(100);
  cluster.expectSettled();
});

test("with hints the others take over at once when a member leaves", async () => {
  const cluster = createCluster({ partitions: 4, hints: true });
  const a = await cluster.join("a");
  await cluster.join("b");
  await cluster.advance(5000);
  const leaving = a.group.leave();
  await cluster.advance(100);
  await leaving;
  a.alive = false;
  cluster.expectSettled();
});

test("a lease is released only after its partition has drained, however long that takes within the deadline", async () => {
  const cluster = createCluster({ partitions: 2 });
  const drainMs = 25_000;
  const a = await cluster.join("a", {
    onRevoked: () => new Promise<void>((resolve) => void cluster.clock.after(drainMs, resolve)),
  });
  const b = await cluster.join("b");
  await cluster.advance(drainMs);
  assert.equal(b.group.assignment().length, 0);
  assert.equal(a.group.assignment().length, 1);
  await cluster.advance(10_000);
  cluster.expectSettled();
});

test("a partition that does not drain is released at the deadline and its owner is fenced", async () => {
  const cluster = createCluster({ partitions: 1 });
  const stuck = await cluster.join("a", { drainTimeoutMs: 5000, onRevoked: () => new Promise<void>(() => undefined) });
  const { lease } = stuck.group.assignment()[0]!;
  const leaving = stuck.group.leave();
  await cluster.advance(5000);
  await leaving;
  const asked = stuck.engine.transact!({ fences: [{ lease: lease.name, token: lease.token }] });
  await cluster.clock.flush();
  assert.equal((await asked).committed, false);
});

test("leaving drains and releases everything, and the store knows of the member no longer", async () => {
  const cluster = createCluster({ partitions: 3 });
  const a = await cluster.join("a");
  const leaving = Promise.all([a.group.leave(), a.group.leave()]);
  await cluster.clock.flush();
  await leaving;
  assert.deepEqual(a.events.slice(3).sort(), ["-orders/0 leave", "-orders/1 leave", "-orders/2 leave"]);
  const held = a.engine.leases!.list("");
  await cluster.clock.flush();
  assert.deepEqual(await held, []);
  await cluster.advance(60_000);
  assert.equal(cluster.clock.nextTimerAt(), undefined, "no timer stays behind");
});

test("the partitions of a member that crashed go to the others after the ttl", async () => {
  const cluster = createCluster({ partitions: 6 });
  const a = await cluster.join("a");
  await cluster.join("b");
  await cluster.join("c");
  await cluster.advance(10_000);
  a.crash();
  await cluster.advance(5000);
  assert.equal([...cluster.owners().values()].filter((ids) => ids.length === 0).length, 2);
  await cluster.advance(10_000);
  cluster.expectSettled();
});

test("a static member that comes back after a crash has its partitions at once, with new tokens", async () => {
  const cluster = createCluster({ partitions: 6 });
  const a = await cluster.join("a");
  const b = await cluster.join("b");
  await cluster.advance(10_000);
  const owned = a.group.assignment();
  const moves = b.events.length;
  a.crash();
  const back = await cluster.join("a");
  const names = (list: typeof owned): string[] => list.map(({ lease }) => lease.name).sort();
  assert.deepEqual(names(back.group.assignment()), names(owned));
  for (const { lease } of back.group.assignment()) {
    assert.ok(lease.token > owned.find((before) => before.lease.name === lease.name)!.lease.token);
  }
  await cluster.advance(30_000);
  assert.equal(b.events.length, moves, "the other member kept what it had");
  cluster.expectSettled();
});

test("a static member that leaves to return keeps its partitions for its next start", async () => {
  const cluster = createCluster({ partitions: 6, hints: true });
  const a = await cluster.join("a");
  await cluster.join("b");
  await cluster.advance(10_000);
  const owned = a.group.assignment().map(({ lease }) => lease.name);
  const leaving = a.group.leave({ returning: true });
  await cluster.advance(1000);
  await leaving;
  a.crash();
  await cluster.advance(4000);
  const back = await cluster.join("a");
  assert.deepEqual(back.group.assignment().map(({ lease }) => lease.name).sort(), owned.sort()); // prettier-ignore
});

test("of two members with one id the later one wins and the earlier one says why it stands still", async () => {
  const cluster = createCluster({ partitions: 2 });
  const first = await cluster.join("a");
  first.alive = false;
  const second = await cluster.join("a");
  await cluster.advance(10_000);
  assert.equal(first.group.assignment().length, 0);
  assert.match(first.group.trouble() ?? "", /id "a" is live/);
  assert.equal(second.group.assignment().length, 2);
  second.crash();
  await cluster.advance(20_000);
  assert.equal(first.group.assignment().length, 2, "it goes on when the later one is gone");
  assert.equal(first.group.trouble(), undefined);
});

test("a paused member owns nothing by its own clock before others take over, and says lost when it wakes", async () => {
  const cluster = createCluster({ partitions: 4 });
  const a = await cluster.join("a");
  const b = await cluster.join("b");
  await cluster.advance(10_000);
  a.pause();
  await cluster.advance(20_000);
  assert.equal(b.group.assignment().length, 4);
  assert.equal(a.group.assignment().length, 0, "it says so even before its timers run");
  a.resume();
  await cluster.advance(100);
  assert.equal(a.events.filter((event) => event.endsWith("lost")).length, 2);
  await cluster.advance(10_000);
  cluster.expectSettled();
});

test("a pause shorter than the ttl costs nothing", async () => {
  const cluster = createCluster({ partitions: 4 });
  const a = await cluster.join("a");
  await cluster.join("b");
  await cluster.advance(10_000);
  const before = cluster.tenures.length;
  a.pause();
  await cluster.advance(5000);
  a.resume();
  await cluster.advance(20_000);
  assert.equal(cluster.tenures.length, before);
  assert.ok(!a.events.some((event) => event.endsWith("lost")));
});

test("a store that fails is asked again, named as trouble, and costs the partitions only after the ttl", async () => {
  const cluster = createCluster({ partitions: 2 });
  const { group, events } = await cluster.join("a");
  await cluster.advance(3000);
  cluster.failStore(true);
  await cluster.clock.advance(4000);
  assert.match(group.trouble() ?? "", /busy/);
  assert.equal(group.assignment().length, 2);
  await cluster.clock.advance(6000);
  assert.equal(group.assignment().length, 0);
  assert.deepEqual(events.slice(2).sort(), ["-orders/0 lost", "-orders/1 lost"]);
  cluster.failStore(false);
  await cluster.advance(2000);
  assert.equal(group.trouble(), undefined);
  cluster.expectSettled();
});

test("a store that fails at the start is no reason not to join", async () => {
  const cluster = createCluster({ partitions: 2 });
  cluster.failStore(true);
  const { group } = await cluster.join("a");
  assert.match(group.trouble() ?? "", /busy/);
  cluster.failStore(false);
  await cluster.advance(2000);
  cluster.expectSettled();
});

test("a store that does not answer at all costs the partitions in time, too", async () => {
  const cluster = createCluster({ partitions: 2 });
  const { group, events } = await cluster.join("a");
  cluster.world.fail(({ kind }) => (kind === "lease" ? { delayMs: 1e9 } : undefined));
  await cluster.clock.advance(12_000);
  assert.equal(group.assignment().length, 0);
  assert.match(group.trouble() ?? "", /not answered/);
  assert.equal(events.filter((event) => event.endsWith("lost")).length, 2);
});

test("a partition that cannot be begun is given back, named as trouble, and tried again", async () => {
  const cluster = createCluster({ partitions: 2 });
  let failures = 2;
  const { group, events } = await cluster.join("a", {
    onAssigned: ({ partition }) => {
      if (partition === 1 && failures-- > 0) throw new Error("no table");
    },
  });
  assert.match(group.trouble() ?? "", /no table/);
  await cluster.advance(10_000);
  assert.equal(group.trouble(), undefined);
  assert.deepEqual(events.filter((event) => event.startsWith("-")), []); // prettier-ignore
  cluster.expectSettled();
});

test("a rolling deploy moves no partition more than twice", async () => {
  const cluster = createCluster({ partitions: 12, hints: true });
  for (const id of ["a1", "b1", "c1"]) await cluster.join(id);
  await cluster.advance(10_000);
  cluster.tenures.length = 0;
  for (const id of ["a2", "b2", "c2"]) {
    await cluster.join(id);
    await cluster.advance(1000);
    const old = cluster.members.find((member) => member.id === id.replace("2", "1"))!;
    const leaving = old.group.leave();
    await cluster.advance(1000);
    await leaving;
    old.alive = false;
  }
  cluster.expectSettled();
  const moves = cluster.moves();
  const total = moves.reduce((sum, count) => sum + count, 0);
  assert.ok(Math.max(...moves) <= 2 && total <= 18, moves.join(" "));
});

test("a rolling deploy of static members moves no partition to another member", async () => {
  const cluster = createCluster({ partitions: 12, hints: true });
  for (const id of ["a", "b", "c"]) await cluster.join(id);
  await cluster.advance(10_000);
  const home = cluster.owners();
  for (const old of cluster.members.slice()) {
    const leaving = old.group.leave({ returning: true });
    await cluster.advance(1000);
    await leaving;
    old.crash();
    await cluster.join(old.id);
    await cluster.advance(1000);
  }
  cluster.expectSettled();
  assert.deepEqual(cluster.owners(), home);
});

test("groups whose names begin alike do not see each other", async () => {
  assert.notEqual(
    partitionLeaseName("a", { topic: "b", partition: 0 }),
    partitionLeaseName("a/b", { topic: "0", partition: 0 }),
  );
  const cluster = createCluster({ partitions: 2 });
  const members = [await cluster.join("a", { group: "pay" }), await cluster.join("b", { group: "pay/ments" })];
  await cluster.clock.advance(10_000);
  for (const { group } of members) assert.equal(group.assignment().length, 2);
});

test("what is lost while a heartbeat waits for its answer comes back with another token", async () => {
  const cluster = createCluster({ partitions: 2 });
  await cluster.join("a");
  await cluster.advance(5000);
  // The heartbeat is answered when the leases have run out, by the clock of the member and in the store.
  cluster.world.fail(({ kind }) =>
    kind === "lease" && cluster.clock.monotonic() < 7000 ? { answerDelayMs: 11_000 } : undefined,
  );
  await cluster.advance(25_000);
  cluster.expectSettled();
  assert.deepEqual(cluster.moves(), [2, 2]);
});

test("a member that leaves while it announces itself is not counted any more", async () => {
  const cluster = createCluster({ partitions: 2 });
  const { group, engine } = await cluster.join("a");
  const other = await openBeside(cluster);
  const selves = (): Promise<readonly Lease[]> => settle(cluster, other.leases!.list("member/"));
  // It finds out at its next heartbeat that the store does not know it any more, and says who it is once more.
  await settle(cluster, other.leases!.release(await selves()));
  const heal = cluster.world.fail(({ kind, engine: by }) =>
    kind === "lease" && by === engine ? { answerDelayMs: 1000 } : undefined,
  );
  await cluster.clock.advance(3334 + 1500);
  assert.equal((await selves()).length, 1);
  const left = group.leave();
  await cluster.clock.advance(5000);
  await left;
  heal();
  assert.deepEqual(await selves(), []);
});

const openBeside = ({ world }: Cluster): Promise<Engine> => world.open({ platform: virtualPlatform() });

async function settle<Value>({ clock }: Cluster, asked: Promise<Value>): Promise<Value> {
  await clock.flush();
  return asked;
}
