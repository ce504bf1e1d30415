// A server that is killed, stopped and started again: one of scripts/services, with data of its own in a temporary folder.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Dice } from "../../examples/shop/random.ts";
import { execute } from "../services/execute.ts";
import { beginningOf } from "../services/records.ts";
import type { Place, Service, Start } from "../services/service.ts";

/** A fault that only servers of one kind have. */
export interface OwnFault {
  readonly name: string;
  /** Resolves when the fault is over; whatever it was that it did. */
  inflict(chance: Dice): Promise<string>;
}

/** How long the client of an engine waits. */
export interface Limits {
  /** For the answer to a request. */
  readonly requestTimeoutMs: number;
  /** For a server that is away, until a call is refused; the engine's own unless given. */
  readonly busyTimeoutMs?: number;
}

/** What the harness needs to know of an engine: one file for each beside this one, and a line in `catalog.ts`. */
export interface ServerKind {
  /** The name of the engine. */
  readonly name: string;
  readonly service: Service;
  /** Else members keep their state in a file. */
  readonly holdsState: boolean;
  /** More arguments for the server's program. */
  readonly args: readonly string[];
  /** The address of the application for a server that is reached through this port. */
  url(server: RunningServer, port: number, limits: Limits): string;
  ownFaults(server: RunningServer): readonly OwnFault[];
}

/** The address of a service with another port, and with options of the engine. */
export function addressOf(address: string, port: number, options: Readonly<Record<string, string | number>>): string {
  const url = new URL(address);
  url.port = String(port);
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, String(value));
  return url.href;
}

const readyMs = 60_000;

export class RunningServer {
  readonly place: Place;
  readonly kind: ServerKind;
  #start: Start | undefined;
  #child: ChildProcess | undefined;
  #stopped: readonly number[] = [];
  readonly #atExit = (): void => {
    this.#signalAll("SIGKILL");
    rmSync(this.place.home, { recursive: true, force: true, maxRetries: 5 });
  };

  private constructor(kind: ServerKind, place: Place) {
    this.kind = kind;
    this.place = place;
    process.once("exit", this.#atExit);
  }

  /** Makes the data of a server and starts it. Throws a sentence when the program is not installed. */
  static async open(kind: ServerKind): Promise<RunningServer> {
    const program = kind.service.find();
    if (program === undefined)
      throw new Error(`${kind.name} is not installed: npm run services -- up ${kind.service.name} installs it.`);
    const server = new RunningServer(kind, await placeFor(kind.service));
    const { program: found, args } = await kind.service.prepare(server.place, program);
    server.#start = { program: found, args: [...args, ...kind.args] };
    await server.start();
    return server;
  }

  /** Where the server itself is, past any proxy. */
  get port(): number {
    return this.place.port;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const { home, user } = this.place;
    const { program, args } = this.#start as Start;
    const log = openSync(join(home, "server.log"), "a", 0o600);
    const as = user === undefined ? {} : { uid: user.uid, gid: user.gid };
    this.#child = spawn(program, args, { ...as, cwd: home, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child.on("error", () => undefined);
    for (const until = performance.now() + readyMs; ; await sleep(50)) {
      const answered = await this.kind.service.ask(this.place).then(
        () => true,
        () => false,
      );
      if (answered) return;
      if (this.#child.exitCode !== null || performance.now() > until)
        throw new Error(`${this.kind.name} does not answer:\n${this.logEnd()}`);
    }
  }

  /** SIGKILL to all its processes, at once. Resolves when none is left. */
  async kill(): Promise<void> {
    const pids = this.pids();
    const child = this.#child;
    // One that was not fetched yet has a number still, and the next server takes it for one that runs on its data.
    const fetched = child && child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
    this.#signalAll("SIGKILL");
    await fetched;
    while (pids.some((pid) => beginningOf(pid) !== undefined)) await sleep(10);
    this.#child = undefined;
  }

  /** SIGSTOP to all its processes: to the others it looks as a machine that hangs. */
  pause(): void {
    // Its first process begins no others when it stands.
    this.#stopped = this.#signalAll("SIGSTOP");
  }

  resume(): void {
    for (const pid of this.#stopped) signal(pid, "SIGCONT");
    this.#stopped = [];
  }

  #signalAll(name: "SIGKILL" | "SIGSTOP"): readonly number[] {
    const signalled = new Set<number>();
    for (let fresh = this.pids(); fresh.length > 0;) {
      for (const pid of fresh) {
        signal(pid, name);
        signalled.add(pid);
      }
      if (name === "SIGKILL") break;
      fresh = this.pids().filter((pid) => !signalled.has(pid));
    }
    return [...signalled];
  }

  /** Its processes, the first one in front. */
  pids(): readonly number[] {
    const root = this.#child?.pid;
    return root === undefined ? [] : [root, ...childrenOf(root)];
  }

  logEnd(): string {
    return readFileSync(join(this.place.home, "server.log"), "utf8").trimEnd().split("\n").slice(-15).join("\n");
  }

  async close(): Promise<void> {
    this.resume();
    await this.kill();
    process.removeListener("exit", this.#atExit);
    rmSync(this.place.home, { recursive: true, force: true });
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(ppid) === parent && state !== "Z" ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

async function placeFor(service: Service): Promise<Place> {
  const home = mkdtempSync(join(tmpdir(), `tidings-chaos-${service.name}-`));
  chmodSync(home, 0o700);
  const port = await freePort();
  if (process.getuid?.() !== 0 || service.userForRoot === undefined) return { home, port };
  const [uid, gid] = [
    Number(await execute("id", ["-u", service.userForRoot])),
    Number(await execute("id", ["-g", service.userForRoot])),
  ];
  chownSync(home, uid, gid);
  return { home, port, user: { name: service.userForRoot, uid, gid } };
}

/** Below the ports that the kernel gives to whoever connects: while the server is down, nobody else comes to sit there. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}
