// The processes of a run: members that are killed and stopped and come again, and publishers that come to an end.
import { join } from "node:path";

import type { Dice } from "../../examples/shop/random.ts";
import { type Listener, Member } from "../crash/member.ts";
import type { ChaosOptions, GroupName } from "./app.ts";
import type { PublisherTask } from "./publisher-child.ts";

const program = (name: string): string => join(import.meta.dirname, `${name}-child.ts`);
/** How long a member may take to come to its end when it is told to. */
const stopMs = 60_000;

/** How a member said that it does, last. */
export interface Report {
  readonly member: string;
  readonly group: GroupName;
  readonly status: string;
  readonly reason: string | undefined;
  /** When it said so. */
  readonly atMs: number;
}

interface Seat {
  readonly name: string;
  readonly group: GroupName;
  readonly task: ChaosOptions;
  process: Member;
  report: Report | undefined;
}

/** A member has handled an event, or was about to. */
export interface Told {
  readonly group: GroupName;
  /** By the monotonic clock of the machine, in nanoseconds. */
  readonly at: bigint;
  readonly key: string;
  readonly seq: number;
}

/** What went wrong with a process, told once. */
export type Complain = (words: string) => void;

export class Fleet {
  /** What members said that they have handled; without a store they do. */
  readonly told: Told[] = [];
  /** Where members said in the end that the groups are, by member. */
  readonly places = new Map<string, string>();
  readonly #seats: Seat[] = [];
  readonly #source: string | undefined;
  readonly #trace: string;
  readonly #complain: Complain;
  #stopping = false;

  constructor(source: string | undefined, trace: string, complain: Complain) {
    this.#source = source;
    this.#trace = trace;
    this.#complain = complain;
  }

  /** Starts a member; resolves when it runs. */
  async join(name: string, group: GroupName, task: ChaosOptions): Promise<void> {
    const seat: Seat = { name, group, task, process: undefined as never, report: undefined };
    this.#seats.push(seat);
    this.#begin(seat);
    await seat.process.ready;
  }

  #begin(seat: Seat): void {
    const { name, group } = seat;
    const process = this.#spawn("member", {
      acknowledged: () => undefined,
      said: (word, rest) => {
        if (word === "did") this.told.push(toldOf(group, rest));
        if (word === "places") this.places.set(name, rest);
        if (word !== "health") return;
        const { status, reason } = JSON.parse(rest) as { status: string; reason?: string };
        seat.report = { member: name, group, status, reason, atMs: performance.now() };
      },
    });
    seat.process = process;
    process.begin({ ...seat.task, last: false, point: "" });
    void process.ended.then(({ code, signal, complaint }) => {
      if (signal !== "SIGKILL" && !this.#stopping) this.#complain(`${name} ended with ${signal ?? code}: ${complaint}`);
    });
  }

  #spawn(kind: "member" | "publisher", listener: Listener): Member {
    return new Member(program(kind), listener, { source: this.#source, trace: this.#trace });
  }

  /** Starts a process of publishers. */
  publish(task: PublisherTask, listener: Listener): Member {
    const process = this.#spawn("publisher", listener);
    process.begin({ ...task, last: false, point: "" });
    return process;
  }

  /** SIGKILL, and another process in its place at once. Answers whom it hit. */
  async kill(chance: Dice): Promise<string> {
    const seat = chance.pick(this.#seats);
    seat.process.signal("SIGKILL");
    await seat.process.ended;
    this.#begin(seat);
    return seat.name;
  }

  /** SIGSTOP; the function that is answered lets it go on. */
  pause(chance: Dice): { readonly name: string; readonly resume: () => void } {
    const { name, process } = chance.pick(this.#seats);
    process.signal("SIGSTOP");
    return { name, resume: () => process.signal("SIGCONT") };
  }

  /** How the members said that they do. */
  reports(): readonly Report[] {
    return this.#seats.flatMap(({ report }) => report ?? []);
  }

  /** Lets all members come to their end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#seats.map(async ({ name, process }) => {
        process.signal("SIGTERM");
        const timer = setTimeout(() => process.signal("SIGKILL"), stopMs);
        const { code, signal, complaint } = await process.ended;
        clearTimeout(timer);
        if (code !== 0) this.#complain(`${name} did not stop in order: ${signal ?? code} ${complaint}`);
      }),
    );
  }

  /** Ends everything at once. */
  abort(): void {
    this.#stopping = true;
    for (const { process } of this.#seats) process.signal("SIGKILL");
  }
}

function toldOf(group: GroupName, text: string): Told {
  const [, at = "", seq = "", key = ""] = /^(\d+) (\d+) (.*)$/.exec(text) ?? [];
  return { group, at: BigInt(at), seq: Number(seq), key };
}
