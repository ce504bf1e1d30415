import { type App, hasCode } from "tidings";

/** When nothing has moved for so long, nothing will: a machine that is busy is slow, and not that slow. */
const quietMs = 20_000;

/**
 * Resolves with true when everything is handled, and with false when what is left stands still: then the process ends all
 * the same, so that the checks can say what is left.
 */
export async function comeToRest(app: App): Promise<boolean> {
  let before = "";
  for (let since = performance.now(); performance.now() - since < quietMs;) {
    try {
      await app.settled({ timeoutMs: 1_000 });
      return true;
    } catch (error) {
      if (!hasCode(error, "TIDINGS_NOT_SETTLED")) throw error;
    }
    const { subscriptions } = await app.totals();
    const now = JSON.stringify(subscriptions.map(({ handled, held, discarded, filtered, unknown, pending }) => [
      handled, held, discarded, filtered, unknown, pending,
    ])); // prettier-ignore
    if (now !== before) since = performance.now();
    before = now;
  }
  process.stderr.write("Nothing moves any more, and not everything is handled.\n");
  return false;
}
