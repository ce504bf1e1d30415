import type { Engine } from "../../ports/engine.ts";
import type { StoredRecord } from "../../event/record.ts";
import { equal, holds, same } from "../expect.ts";
import { capability, port, secondHandle } from "../needs.ts";
import { entriesOf, entryOf, numbered, publishEach, publishOne, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Reading while others write: nothing twice, nothing skipped, nothing that could still be undone. */
export const liveCases: readonly Case[] = [
  {
    name: "a replay from the start beside live traffic sees every event once and in order",
    run: (env) => replayBeside(env, env.engine),
  },
  {
    name: "a replay at another handle beside live traffic sees every event once and in order",
    needs: secondHandle,
    run: async (env) => replayBeside(env, await env.second()),
  },
  {
    name: "a reader never sees a part of a batch",
    needs: capability("atomicPublish"),
    async run(env) {
      const topic = await env.topic();
      let writing = true;
      const write = async (): Promise<void> => {
        for (const batch of numbered(60))
          await env.engine.topics.publish(
            entriesOf(
              env,
              topic,
              Array.from({ length: 10 }, () => batch),
            ),
          );
      };
      const look = async (): Promise<void> => {
        while (writing) {
          const { records } = await env.engine.topics.read(topic, 0, 0, { events: 10_000, bytes: 10_000_000 });
          equal(records.length % 10, 0);
          await env.wait(0);
        }
      };
      await Promise.all([write().finally(() => (writing = false)), look(), look()]);
      equal((await textsOf(env.engine, topic)).length, 600);
    },
  },
  {
    name: "a publish or transaction that was refused leaves nothing for a reader that looks all the time",
    needs: port("transact"),
    async run(env) {
      const topic = await env.topic();
      let writing = true;
      const check = { collection: "c", key: env.unique(), version: 7 };
      const write = async (): Promise<void> => {
        for (const text of numbered(30)) {
          const publish = [entryOf(env, topic, { data: "undone" })];
          await env.transact({ checks: [check], publish });
          await env.engine.topics.publish([...publish, entryOf(env, env.unique("unknown"))]).catch(() => undefined);
          await publishOne(env, topic, text);
        }
      };
      const look = async (): Promise<void> => {
        while (writing) {
          holds(!(await textsOf(env.engine, topic)).includes("undone"), "what was undone is never seen");
          await env.wait(0);
        }
      };
      await Promise.all([write().finally(() => (writing = false)), look()]);
      same(await textsOf(env.engine, topic), numbered(30));
    },
  },
];

async function replayBeside(env: Env, reader: Engine): Promise<void> {
  const topic = await env.topic();
  await publishEach(env, topic, numbered(50, "old-"));
  const writers = ["a", "b", "c"];
  const total = 50 + writers.length * 80;
  const write = async (writer: string): Promise<void> => {
    for (const text of numbered(80, `${writer}-`)) await publishOne(env, topic, text);
  };
  const [seen] = await Promise.all([follow(env, reader, topic, total), ...writers.map(write)]);
  equal(seen.length, total);
  holds(
    seen.every((record, i) => i === 0 || record.position > (seen[i - 1]?.position ?? 0)),
    "positions rise",
  );
  for (const [writer, count] of [["old", 50], ...writers.map((name) => [name, 80] as const)] as const) {
    const own = seen.map(({ data }) => String(data)).filter((text) => text.startsWith(`${writer}-`));
    same(own, numbered(count, `${writer}-`));
  }
}

/** Reads page by page as a consumer does, until it has so many events. */
async function follow(env: Env, engine: Engine, topic: string, total: number): Promise<StoredRecord[]> {
  const seen: StoredRecord[] = [];
  const until = env.platform.clock.monotonic() + 60_000;
  for (let position = 0; seen.length < total && env.platform.clock.monotonic() < until;) {
    const page = await engine.topics.read(topic, 0, position, { events: 9, bytes: 100_000 });
    seen.push(...page.records);
    position = page.next;
    if (page.records.length === 0) await env.wait(1);
  }
  return seen;
}
