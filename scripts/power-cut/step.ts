// What a recorded run did to its disk, and what it said, in the order in which the kernel heard of it.

/** Something that a process asked of the kernel. Names are those in the recorded folder. */
export type Call =
  | { readonly kind: "create"; readonly name: string }
  | { readonly kind: "write"; readonly name: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly name: string; readonly size: number }
  | { readonly kind: "sync"; readonly name: string }
  | { readonly kind: "sync-folder" }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "mark"; readonly text: string };

/** A call, and when it was made and answered: places in the trace, at which nothing else stands. */
export interface Step {
  readonly begun: number;
  /** Infinity when it was not answered. */
  readonly ended: number;
  readonly call: Call;
}
