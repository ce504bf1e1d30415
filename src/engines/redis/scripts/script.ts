import { hash } from "node:crypto";

/**
 * A script of the server. Its effects are one unit for every other client, for the append-only file and for replicas. What fails
 * in its midst is not undone, so that a script looks at everything before it writes anything.
 */
export interface Script {
  readonly text: string;
  /** What the server keeps it under. */
  readonly sha: string;
}

/** `flags` as in https://redis.io/docs/latest/develop/programmability/lua-api/#script_flags */
export function scriptOf(body: string, flags = ""): Script {
  const text = `#!lua${flags === "" ? "" : ` flags=${flags}`}\n${body.trim()}\n`;
  return { text, sha: hash("sha1", text) };
}
