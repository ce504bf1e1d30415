import type { Command } from "commander";

/** A command: what `tidings --help` says of it, and the module that knows the rest. */
export interface CatalogEntry {
  /** `["topic", "ls"]`. */
  readonly path: readonly [string] | readonly [string, string];
  readonly summary: string;
  readonly load: () => Promise<{ configure(command: Command): void }>;
}

/** What the groups are about. */
export const groups: Readonly<Record<string, string>> = {
  topic: "list, show and create topics",
  event: "find single events",
  sub: "look at subscriptions; pause, resume and move them",
  breaker: "look at circuit breakers; open and close them by hand",
  dlq: "look at dead letters; mend, redrive and discard them",
  outbox: "look at what is on its way from the store to the broker",
  engine: "facts about the engine, and its verification",
  test: "try your services against crashes and faults, in memory",
};

/** All commands, in the order of the help. A module is loaded when its command is asked for, since most are not. */
export const catalog: readonly CatalogEntry[] = [
  { path: ["publish"], summary: "publish events", load: () => import("./commands/publish.ts") },
  { path: ["tail"], summary: "print events, and follow topics", load: () => import("./commands/tail.ts") },
  { path: ["topic", "ls"], summary: "list topics", load: () => import("./commands/topic-ls.ts") },
  { path: ["topic", "show"], summary: "show one topic", load: () => import("./commands/topic-show.ts") },
  { path: ["topic", "create"], summary: "create a topic", load: () => import("./commands/topic-create.ts") },
  {
    path: ["event", "get"],
    summary: "find an event by its id, with its causes and effects",
    load: () => import("./commands/event-get.ts"),
  },
  { path: ["sub", "ls"], summary: "list subscriptions", load: () => import("./commands/sub-ls.ts") },
  { path: ["sub", "show"], summary: "show one subscription", load: () => import("./commands/sub-show.ts") },
  { path: ["sub", "lag"], summary: "how far subscriptions are behind", load: () => import("./commands/sub-lag.ts") },
  { path: ["sub", "keys"], summary: "list held keys", load: () => import("./commands/sub-keys.ts") },
  { path: ["sub", "pause"], summary: "pause a subscription or one key", load: () => import("./commands/sub-pause.ts") },
  { path: ["sub", "resume"], summary: "let it go on", load: () => import("./commands/sub-resume.ts") },
  { path: ["sub", "seek"], summary: "begin again at another place", load: () => import("./commands/sub-seek.ts") },
  { path: ["breaker", "ls"], summary: "list circuit breakers", load: () => import("./commands/breaker-ls.ts") },
  {
    path: ["breaker", "open"],
    summary: "let what uses it wait",
    load: () => import("./commands/breaker-open.ts"),
  },
  {
    path: ["breaker", "close"],
    summary: "let it go on without a probe",
    load: () => import("./commands/breaker-close.ts"),
  },
  { path: ["dlq", "ls"], summary: "list dead letters", load: () => import("./commands/dlq-ls.ts") },
  { path: ["dlq", "groups"], summary: "group them by fault", load: () => import("./commands/dlq-groups.ts") },
  { path: ["dlq", "show"], summary: "show one with its story", load: () => import("./commands/dlq-show.ts") },
  { path: ["dlq", "edit"], summary: "redrive a mended copy", load: () => import("./commands/dlq-edit.ts") },
  { path: ["dlq", "redrive"], summary: "send them back", load: () => import("./commands/dlq-redrive.ts") },
  { path: ["dlq", "redrives"], summary: "list redrives", load: () => import("./commands/dlq-redrives.ts") },
  { path: ["dlq", "redrive-show"], summary: "show one redrive", load: () => import("./commands/dlq-redrive-show.ts") },
  { path: ["dlq", "redrive-pause"], summary: "pause one", load: () => import("./commands/dlq-redrive-pause.ts") },
  { path: ["dlq", "redrive-resume"], summary: "let it go on", load: () => import("./commands/dlq-redrive-resume.ts") },
  {
    path: ["dlq", "redrive-cancel"],
    summary: "stop it for good",
    load: () => import("./commands/dlq-redrive-cancel.ts"),
  },
  { path: ["dlq", "discard"], summary: "close them without handling", load: () => import("./commands/dlq-discard.ts") },
  { path: ["dlq", "undo"], summary: "undo a discard", load: () => import("./commands/dlq-undo.ts") },
  { path: ["outbox", "ls"], summary: "what is not sent yet, and why", load: () => import("./commands/outbox-ls.ts") },
  {
    path: ["outbox", "retry"],
    summary: "send a parked event again",
    load: () => import("./commands/outbox-retry.ts"),
  },
  { path: ["outbox", "discard"], summary: "give it up", load: () => import("./commands/outbox-discard.ts") },
  { path: ["doctor"], summary: "look for what is wrong", load: () => import("./commands/doctor.ts") },
  {
    path: ["engine", "adopt"],
    summary: "put this store in the place of one that is gone",
    load: () => import("./commands/engine-adopt.ts"),
  },
  { path: ["engine", "info"], summary: "facts about the engine", load: () => import("./commands/engine-info.ts") },
  { path: ["engine", "verify"], summary: "check everything stored", load: () => import("./commands/engine-verify.ts") },
  {
    path: ["test", "crash"],
    summary: "kill every handler at every crash point, in memory",
    load: () => import("./commands/test-crash.ts"),
  },
  {
    path: ["test", "sim"],
    summary: "run a file's services under simulated faults",
    load: () => import("./commands/test-sim.ts"),
  },
  { path: ["explain"], summary: "what an error code means", load: () => import("./commands/explain.ts") },
  { path: ["version"], summary: "print the version", load: () => import("./commands/version.ts") },
];
