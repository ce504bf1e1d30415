import type { ErrorCode } from "../../errors/codes.ts";
import type { RetentionRule } from "../../ports/topics.ts";
import type { BindingName } from "./binding.ts";

/** What a thread is started with. */
export interface ThreadData {
  readonly role: "maintain" | "verify";
  readonly realPath: string;
  readonly binding: BindingName;
  readonly readOnly: boolean;
  readonly walRestartBytes: number;
  readonly walBytesMax: number;
}

/** What the main thread asks the checkpoint thread for. */
export type Request =
  | { readonly kind: "checkpoint" }
  | { readonly kind: "retain"; readonly job: number; readonly logs: readonly number[]; readonly rule: RetentionRule }
  | { readonly kind: "forget"; readonly job: number; readonly beforeMs: number }
  | { readonly kind: "close"; readonly checkpoint: boolean };

/** A failure on its way between threads. */
export interface ThreadFailure {
  readonly message: string;
  /** Set when it is an error of ours. */
  readonly code?: ErrorCode;
  /** The disk failed: nothing may be written any more. */
  readonly io?: boolean;
}

/** What the threads answer. */
export type Answer =
  /** The log is about to begin anew: please write nothing until the next `wal`. */
  | { readonly kind: "pause" }
  /** What the log holds after a checkpoint; `blocked` when a reader keeps it from beginning anew. */
  | { readonly kind: "wal"; readonly bytes: number; readonly blocked: boolean; readonly failure?: ThreadFailure }
  | { readonly kind: "done"; readonly job: number; readonly count: number; readonly failure?: ThreadFailure }
  | { readonly kind: "progress"; readonly checked: number }
  | { readonly kind: "problem"; readonly place: string; readonly problem: string }
  | { readonly kind: "verified"; readonly checked: number; readonly failure?: ThreadFailure }
  | { readonly kind: "closed" };
