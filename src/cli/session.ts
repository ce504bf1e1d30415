import { existsSync, readdirSync } from "node:fs";
import { userInfo } from "node:os";
import type { Command } from "commander";
import { TidingsError } from "../errors/tidings-error.ts";
import { type Admin, createAdmin } from "../admin/admin.ts";
import { engineOfUrl } from "../app/engines.ts";
import { defaultMemberId, releaseDead } from "../app/member-id.ts";
import { composedOf } from "../app/open-engine.ts";
import type { Platform } from "../platform/platform.ts";
import { canKeepJournal, journaledEngine } from "../journal/journaled.ts";
import type { Engine } from "../ports/engine.ts";
import { systemPlatform } from "../platform/system.ts";
import { interruption } from "./interruption.ts";
import { createOutput, type Output } from "./output.ts";
import { parseDuration, usage } from "./values.ts";

/** Options that every command has. */
export interface GlobalOptions {
  readonly url?: string;
  readonly store?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color?: "auto" | "always" | "never";
  readonly timeout?: string;
}

/** What a command works with. */
export interface Session {
  readonly admin: Admin;
  readonly out: Output;
  readonly platform: Platform;
  /** Aborts at Ctrl-C, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
}

/** What a command does to the engine. */
export type Access = "read" | "change" | "create";

/** The output of a command that needs no engine. */
export function outputOf(command: Command): Output {
  const { json = false, quiet = false, color = "auto" } = command.optsWithGlobals<GlobalOptions>();
  return createOutput({ json, quiet, color });
}

/** Opens the engine that the command line names, for as long as the work takes. */
export async function withSession(
  command: Command,
  access: Access,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration("--timeout", options.timeout);
  const platform = systemPlatform();
  const engine = await openFor(access, urlOf(options.url), storeUrlOf(options.store), platform);
  try {
    const admin = createAdmin({
      engine,
      platform,
      by: `${userName()} (tidings CLI)`,
      memberId: defaultMemberId(platform),
      source: "/tidings/cli",
      freeDead: () => (access === "read" ? Promise.resolve(0) : releaseDead(engine)),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    await work({ admin, out: outputOf(command), platform, signal: interruption.signal });
  } finally {
    await engine.close();
  }
}

/** Opens the engine, or broker and store as one. */
async function openFor(access: Access, url: string, store: string | undefined, platform: Platform): Promise<Engine> {
  const readOnly = access === "read";
  const open = async (named: string): Promise<Engine> => {
    if (access !== "create") requireFile(named);
    const factory = await engineOfUrl(named, readOnly ? { readOnly } : {});
    return factory.open({ platform });
  };
  if (store === undefined) {
    const engine = await open(url);
    return canKeepJournal(engine) ? journaledEngine(engine, platform) : engine;
  }
  return composedOf(
    () => open(url),
    () => open(store),
    { readOnly },
  );
}

function storeUrlOf(asked: string | undefined): string | undefined {
  const url = asked ?? process.env["TIDINGS_STORE"];
  if (url === undefined || url === "") return undefined;
  return refuseMemory(url);
}

function urlOf(asked: string | undefined): string {
  const url = asked ?? process.env["TIDINGS_URL"];
  if (url === undefined || url === "") throw noUrl();
  return refuseMemory(url);
}

function refuseMemory(url: string): string {
  if (!url.startsWith("memory:")) return url;
  throw usage(
    "The memory engine lives inside one process; the command line cannot look into it. Name a file: --url sqlite:shop.db.",
  );
}

function noUrl(): TidingsError {
  const files = readdirSync(".").filter((name) => name.endsWith(".db"));
  const example =
    files.length > 0
      ? files
          .slice(0, 3)
          .map((name) => `--url sqlite:${name}`)
          .join(" or ")
      : "--url sqlite:shop.db";
  return usage(`Which engine? Give ${example}, or set TIDINGS_URL.`);
}

/** Opening for writing makes a file that is not there; only creating a topic may do that. */
function requireFile(url: string): void {
  const path = /^sqlite:(?:\/\/(?=\/))?([^?#]+)/i.exec(url)?.[1];
  if (path === undefined || existsSync(decodeURIComponent(path))) return;
  throw new TidingsError(
    "TIDINGS_NOT_FOUND",
    `There is no file ${decodeURIComponent(path)}; \`tidings topic create\` and starting an application make one.`,
    { details: { path } },
  );
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "somebody");
  }
}
