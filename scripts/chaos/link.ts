// One connection through the proxy: two sockets, and what goes from each to the other.
import type { Socket } from "node:net";

/** So long what was cut has to send what it still holds. */
const lingerMs = 500;
/** Most bytes that wait in a slow direction before its source has to wait, too. */
const waitingMax = 256 * 1024;

/** What goes in one direction. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  #waiting: { readonly data: Buffer; readonly dueMs: number }[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = 0;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #left: number | undefined;
  #ended = false;
  swallows = false;
  /** How many bytes it has swallowed. */
  swallowed = 0;

  constructor(from: Socket, to: Socket, exhausted: () => void) {
    this.#from = from;
    this.#to = to;
    from.on("data", (data: Buffer) => {
      if (this.swallows) {
        this.swallowed += data.length;
        return;
      }
      this.#waiting.push({ data, dueMs: performance.now() + this.#delayMs });
      this.#waitingBytes += data.length;
      if (this.#waitingBytes > waitingMax) from.pause();
      this.#pass(exhausted);
    });
    from.on("end", () => {
      this.#ended = true;
      if (!this.swallows && this.#waiting.length === 0) to.end();
    });
  }

  /** Sends what is due; in a slow direction a piece at a time. */
  #pass(exhausted: () => void): void {
    if (this.#timer || this.swallows) return;
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0) return this.#later(waitMs, exhausted);
      this.#waiting.shift();
      this.#waitingBytes -= first.data.length;
      if (!this.#send(first.data)) return exhausted();
      const tookMs = (first.data.length / this.#bytesPerSecond) * 1000;
      if (tookMs >= 1) return this.#later(tookMs, exhausted);
    }
    this.#from.resume();
    if (this.#ended) this.#to.end();
  }

  #later(ms: number, exhausted: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pass(exhausted);
    }, ms);
  }

  /** False when the last byte that may pass has passed. */
  #send(data: Buffer): boolean {
    if (this.#left === undefined) {
      this.#to.write(data);
      return true;
    }
    const piece = data.subarray(0, this.#left);
    this.#left -= piece.length;
    this.#to.write(piece);
    return this.#left > 0;
  }

  limit(bytes: number): void {
    this.#left = bytes;
  }

  pace(delayMs: number, bytesPerSecond: number): void {
    this.#delayMs = delayMs;
    this.#bytesPerSecond = bytesPerSecond;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

export class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #directions: readonly Direction[];
  readonly #latencyMs: number;
  #open = 2;

  constructor(client: Socket, server: Socket, latencyMs: number, gone: () => void) {
    this.#latencyMs = latencyMs;
    this.#client = client;
    this.#server = server;
    const exhausted = (): void => {
      // The last bytes leave before the reset.
      setTimeout(() => this.reset(), 5);
    };
    this.#directions = [new Direction(client, server, exhausted), new Direction(server, client, exhausted)];
    this.quick();
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on("error", () => undefined);
      socket.once("close", (hadError) => {
        if (--this.#open === 0) {
          for (const direction of this.#directions) direction.stop();
          gone();
        } else if (!this.swallows && hadError) other.resetAndDestroy();
        else if (!this.swallows) other.end();
      });
    }
  }

  get swallows(): boolean {
    return this.#directions.some((direction) => direction.swallows);
  }

  /** How many bytes of the client were swallowed. */
  get swallowed(): number {
    return this.#directions[0]?.swallowed ?? 0;
  }

  cut(): void {
    this.#client.end();
    this.#server.end();
    setTimeout(() => this.#destroy(), lingerMs).unref();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  swallow(): void {
    for (const direction of this.#directions) direction.swallows = true;
  }

  cutAfter(bytes: number): void {
    for (const direction of this.#directions) direction.limit(bytes);
  }

  slow(delayMs: number, bytesPerSecond: number): void {
    for (const direction of this.#directions) direction.pace(delayMs, bytesPerSecond);
  }

  quick(): void {
    this.slow(this.#latencyMs, Number.POSITIVE_INFINITY);
  }
}
