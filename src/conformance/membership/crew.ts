import type { PartitionRef } from "../../membership/names.ts";
import type { Engine } from "../../ports/engine.ts";
import { equal, eventually, holds, same } from "../expect.ts";
import { entryOf, textsOf } from "../records.ts";
import type { Env } from "../suite.ts";
import { type Member, memberOfCrew } from "./member.ts";

/** A group of consumers of one topic, whose positions and effects lie in the engine. */
export interface Crew {
  readonly env: Env;
  readonly group: string;
  readonly topic: string;
  /** What the members did: for each event that was handled one of the same text in the same partition. */
  readonly done: string;
  readonly partitions: readonly PartitionRef[];
  readonly ttlMs: number;
  readonly members: Member[];
  /** By partition, who works on it at this moment. */
  readonly working: Map<number, Set<Member>>;
  /** Everything that went wrong in the background. */
  readonly faults: unknown[];
}

/** Runs with a fresh crew and sees that all of its members have left in the end. */
export async function withCrew(
  env: Env,
  options: { readonly partitions: number; readonly ttlMs?: number },
  run: (crew: Crew) => Promise<void>,
): Promise<void> {
  const [topic, done] = [await env.topic(options.partitions), await env.topic(options.partitions)];
  const crew: Crew = {
    env,
    group: env.unique("g"),
    topic,
    done,
    partitions: Array.from({ length: options.partitions }, (_, partition) => ({ topic, partition })),
    ttlMs: options.ttlMs ?? 6000,
    members: [],
    working: new Map(),
    faults: [],
  };
  try {
    await run(crew);
  } finally {
    for (const member of crew.members) member.freezer.thaw();
    await Promise.all(crew.members.map((member) => member.leave()));
  }
  same(crew.faults, []);
}

/** One more member, which works from now on. */
export async function join(crew: Crew, id: string, engine: Engine = crew.env.engine): Promise<Member> {
  const member = await memberOfCrew(crew, id, engine);
  crew.members.push(member);
  return member;
}

/** Publishes the texts key:from, key:from+1, … of every key, each key to a partition of its own choice. */
export async function produce(crew: Crew, keys: readonly string[], from: number, count: number): Promise<void> {
  const { env, topic, partitions } = crew;
  for (let n = from; n < from + count; n++) {
    const entries = keys.map((key, i) => entryOf(env, topic, { key, data: `${key}:${n}` }, i % partitions.length));
    await env.engine.topics.publish(entries);
  }
}

/** Waits until every event was handled, and sees that each was handled once and in the order of its partition. */
export async function settled(crew: Crew): Promise<void> {
  const { env, topic, done, partitions } = crew;
  const count = async (name: string): Promise<number> =>
    (await env.engine.topics.bounds(name)).reduce((sum, { first, next }) => sum + next - first, 0);
  const total = await count(topic);
  await eventually(
    env,
    `${total} events are handled`,
    async () => crew.faults.length > 0 || (await count(done)) >= total,
  );
  same(crew.faults, []);
  for (const { partition } of partitions) {
    same(await textsOf(env.engine, done, partition), await textsOf(env.engine, topic, partition));
  }
}

/** Waits until the members own so many partitions each, in this order, and sees that they are all different. */
export async function shared(crew: Crew, members: readonly Member[], counts: readonly number[]): Promise<void> {
  const own = (): number[][] =>
    members.map(({ group }) => group.assignment().map(({ partition }) => partition.partition));
  const told = counts.join(", ");
  await eventually(
    crew.env,
    `the members own ${told} partitions`,
    () =>
      own()
        .map((list) => list.length)
        .join(", ") === told,
  );
  const all = own().flat();
  equal(new Set(all).size, all.length, "no partition is owned twice");
  holds(all.length <= crew.partitions.length, "nobody owns what is not there");
}
