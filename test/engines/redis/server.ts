import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createClient } from "@redis/client";

import { afterwards } from "../../lib/afterwards.ts";
import { until } from "./support.ts";

/** What the engine asks of a server. */
export const synced = { appendonly: "yes", appendfsync: "always", save: "" } as const;

/** A server of a test's own, on a free port, which can be killed and started again. */
export class OwnServer {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, settings: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#settings = settings;
  }

  static async start(t: TestContext, settings: Readonly<Record<string, string>> = synced): Promise<OwnServer> {
    const folder = mkdtempSync(join(tmpdir(), "tidings-redis-"));
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const server = new OwnServer(await freePort(), folder, args);
    afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
    afterwards(t, () => server.kill());
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const args = ["--bind", "127.0.0.1", "--port", String(this.port), "--dir", this.#folder, ...this.#settings];
    this.#process = spawn("redis-server", args, { stdio: "ignore" });
    await until("the server answers", () => this.#answers());
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const [killed] = [this.#process];
    this.#process = undefined;
    if (!killed || killed.exitCode !== null) return;
    const gone = once(killed, "exit");
    killed.kill("SIGKILL");
    await gone;
  }

  /** Stops or continues the process, which keeps its connections. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  async #answers(): Promise<boolean> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false, connectTimeout: 1000 } });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.ping();
      return true;
    } catch (error) {
      // One that asks for a password answers, too.
      return /NOAUTH/.test(String(error));
    } finally {
      client.destroy();
    }
  }
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
