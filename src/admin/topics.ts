import { TidingsError } from "../errors/tidings-error.ts";
import { checkName } from "../event/names.ts";
import { closest } from "../lib/closest.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicSpec } from "../ports/topics.ts";
import { readDefinitions } from "../delivery/totals.ts";
import type { AdminContext } from "./context.ts";

/** A topic at a glance. */
export interface TopicSummary {
  readonly topic: string;
  readonly partitions: number;
  /** Events that can be read. */
  readonly events: number;
  /** Events ever appended, those that retention has removed included. */
  readonly appended: number;
}

/** One partition of a topic. */
export interface TopicPartition {
  readonly partition: number;
  /** Position of the first event that can be read. */
  readonly first: number;
  /** Where the next event will stand. */
  readonly next: number;
  /** When its oldest and its newest event were appended. */
  readonly oldestAtMs: number | undefined;
  readonly newestAtMs: number | undefined;
}

/** A topic in detail. */
export interface TopicDetail extends TopicSummary {
  readonly bounds: readonly TopicPartition[];
  /** Names of the subscriptions on it. */
  readonly subscriptions: readonly string[];
}

/** Operations on topics. */
export interface TopicsAdmin {
  list(): Promise<readonly TopicSummary[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(name: string): Promise<TopicDetail>;
  /** Creates a topic. `created` is false when it is there already. Throws TIDINGS_PARTITIONS_CHANGED, TIDINGS_INVALID_NAME. */
  create(name: string, options?: { readonly partitions?: number }): Promise<TopicSpec & { readonly created: boolean }>;
}

export function topicsAdmin({ engine }: AdminContext): TopicsAdmin {
  return {
    async list() {
      const summaries = [];
      for (const spec of await engine.topics.list()) summaries.push(await summaryOf(engine, spec));
      return summaries;
    },
    async show(name) {
      const spec = await findTopic(engine, name);
      const definitions = await readDefinitions(engine);
      return {
        ...(await summaryOf(engine, spec)),
        bounds: await partitionsOf(engine, name),
        subscriptions: definitions.flatMap(([subscription, { topic }]) => (topic === name ? [subscription] : [])),
      };
    },
    async create(name, { partitions = 4 } = {}) {
      checkName("topic", name);
      const { partitionsMax } = engine.capabilities;
      if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
        throw new TidingsError(
          "TIDINGS_INVALID_OPTION",
          `A topic has a whole number of 1 to ${partitionsMax} partitions, not ${String(partitions)}.`,
        );
      }
      const there = await engine.topics.find(name);
      await engine.topics.declare([{ name, partitions }]);
      return { name, partitions, created: there === undefined };
    },
  };
}

/** The topic of this name. Throws TIDINGS_NOT_FOUND with the name that was probably meant. */
export async function findTopic(engine: Engine, name: string): Promise<TopicSpec> {
  const spec = await engine.topics.find(name);
  if (spec) return spec;
  const names = (await engine.topics.list()).map((topic) => topic.name);
  throw notFound("topic", name, names);
}

/** The error for a name that does not exist. */
export function notFound(kind: string, name: string, names: readonly string[]): TidingsError {
  const meant = closest(name, names);
  const help = meant
    ? `did you mean "${meant}"?`
    : names.length === 0
      ? "there is none yet."
      : `there are ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}.`;
  return new TidingsError("TIDINGS_NOT_FOUND", `There is no ${kind} "${name}"; ${help}`, { details: { [kind]: name } });
}

async function summaryOf(engine: Engine, { name, partitions }: TopicSpec): Promise<TopicSummary> {
  const bounds = await engine.topics.bounds(name);
  const events = bounds.reduce((sum, { first, next }) => sum + next - first, 0);
  return { topic: name, partitions, events, appended: bounds.reduce((sum, { next }) => sum + next, 0) };
}

async function partitionsOf(engine: Engine, name: string): Promise<readonly TopicPartition[]> {
  const rows = [];
  for (const [partition, { first, next }] of (await engine.topics.bounds(name)).entries()) {
    rows.push({
      partition,
      first,
      next,
      oldestAtMs: next > first ? await appendedAt(engine, name, partition, first) : undefined,
      newestAtMs: next > first ? await appendedAt(engine, name, partition, next - 1) : undefined,
    });
  }
  return rows;
}

async function appendedAt(engine: Engine, topic: string, partition: number, at: number): Promise<number | undefined> {
  const page = await engine.topics.read(topic, partition, at, { events: 1, bytes: 1 });
  return page.records[0]?.appendedAtMs;
}
