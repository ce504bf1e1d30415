import type { Message } from "amqplib";

/** What this process knows of streams: how far they were seen to reach, and which of its own events are in them. */
export class Known {
  readonly #instance: string;
  readonly #offsets = new Map<string, number>();
  readonly #own = new Map<string, number>();

  /** `instance` is what the marks of our messages begin with; no other process's do. */
  constructor(instance: string) {
    this.#instance = `${instance}-`;
  }

  /** What the message of our event of that number is known by, in its stream. Numbers rise in each stream. */
  markOf(number: number): string {
    return this.#instance + number.toString(36);
  }

  /** The number of our event that a message has; undefined when it is not ours, or when we write nothing to the stream. */
  numberOf(queue: string, message: Message): number | undefined {
    if (!this.#own.has(queue)) return undefined;
    const mark: unknown = message.properties.messageId;
    return typeof mark === "string" && mark.startsWith(this.#instance)
      ? Number.parseInt(mark.slice(this.#instance.length), 36)
      : undefined;
  }

  /** A stream was seen to reach so far. */
  seen(queue: string, offset: number): void {
    const known = this.#offsets.get(queue);
    if (known === undefined || known < offset) this.#offsets.set(queue, offset);
  }

  /** An offset that a stream had, if any was seen. */
  offset(queue: string): number | undefined {
    return this.#offsets.get(queue);
  }

  /** We are about to write to a stream. */
  writes(queue: string): void {
    if (!this.#own.has(queue)) this.#own.set(queue, 0);
  }

  /** Our event of that number is in the stream. */
  stored(queue: string, number: number): void {
    if ((this.#own.get(queue) ?? 0) < number) this.#own.set(queue, number);
  }

  /** The number of our last event that is known to be in a stream; 0 when there is none. */
  own(queue: string): number {
    return this.#own.get(queue) ?? 0;
  }
}
