import type { Command, SnapshotPart } from "./command.ts";

type Fields = Readonly<Record<string, unknown>>;
type Kind = "string" | "number" | "string?" | "number?";

/** What the parts of a command must have; `?` may be null. */
const shapes = {
  fences: { lease: "string", token: "number" },
  checks: { collection: "string", key: "string", version: "number" },
  documents: { collection: "string", key: "string", value: "string?" },
  timers: { queue: "string", key: "string", dueAtMs: "number?" },
  requests: { name: "string", owner: "string", ttlMs: "number" },
  leases: { name: "string", owner: "string", token: "number" },
  part: { v: "number", snapshot: "string", at: "number", part: "number", parts: "number", text: "string" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Kind>>>>;

const lists = new Map<unknown, readonly (keyof typeof shapes)[]>([
  ["write", ["fences", "checks", "documents", "timers"]],
  ["acquire", ["requests"]],
  ["renew", ["leases"]],
  ["release", ["leases"]],
]);

/** Whether it is a command: others may write to the topic, and what cannot be applied would stop every member. */
export function isCommand(value: unknown): value is Command {
  const names = isFields(value) ? lists.get(value["op"]) : undefined;
  if (!isFields(value) || !names) return false;
  if (value["op"] === "renew" && typeof value["ttlMs"] !== "number") return false;
  return names.every((name) => {
    const list = value[name];
    return Array.isArray(list) && list.every((each) => has(each, shapes[name]));
  });
}

/** Whether it is a part of a snapshot. */
export const isPart = (value: unknown): value is SnapshotPart => has(value, shapes.part);

export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

function has(value: unknown, shape: Readonly<Record<string, Kind>>): boolean {
  if (!isFields(value)) return false;
  return Object.entries(shape).every(([name, kind]) => {
    const found = value[name];
    return kind.endsWith("?") ? found === null || typeof found === kind.slice(0, -1) : typeof found === kind;
  });
}
