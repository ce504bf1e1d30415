// What the measurements of a broker share: who is compared, and what each line says of it.
import type { Facts } from "../lib/line.ts";
import { payloadBytes } from "../lib/payload.ts";
import { alternate, keys, type Run, type ServerName } from "../lib/run.ts";
import type { PeerName } from "../peers/peer.ts";

/** A broker, and how it is used on both sides. */
export interface MeasuredBroker {
  readonly name: string;
  readonly server: ServerName;
  /** Whether tidings does without a store there; else it is measured with one only. */
  readonly withoutStore: boolean;
  readonly raw: PeerName;
  /** How long what is acknowledged lasts, for both. */
  readonly durability: string;
  /** What the plain client does. */
  readonly rawDoes: string;
  readonly nestjs: NestjsUse;
}

/** How @nestjs/microservices uses the broker. */
export interface NestjsUse {
  /** Whether what is emitted is there until it is handled; what is not is printed and compared with nothing. */
  readonly isDurable: boolean;
  readonly does: string;
}

/** tidings without a store, tidings with one, the plain client, and @nestjs/microservices. */
export type Contestant = "tidings" | "stored" | "raw" | "nestjs";

/** Where tidings has its positions. */
export const positionsOf: Readonly<Record<"tidings" | "stored", string>> = {
  tidings: "in a journal on the broker",
  stored: "in a store beside the broker (sqlite, synchronous=FULL)",
};

/** The contestants that are tidings there. */
export function oursOn({ withoutStore }: MeasuredBroker): readonly ("tidings" | "stored")[] {
  return withoutStore ? ["tidings", "stored"] : ["stored"];
}

/** What every line of a broker says. */
export function settingsOf({ durability, rawDoes }: MeasuredBroker): Facts {
  return { durability, payloadBytes, keys, processes: 1, partitions: 4, peerDoes: rawDoes };
}

type Task = Readonly<Record<string, string | number | boolean>>;

let runs = 0;

/** Lets contestants do a task of a child in turns, each below a name of its own on the broker. */
export function inTurns<Result>(
  run: Run,
  { name, server, raw }: MeasuredBroker,
  { what, child, tasks }: { what: string; child: string; tasks: Partial<Record<Contestant, Task>> },
): Promise<Record<string, Result[]>> {
  const peers: Record<Contestant, PeerName> = {
    tidings: "tidings-on-broker",
    stored: "tidings-on-broker",
    raw,
    nestjs: "nestjs",
  };
  const starting = Object.entries(tasks).map(([contestant, task]) => {
    const start = (): Promise<Result> => {
      const prefix = `bench-${process.pid}-${(runs += 1)}`;
      const peer = peers[contestant as Contestant];
      const store = contestant === "stored";
      return run.inFreshFolder<Result>(child, { peer, url: run.urls[server], prefix, keys, store, ...task });
    };
    return [contestant, start] as const;
  });
  return alternate<Result>(run, `${name} ${what}`, Object.fromEntries(starting));
}

/** The same task for all of them. */
export function same(contestants: readonly Contestant[], task: Task): Partial<Record<Contestant, Task>> {
  return Object.fromEntries(contestants.map((contestant) => [contestant, task]));
}
