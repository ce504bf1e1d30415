import type { Entry } from "./entry.ts";

/** So many streams are looked ahead in at most, and pages larger than this are not. */
const streamsMax = 16;
const bytesMax = 2 * 1024 * 1024;

interface Looked {
  readonly position: number;
  readonly entries: Promise<readonly Entry[]>;
}

/**
 * Has the next page of a stream on its way while the last one is worked on. What stands at a position never changes; that
 * nothing stands there does, so that an empty or a short answer is good for nothing.
 */
export class LookAhead {
  readonly #ask: (stream: string, position: number, count: number) => Promise<readonly Entry[]>;
  readonly #looked = new Map<string, Looked>();

  constructor(ask: (stream: string, position: number, count: number) => Promise<readonly Entry[]>) {
    this.#ask = ask;
  }

  look(stream: string, position: number, count: number, bytes: number): void {
    this.#looked.delete(stream);
    if (bytes > bytesMax) return;
    const entries = this.#ask(stream, position, count);
    // Whoever wants it asks again.
    entries.catch(() => undefined);
    this.#looked.set(stream, { position, entries });
    const [oldest] = this.#looked.keys();
    if (this.#looked.size > streamsMax && oldest !== undefined) this.#looked.delete(oldest);
  }

  /** The entries from there on, if they were looked for. */
  take(stream: string, position: number): Promise<readonly Entry[]> | undefined {
    const looked = this.#looked.get(stream);
    this.#looked.delete(stream);
    return looked?.position === position ? looked.entries : undefined;
  }
}
