import { passwordIn } from "../../lib/password-file.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { type Client, clientOf, type Library } from "./client.ts";
import { failureKind, LostError } from "./failure.ts";
import type { Settings } from "./options.ts";
import type { Script } from "./scripts/script.ts";

/** A text or bytes, as arguments of a command. */
export type Argument = string | Buffer;

/** How long a connection that is given up may take to say so, as a part of the time that an answer may take. */
const looksPerTimeout = 4;

/**
 * One connection, from its making to its end; it is never made again. A call on it is answered, refused by the server, or
 * rejects with a LostError: then nobody knows whether it took effect.
 */
export class Connection {
  readonly client: Client;
  readonly #library: Library;
  readonly #platform: Platform;
  readonly #timeoutMs: number;
  readonly #buffers: { typeMapping: Record<number, unknown> };
  #lost: LostError | undefined;
  #outstanding = 0;
  /** Since when an answer is waited for, by the monotonic clock. */
  #waitsSinceMs = 0;
  #cancelWatch: CancelTimer | undefined;
  #onLost: (() => void)[] = [];

  private constructor(library: Library, client: Client, settings: Settings, platform: Platform) {
    this.#library = library;
    this.client = client;
    this.#platform = platform;
    this.#timeoutMs = settings.requestTimeoutMs;
    this.#buffers = { typeMapping: { [library.RESP_TYPES.BLOB_STRING]: Buffer } };
  }

  /** Connects, and logs in. Rejects with what the client or the server says. */
  static async make(library: Library, settings: Settings, platform: Platform): Promise<Connection> {
    const { passwordFile, address } = settings;
    const password = passwordFile === undefined ? undefined : await passwordIn(passwordFile, address);
    const client = clientOf(library, settings, password);
    const connection = new Connection(library, client, settings, platform);
    // An error without a listener would end the process.
    client.on("error", (error: Error) => connection.#end(error.message));
    client.on("end", () => connection.#end("it was closed"));
    // The client waits for its greeting for ever.
    const stop = platform.clock.after(settings.connectTimeoutMs, () => connection.giveUp("the greeting took too long"));
    try {
      await client.connect();
    } catch (error) {
      connection.giveUp("it was not made");
      throw withoutAnswer(error, settings);
    } finally {
      stop();
    }
    return connection;
  }

  /** Whether it has not ended, as far as is known. */
  get alive(): boolean {
    return this.#lost === undefined;
  }

  /** Called when it has ended, at once when it has. */
  onLost(listener: () => void): void {
    if (this.#lost) listener();
    else this.#onLost.push(listener);
  }

  /** Sends a command. With `bytes`, texts of the answer are buffers. */
  send<Reply>(args: readonly Argument[], bytes = false): Promise<Reply> {
    if (this.#lost) return Promise.reject(this.#lost);
    if (this.#outstanding++ === 0) this.#watch();
    return this.client
      .sendCommand(args, (bytes ? this.#buffers : undefined) as Parameters<Client["sendCommand"]>[1])
      .then(this.#answered, this.#refused) as Promise<Reply>;
  }

  /** Runs a script, which is given to the server where it does not know it. For what may be done twice. */
  async run<Reply>(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const command = ["EVALSHA", script.sha, String(keys.length), ...keys, ...args];
    try {
      return await this.send<Reply>(command);
    } catch (error) {
      if (failureKind(error) !== "unloaded") throw error;
      await this.load(script);
      return this.send<Reply>(command);
    }
  }

  async load({ text }: Script): Promise<void> {
    await this.send(["SCRIPT", "LOAD", text]);
  }

  /** Ends it at once. */
  giveUp(why: string): void {
    this.#end(why);
    this.client.destroy();
  }

  readonly #answered = (reply: unknown): unknown => {
    this.#outstanding--;
    this.#waitsSinceMs = this.#platform.clock.monotonic();
    return reply;
  };

  readonly #refused = (error: unknown): never => {
    this.#outstanding--;
    this.#waitsSinceMs = this.#platform.clock.monotonic();
    if (error instanceof this.#library.ErrorReply) throw error;
    throw this.#lost ?? new LostError((error as Error).message);
  };

  /** Answers come in the order of the commands: while some come, all is well. */
  #watch(): void {
    const { clock } = this.#platform;
    this.#waitsSinceMs = clock.monotonic();
    if (this.#cancelWatch) return;
    const look = (): void => {
      this.#cancelWatch = undefined;
      if (this.#outstanding === 0 || this.#lost) return;
      if (clock.monotonic() - this.#waitsSinceMs >= this.#timeoutMs)
        return this.giveUp(`no answer for ${this.#timeoutMs} ms`);
      this.#cancelWatch = clock.after(this.#timeoutMs / looksPerTimeout, look, true);
    };
    this.#cancelWatch = clock.after(this.#timeoutMs / looksPerTimeout, look, true);
  }

  #end(why: string): void {
    if (this.#lost) return;
    this.#lost = new LostError(why);
    this.#cancelWatch?.();
    for (const listener of this.#onLost.splice(0)) listener();
  }
}

/** Somebody else's server may close a connection without a word; nothing of ours was sent by then. */
function withoutAnswer(error: unknown, { connectTimeoutMs }: Settings): unknown {
  if (failureKind(error) !== "other") return error;
  const { message } = error as Error;
  return message === "" ? new Error(`Connection timeout after ${connectTimeoutMs} ms`, { cause: error }) : error;
}
