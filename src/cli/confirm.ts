import { createInterface } from "node:readline/promises";
import { TidingsError } from "../errors/tidings-error.ts";

/**
 * Asks before something that cannot be taken back. With `--yes` it does not ask; where nobody can answer it refuses,
 * so that nothing waits for ever in a script. Throws TIDINGS_CONFIRMATION_NEEDED.
 */
export async function confirm(what: string, yes: boolean | undefined, signal: AbortSignal): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new TidingsError("TIDINGS_CONFIRMATION_NEEDED", `${what} Look with --dry-run, then repeat it with --yes.`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${what} Go on? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new TidingsError("TIDINGS_CONFIRMATION_NEEDED", "Nothing was done.");
  } finally {
    prompt.close();
  }
}
