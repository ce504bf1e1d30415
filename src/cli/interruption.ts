/** Aborts what the process does now: at Ctrl-C, and when nobody reads its output any more. */
export const interruption = new AbortController();
