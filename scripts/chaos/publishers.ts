// The processes that publish, as the harness sees them: what each was answered, and when.
import type { Member } from "../crash/member.ts";
import type { Oracle } from "../crash/oracle.ts";
import type { Complain, Fleet } from "./fleet.ts";
import type { Size } from "./plan.ts";
import type { Publishing } from "./watch.ts";

const publishers = 32;
const processes = 2;

interface Office {
  readonly name: string;
  readonly process: Member;
  lastMs: number;
  over: boolean;
}

export class Publishers implements Publishing {
  /** Numbers of publishes that certainly were not done. */
  readonly refused = new Set<number>();
  /** By code, how often a publish was answered with it. */
  readonly errors = new Map<string, number>();
  readonly #offices: Office[] = [];
  readonly #oracle: Oracle;
  readonly #complain: Complain;
  #events = 0;
  #aborted = false;

  constructor(oracle: Oracle, complain: Complain) {
    this.#oracle = oracle;
    this.#complain = complain;
  }

  /** Resolves when all of them run. */
  async start(fleet: Fleet, url: (n: number) => string, size: Size, spreadMs: number): Promise<void> {
    this.#events = Math.ceil(size.events / publishers);
    for (let n = 0; n < processes; n++) {
      const own = Array.from({ length: publishers }, (_, publisher) => publisher).filter(
        (publisher) => Math.floor((publisher * processes) / publishers) === n,
      );
      const office: Office = {
        name: `publisher process ${n}`,
        process: fleet.publish(
          { url: url(n), own, publishers, events: this.#events, spreadMs },
          {
            acknowledged: (numbers) => {
              office.lastMs = performance.now();
              this.#oracle.note(numbers);
            },
            said: (word, rest) => this.#heard(word, rest),
          },
        ),
        lastMs: 0,
        over: false,
      };
      this.#offices.push(office);
      void office.process.ended.then(({ code, signal, complaint }) => {
        office.over = true;
        if (code !== 0 && !this.#aborted) this.#complain(`${office.name} ended with ${signal ?? code}: ${complaint}`);
      });
    }
    for (const { process } of this.#offices) await process.ready;
  }

  /** Lets them begin; the second time they need wait no longer. */
  signal(): void {
    for (const { process, over } of this.#offices) if (!over) process.signal("SIGUSR2");
  }

  #heard(word: string, rest: string): void {
    if (word === "refused") this.refused.add(Number(rest));
    else if (word === "error") this.errors.set(rest, (this.errors.get(rest) ?? 0) + 1);
  }

  /** How many there are, and how many events each has. */
  get counts(): { readonly publishers: number; readonly events: number } {
    return { publishers, events: this.#events };
  }

  silentSince(ms: number): readonly string[] {
    return this.#offices.flatMap(({ name, lastMs, over }) => (over || lastMs > ms ? [] : [name]));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#offices.map(({ process }) => process.ended));
  }

  abort(): void {
    this.#aborted = true;
    for (const { process, over } of this.#offices) if (!over) process.signal("SIGKILL");
  }
}
