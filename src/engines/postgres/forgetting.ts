import type { EngineContext } from "../../ports/engine.ts";
import type { Connections } from "./connections.ts";
import { deduplicationWindowMsDefault, forgetEveryMs } from "../sql/ids.ts";
import { endOfPrefix } from "../sql/prefix.ts";
import type { Settings } from "./options.ts";
import { writerPrefix } from "./writer.ts";

/** Most ids forgotten with one statement. */
const stepIds = 5000;

/** Forgets the ids of callers that are older than the window, and writers that are gone, now and then; the answer stops it. */
export function forgetting({ read }: Connections, { schema }: Settings, context: EngineContext): () => void {
  const { clock } = context.platform;
  const windowMs = context.deduplicationWindowMs ?? deduplicationWindowMsDefault;
  const everyMs = forgetEveryMs(windowMs);
  let stopped = false;
  let cancel = clock.after(everyMs, again, true);

  async function forget(): Promise<void> {
    await read({
      name: "tidings_forget_writers",
      text: `DELETE FROM "${schema}".lease WHERE name >= $1 AND name < $2 AND expires_ms < "${schema}".now_ms()`,
      values: [writerPrefix, endOfPrefix(writerPrefix)],
    });
    for (let forgotten = stepIds; forgotten === stepIds && !stopped;) {
      const [row] = await read<{ forgotten: number }>({
        name: "tidings_forget",
        text: `WITH old AS (DELETE FROM "${schema}".published_id WHERE (source, id) IN (
            SELECT source, id FROM "${schema}".published_id WHERE at_ms < "${schema}".now_ms() - $1::bigint ORDER BY at_ms LIMIT ${stepIds} FOR UPDATE SKIP LOCKED)
          RETURNING 1) SELECT count(*) AS forgotten FROM old`,
        values: [windowMs],
      });
      forgotten = row?.forgotten ?? 0;
    }
  }

  function again(): void {
    // A failure here is one of the server, which every other call reports; the next round tries again.
    forget()
      .catch(() => undefined)
      .finally(() => {
        if (!stopped) cancel = clock.after(everyMs, again, true);
      });
  }

  return () => {
    stopped = true;
    cancel();
  };
}
