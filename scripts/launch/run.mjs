// Starting the command, and being invisible from then on.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname } from "node:path";

/**
 * Flags for every command: `import "tidings"` finds the sources, and node:sqlite does not warn.
 */
export const flags = ["--conditions=tidings-source", "--disable-warning=ExperimentalWarning"];

const passedOn = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Runs the file and answers its exit status, 128 + n where a signal ended it.
 *
 * @param {{ node: string, file: string, args: string[] }} command
 * @returns {Promise<number>}
 */
export function run({ node, file, args }) {
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH ?? ""}`;
  const child = spawn(node, [...flags, file, ...args], { stdio: "inherit", env: { ...process.env, PATH } });
  for (const signal of passedOn) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the whole foreground group, the command included; a second one from here would
      // read as "stop at once".
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}
