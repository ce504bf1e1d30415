// What the launcher says, always on the standard error.

/** A failure that its sentence explains completely; no stack is printed. */
export class LaunchError extends Error {}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`tidings: ${text}\n`);
}

/**
 * Says what is being done, then every few seconds that it still is, so that a long step never looks like a hang.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function saying(what, work) {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  say(`${what} …`);
  const timer = setInterval(() => say(`${what} … ${seconds()} s`), 5_000);
  try {
    const result = await work();
    say(`${what}: done in ${seconds()} s`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Prints why the launcher gives up and answers the exit status.
 *
 * @param {unknown} error
 */
export function fail(error) {
  say(error instanceof LaunchError ? error.message : String((error instanceof Error && error.stack) || error));
  return 1;
}
