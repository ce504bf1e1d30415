// What the measurements of a run share.
import type { ChildOptions } from "./child.ts";
import { runChild, type Task } from "./child.ts";
import type { Line } from "./line.ts";
import type { Place } from "./place.ts";
import { createDatabase, dropDatabase } from "./postgres.ts";

export interface RunOptions {
  /** Small sizes and one repetition: does it run at all? */
  readonly quick: boolean;
  /** The large backlog. */
  readonly full: boolean;
  readonly repeat: number;
  /** Peers to leave out. */
  readonly without: readonly string[];
  readonly child: ChildOptions;
}

export interface Run {
  readonly options: RunOptions;
  readonly place: Place;
  /** Where servers listen, of those that what is measured needs. */
  readonly urls: Urls;
  /** One of two numbers: for a run that counts, or for a quick one. */
  size(normal: number, quick: number): number;
  /** A child in a folder of its own that is removed afterwards. */
  inFreshFolder<Result>(child: string, task: Task): Promise<Result>;
  /** A child in a folder; `node`: further options of Node.js. */
  in<Result>(folder: string, child: string, task: Task, node?: readonly string[]): Promise<Result>;
  /** A folder with a file that holds so many orders nobody has handled; made once, kept until the end of the run. */
  filled(events: number): Promise<string>;
  /** A child with a database of its own, the `url` of its task, that is removed afterwards. */
  inFreshDatabase<Result>(child: string, task: Task): Promise<Result>;
  say(text: string): void;
}

export type ServerName = "redis" | "redisSynced" | "postgres" | "nats" | "kafka" | "rabbitmq";
export type Urls = Readonly<Partial<Record<ServerName, string>>>;

/** A measurement prints one line or several. */
export interface Measurement {
  readonly name: string;
  /** By contestant, the server that it needs. */
  readonly needs?: Readonly<Record<string, ServerName>>;
  run(run: Run): Promise<readonly Line[]>;
}

export const keys = 1000;

export function runOf(options: RunOptions, place: Place, urls: Urls, say: Run["say"]): Run {
  const made = new Map<number, Promise<string>>();
  const self: Run = {
    options,
    place,
    urls,
    say,
    size: (normal, quick) => (options.quick ? quick : normal),
    in: (folder, child, task, node) =>
      runChild(child, { ...task, folder }, { ...options.child, ...(node && { node }) }),
    async inFreshFolder(child, task) {
      const folder = place.fresh();
      try {
        return await self.in(folder, child, task);
      } finally {
        place.remove(folder);
      }
    },
    async inFreshDatabase(child, task) {
      const server = urls.postgres as string;
      const url = await createDatabase(server);
      try {
        return await self.inFreshFolder(child, { ...task, url });
      } finally {
        await dropDatabase(server, url);
      }
    },
    filled(events) {
      const known = made.get(events);
      if (known) return known;
      const making = (async () => {
        say(`filling a file with ${events} events`);
        const folder = place.fresh();
        await runChild("fill", { folder, events, keys }, { profiles: undefined });
        return folder;
      })();
      made.set(events, making);
      return making;
    },
  };
  return self;
}

/** Lets the contestants take turns, so that a slow minute of the machine hits all of them. */
export async function alternate<Result>(
  run: Run,
  name: string,
  contestants: Readonly<Record<string, () => Promise<Result>>>,
): Promise<Record<string, Result[]>> {
  const results: Record<string, Result[]> = {};
  for (let repetition = 1; repetition <= run.options.repeat; repetition++) {
    for (const [contestant, start] of Object.entries(contestants)) {
      run.say(`${name}: ${contestant}, ${repetition} of ${run.options.repeat}`);
      (results[contestant] ??= []).push(await start());
    }
  }
  return results;
}
