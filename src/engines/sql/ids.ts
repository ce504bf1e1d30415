/** How long ids of callers are remembered unless the context says otherwise: a day. In milliseconds. */
export const deduplicationWindowMsDefault = 24 * 60 * 60 * 1000;

/** Ids are forgotten this often within their window, and within these bounds. */
const timesPerWindow = 10;
const everyMsMin = 1000;
const everyMsMax = 10 * 60 * 1000;

/** How often to look for ids that are older than their window, in milliseconds. */
export function forgetEveryMs(windowMs: number): number {
  return Math.min(Math.max(windowMs / timesPerWindow, everyMsMin), everyMsMax);
}
