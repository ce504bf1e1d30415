import assert from "node:assert/strict";
import { memory, type MemoryWorld, memoryWorld } from "../../src/engines/memory/index.ts";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { type Group, joinGroup } from "../../src/membership/group.ts";
import { stateHint } from "../../src/membership/hint.ts";
import type { PartitionRef } from "../../src/membership/names.ts";
import type { GroupOptions } from "../../src/membership/options.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { type VirtualClock, virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine } from "../../src/ports/engine.ts";
import type { Lease } from "../../src/ports/leases.ts";

/** A platform whose process can be stopped as by SIGSTOP: time goes on, nothing of it runs. */
export function pausable(base: Platform & { readonly clock: VirtualClock }): {
  readonly platform: Platform;
  readonly pause: () => void;
  readonly resume: () => void;
} {
  let paused = false;
  const backlog: (() => void)[] = [];
  const guard = (fn: () => void) => (): void => void (paused ? backlog.push(fn) : fn());
  const platform: Platform = {
    ...base,
    clock: {
      now: () => base.clock.now(),
      monotonic: () => base.clock.monotonic(),
      soon: (fn) => base.clock.soon(guard(fn)),
      after(delayMs, fn) {
        let cancelled = false;
        const cancel = base.clock.after(
          delayMs,
          guard(() => (cancelled ? undefined : fn())),
        );
        return () => {
          cancelled = true;
          cancel();
        };
      },
    },
  };
  return {
    platform,
    pause: () => void (paused = true),
    resume: () => {
      paused = false;
      for (const fn of backlog.splice(0)) base.clock.soon(fn);
    },
  };
}

/** One member as the tests see it. */
export interface TestMember {
  readonly id: string;
  readonly group: Group;
  readonly engine: Engine;
  readonly events: string[];
  alive: boolean;
  paused: boolean;
  /** When it was last stopped or set going. */
  runningSinceMs: number;
  pause(): void;
  resume(): void;
  crash(): void;
}

/** One start of a member; the same id may start again after a crash. */
interface Start {
  readonly id: string;
  member: TestMember | undefined;
}

/** One assignment that was ever made. */
interface Tenure {
  readonly partition: string;
  readonly start: Start;
  readonly lease: Lease;
  readonly begunAtMs: number;
  endedAtMs: number | undefined;
}

/** Members of one group on one world under one virtual clock, watched for overlaps. */
export interface Cluster {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly members: TestMember[];
  readonly tenures: Tenure[];
  join(id: string, options?: Partial<GroupOptions>): Promise<TestMember>;
  /** Advances in small steps and looks at the owners after each. */
  advance(ms: number): Promise<void>;
  /** Partition to the ids of those that may work on it now. */
  owners(): Map<string, string[]>;
  /** Fails unless every partition has one owner and the shares differ by one at most. */
  expectSettled(): void;
  /** How often each partition was assigned. */
  moves(): number[];
  /** Lets every call to the store fail, or work again. */
  failStore(fails: boolean): void;
}

export const nameOf = ({ topic, partition }: PartitionRef): string => `${topic}/${partition}`;

