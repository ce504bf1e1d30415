import { forgetEveryMs } from "../sql/ids.ts";
import type { Store } from "./engine.ts";

/** Forgets the ids of callers that are older than the window, now and then; the answer stops it. */
export function forgetting({ context, writer, maintenance, read }: Store): () => void {
  const { clock } = context.platform;
  const windowMs = writer.deduplicationWindowMs;
  const everyMs = forgetEveryMs(windowMs);
  const oldest = writer.connection.prepare("SELECT at_ms FROM tidings_published_id ORDER BY at_ms LIMIT 1");
  let cancel = clock.after(everyMs, again, true);

  async function forget(): Promise<void> {
    const beforeMs = clock.now() - windowMs;
    const row = (await read(() => oldest.get())) as { at_ms: number } | undefined;
    if (row && row.at_ms < beforeMs) await maintenance.forgetIds(beforeMs);
  }

  function again(): void {
    // A failure here is one of the file, which every other call reports; the next round tries again.
    forget()
      .catch(() => undefined)
      .finally(() => {
        if (!stopped) cancel = clock.after(everyMs, again, true);
      });
  }

  let stopped = false;
  return () => {
    stopped = true;
    cancel();
  };
}
