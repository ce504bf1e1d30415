import { type Group, joinGroup } from "../../membership/group.ts";
import { stateHint } from "../../membership/hint.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Lease } from "../../ports/leases.ts";
import { find } from "../documents.ts";
import { given } from "../expect.ts";
import { entryOf } from "../records.ts";
import type { Crew } from "./crew.ts";
import { type Freezer, freezer } from "./freezer.ts";

/** A member that works: it writes an effect of each event and its position in one fenced transaction. */
export interface Member {
  readonly id: string;
  readonly group: Group;
  readonly freezer: Freezer;
  /** Events that it handled. */
  handled: number;
  /** Transactions that a fence refused. */
  fenced: number;
  leave(): Promise<void>;
}

/** Joins the group and begins to work on what is assigned. */
export async function memberOfCrew(crew: Crew, id: string, engine: Engine): Promise<Member> {
  const ice = freezer();
  const runs = new Map<number, { stop: boolean; over: Promise<void> }>();
  const member = { id, freezer: ice, handled: 0, fenced: 0 } as Member & { group: Group };
  member.group = await joinGroup({
    leases: ice.leases(given(engine.leases)),
    platform: ice.platform(crew.env.platform),
    group: crew.group,
    memberId: id,
    partitions: crew.partitions,
    ttlMs: crew.ttlMs,
    heartbeatMs: crew.ttlMs / 6,
    ...hintOf(ice, engine, crew.group),
    onAssigned({ partition }, lease) {
      const run = { stop: false, over: Promise.resolve() };
      runs.set(partition, run);
      run.over = work({ crew, member, engine, partition, lease, run }).catch((error) => void crew.faults.push(error));
    },
    async onRevoked({ partition }) {
      const run = given(runs.get(partition), "a run of the partition that is revoked");
      run.stop = true;
      await run.over;
    },
  });
  member.leave = () => member.group.leave();
  return member;
}

function hintOf(ice: Freezer, engine: Engine, group: string): { hint?: NonNullable<ReturnType<typeof stateHint>> } {
  const hint = ice.hint(stateHint(engine, group));
  return hint ? { hint } : {};
}

interface Work {
  readonly crew: Crew;
  readonly member: Member;
  readonly engine: Engine;
  readonly partition: number;
  readonly lease: Lease;
  readonly run: { readonly stop: boolean };
}

async function work({ crew, member, engine, partition, lease, run }: Work): Promise<void> {
  const { env, group, topic, done } = crew;
  const leave = enter(crew, member, partition);
  try {
    while (!run.stop) {
      await member.freezer.gate();
      const position = Number((await find(given(engine.state), group, String(partition)))?.value ?? 0);
      const page = await engine.topics.read(topic, partition, position, { events: 5, bytes: 1_000_000 });
      if (page.records.length === 0) {
        await env.wait(3);
        continue;
      }
      // Here a pause is worst: what was read is about to be written, by one who may no longer own it.
      await member.freezer.gateBeforeWriting();
      const outcome = await engine.transact?.({
        fences: [{ lease: lease.name, token: lease.token }],
        documents: [{ collection: group, key: String(partition), value: String(page.next) }],
        publish: page.records.map(({ key, data }) => entryOf(env, done, { key, data }, partition)),
      });
      if (!given(outcome).committed) {
        member.fenced += 1;
        return;
      }
      member.handled += page.records.length;
    }
  } finally {
    leave();
  }
}

/** Notes who works on the partition; that two do who both are awake is a fault. */
function enter(crew: Crew, member: Member, partition: number): () => void {
  const here = crew.working.get(partition) ?? new Set();
  crew.working.set(partition, here);
  for (const other of here) {
    if (other !== member && !other.freezer.frozen) {
      crew.faults.push(new Error(`${other.id} and ${member.id} work on partition ${partition} at once.`));
    }
  }
  here.add(member);
  return () => void here.delete(member);
}
