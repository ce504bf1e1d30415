import type { Platform } from "../platform/platform.ts";
import type { ComposedEngine } from "./composed.ts";

/** Where an outbox says what it does; the shape of pino. */
export interface RelayLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What an outbox works with. */
export interface OutboxOptions {
  readonly engine: ComposedEngine;
  readonly platform: Platform;
  readonly log: RelayLog;
  /** Name of this process among the members. */
  readonly memberId: string;
  /** How long a member that fell silent keeps what it relays, in milliseconds. */
  readonly ttlMs: number;
}
