import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { outputOf } from "../session.ts";

/** `tidings version`. */
export function configure(command: Command): void {
  command.addHelpText("before", "Examples:\n  tidings version\n").action(async () => {
    const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(manifest) as { version: string };
    const { node } = process.versions;
    await outputOf(command).result({ version, node }, () => `tidings ${version} (node ${node})\n`);
  });
}
