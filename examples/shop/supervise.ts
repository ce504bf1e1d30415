// Runs the shop in processes of its own, ends them by SIGKILL at random moments, and starts them again.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type Duty, dutyVariable, type FromShop, type FromSupervisor } from "./link.ts";
import type { Options } from "./options.ts";
import { dice } from "./random.ts";

/** One place among the processes, and the process that fills it now. */
class Place {
  readonly leads: boolean;
  restarted = false;
  child!: ChildProcess;
  exited!: Promise<unknown>;
  /** Resolves when its services run, or when it is gone. */
  ready!: Promise<void>;

  constructor(leads: boolean) {
    this.leads = leads;
  }

  tell(message: FromSupervisor): void {
    // It may have been killed a moment ago; what replaces it will ask again.
    if (this.child.connected) this.child.send(message, () => undefined);
  }
}

export class Supervisor {
  readonly #argv: readonly string[];
  readonly #options: Options;
  readonly #beganMs = Date.now();
  readonly #places: readonly Place[];
  readonly #ended = Promise.withResolvers<number>();
  /** Resolves when the lead has nothing left to do but print; a new one for each lead. */
  #leadDone = Promise.withResolvers<void>();
  #leadWaits = false;
  /** How long a process took to be ready, last time: on a slow machine kills must wait longer to hit any work. */
  #startMs = 300;
  #kills = 0;
  #mended = false;
  #stopping = false;

  constructor(argv: readonly string[], options: Options) {
    this.#argv = argv;
    this.#options = options;
    this.#places = Array.from({ length: options.processes }, (_, index) => new Place(index === 0));
  }

  /** Resolves with the exit status of the process that feeds and sums up. */
  run(signal: AbortSignal): Promise<number> {
    signal.addEventListener("abort", () => void this.#stop(130), { once: true });
    for (const place of this.#places) this.#start(place);
    if (signal.aborted) void this.#stop(130);
    void this.#killAll();
    return this.#ended.promise;
  }

  #start(place: Place): void {
    const { leads, restarted } = place;
    const duty: Duty = { leads, mended: this.#mended, restarted, beganMs: this.#beganMs };
    const env = { ...process.env, [dutyVariable]: JSON.stringify(duty) };
    const child = fork(join(import.meta.dirname, "main.ts"), this.#argv, { env });
    const ready = Promise.withResolvers<void>();
    const beganMs = performance.now();
    place.child = child;
    place.ready = ready.promise;
    if (place.leads) {
      this.#leadWaits = false;
      this.#leadDone = Promise.withResolvers();
    }
    child.on("message", (message: FromShop) => {
      if (message === "ready") {
        this.#startMs = performance.now() - beganMs;
        ready.resolve();
      } else if (message === "mend") this.#mend(place);
      else this.#leadIsDone();
    });
    child.once("exit", (code, killedBy) => {
      ready.resolve();
      if (this.#stopping) return;
      place.restarted = true;
      if (killedBy === "SIGKILL") this.#start(place);
      // A helper has no reason to end before it is told to; the lead ends when the work is done.
      else void this.#stop(place.leads ? (code ?? 1) : (code ?? 0) || 1);
    });
    place.exited = once(child, "exit");
  }

  #mend(asking: Place): void {
    this.#mended = true;
    for (const place of this.#places) place.tell("mend");
    asking.tell("mended");
  }

  #leadIsDone(): void {
    this.#leadWaits = true;
    this.#leadDone.resolve();
    if (this.#kills >= this.#options.kills) this.#places[0]?.tell("finish");
  }

  /** Each kill hits one process: mostly when its services have run for a moment, now and then while it starts. */
  async #killAll(): Promise<void> {
    const chance = dice(`${this.#options.seed}/kills`);
    while (this.#kills < this.#options.kills && !this.#stopping) {
      const place = chance.pick(this.#places);
      if (chance.next() < 0.8) await place.ready;
      // A lead that is through must not make the rest of the kills wait.
      await Promise.race([sleep(chance.next() * this.#startMs * 1.5), this.#leadDone.promise]);
      if (this.#stopping) return;
      this.#kills++;
      const which = `process ${this.#places.indexOf(place) + 1} of ${this.#places.length}`;
      process.stderr.write(`kill ${this.#kills} of ${this.#options.kills}: ${which}\n`);
      const { exited } = place;
      place.child.kill("SIGKILL");
      await exited;
    }
    if (this.#leadWaits) this.#places[0]?.tell("finish");
  }

  async #stop(status: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const { child } of this.#places) child.kill("SIGTERM");
    await Promise.all(this.#places.map(({ exited }) => exited));
    this.#ended.resolve(status);
  }
}