export function createCluster(options: { partitions: number; seed?: number; hints?: boolean }): Cluster {
  const base = virtualPlatform({ seed: options.seed ?? 1 });
  const { clock } = base;
  const world = memoryWorld({ clock });
  const partitions = Array.from({ length: options.partitions }, (_, partition) => ({ topic: "orders", partition }));
  const members: TestMember[] = [];
  const tenures: Tenure[] = [];
  // What goes wrong inside a callback of the group would end as a trouble of the group, so it is kept for later.
  const violations: string[] = [];
  let fails = false;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const inspectors = new Set<Engine>();
  world.fail(({ engine }) =>
    fails && !inspectors.has(engine) ? { fail: "before", error: new TidingsError("TIDINGS_BUSY", "busy") } : undefined,
  );
  const live = (): TestMember[] => members.filter(({ alive }) => alive);

  const owners = (): Map<string, string[]> =>
    new Map(
      partitions.map((ref) => [
        nameOf(ref),
        live()
          .filter(({ group }) => group.owns(ref))
          .map(({ id }) => id),
      ]),
    );

  /** At most one may work on a partition by its own clock, and the last assignment has the highest token. */
  const checkOverlap = (): void => {
    for (const [name, ids] of owners()) if (ids.length > 1) violations.push(`${name} is owned by ${ids.join(" and ")}`);
  };

  const begin = (start: Start, ref: PartitionRef, lease: Lease): void => {
    checkOverlap();
    for (const earlier of tenures) {
      if (earlier.lease.name !== lease.name) continue;
      if (earlier.lease.token >= lease.token) violations.push(`${nameOf(ref)} came back with a token it had`);
      // One that could not renew while it drained has lost the lease rightly; fences are all that stops it then.
      const owner = earlier.start.member;
      const renewing = owner?.alive && owner.runningSinceMs <= earlier.begunAtMs && failedAtMs < earlier.begunAtMs;
      if (renewing && earlier.endedAtMs === undefined) {
        violations.push(`${nameOf(ref)} went to ${start.id} while ${earlier.start.id} drained`);
      }
    }
    tenures.push({ partition: nameOf(ref), start, lease, begunAtMs: clock.now(), endedAtMs: undefined });
  };

  const end = ({ name, token }: Lease): void => {
    const tenure = tenures.findLast(({ lease }) => lease.token === token && lease.name === name);
    if (tenure) tenure.endedAtMs = clock.now();
  };

  /** Every token but the last must be refused. */
  const checkFences = async (): Promise<void> => {
    const engine = await memory({ world, seed: 1 }).open({ platform: base });
    inspectors.add(engine);
    const last = new Map(tenures.map((tenure) => [tenure.lease.name, tenure]));
    for (const tenure of tenures) {
      if (last.get(tenure.lease.name) === tenure) continue;
      const { name, token } = tenure.lease;
      const asked = engine.transact!({ fences: [{ lease: name, token }] });
      await clock.flush();
      assert.equal((await asked).committed, false, `${tenure.start.id} is not fenced from ${tenure.partition}`);
    }
    await engine.close();
  };

  return {
    clock,
    world,
    members,
    tenures,
    owners,
    failStore(on) {
      if (on || fails) failedAtMs = clock.now();
      fails = on;
    },
    async join(id, extra = {}) {
      const { platform, pause, resume } = pausable(base);
      const engine = await memory({ world }).open({ platform });
      const events: string[] = [];
      const start: Start = { id, member: undefined };
      const joining = joinGroup({
        leases: engine.leases!,
        platform,
        group: "payments",
        memberId: id,
        partitions,
        ...(options.hints ? { hint: stateHint(engine, "payments")! } : {}),
        ...extra,
        async onAssigned(ref, lease) {
          begin(start, ref, lease);
          events.push(`+${nameOf(ref)}`);
          try {
            await extra.onAssigned?.(ref, lease);
          } catch (error) {
            end(lease);
            throw error;
          }
        },
        async onRevoked(ref, lease, reason) {
          events.push(`-${nameOf(ref)} ${reason}`);
          await extra.onRevoked?.(ref, lease, reason);
          end(lease);
        },
      });
      await clock.flush();
      const group = await joining;
      const member: TestMember = {
        id,
        group,
        engine,
        events,
        alive: true,
        paused: false,
        runningSinceMs: clock.now(),
        pause() {
          member.paused = true;
          member.runningSinceMs = Number.POSITIVE_INFINITY;
          pause();
        },
        resume() {
          member.paused = false;
          member.runningSinceMs = clock.now();
          resume();
        },
        crash() {
          member.alive = false;
          pause();
          world.crash(engine);
        },
      };
      start.member = member;
      members.push(member);
      return member;
    },
    async advance(ms) {
      for (let passed = 0; passed < ms; passed += 97) {
        await clock.advance(Math.min(97, ms - passed));
        checkOverlap();
      }
      await checkFences();
      assert.deepEqual(violations, []);
    },
    expectSettled() {
      assert.deepEqual(violations, []);
      for (const [name, ids] of owners()) assert.equal(ids.length, 1, `${name} is owned by ${ids.length} members`);
      const shares = live().map(({ group }) => group.assignment().length);
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `uneven shares ${shares.join(", ")}`);
    },
    moves: () => partitions.map((ref) => tenures.filter(({ partition }) => partition === nameOf(ref)).length),
  };
}
