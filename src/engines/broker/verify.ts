import { hasCode, TidingsError } from "../../errors/tidings-error.ts";
import type { Engine, VerifyProblem, VerifyReport } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";

const page = { events: 1000, bytes: 1024 * 1024 };

/** Reads everything: checksums, and that no position is missing between the first and the last. */
export async function verify(
  topics: Pick<Topics, "list" | "bounds" | "read">,
  { signal, onProgress }: NonNullable<Parameters<Engine["verify"]>[0]>,
): Promise<VerifyReport> {
  const problems: VerifyProblem[] = [];
  let recordsChecked = 0;
  for (const { name } of await topics.list()) {
    const bounds = await topics.bounds(name);
    for (const [partition, { first, next }] of bounds.entries()) {
      for (let position = first; position < next;) {
        if (signal?.aborted) throw reasonOf(signal);
        const found = await pageAt(topics, name, partition, position, problems);
        recordsChecked += found.checked;
        position = found.next;
        onProgress?.(recordsChecked);
      }
    }
  }
  return { recordsChecked, problems };
}

async function pageAt(
  topics: Pick<Topics, "bounds" | "read">,
  name: string,
  partition: number,
  position: number,
  problems: VerifyProblem[],
): Promise<{ readonly checked: number; readonly next: number }> {
  const place = `${name}/${partition}/${position}`;
  try {
    const { records, next, lost } = await topics.read(name, partition, position, page);
    // Retention goes on meanwhile: what is gone at the beginning is no damage.
    const first = lost > 0 ? (await topics.bounds(name))[partition]?.first : undefined;
    if (first !== undefined && first <= position) problems.push({ place, problem: `${lost} events are missing` });
    return { checked: records.length, next: Math.max(next, position + 1) };
  } catch (error) {
    if (!hasCode(error, "TIDINGS_RECORD_CORRUPT")) throw error;
    problems.push({ place, problem: "the event does not match its checksum" });
    return { checked: 1, next: position + 1 };
  }
}

function reasonOf(signal: AbortSignal): Error {
  const { reason } = signal as { readonly reason: unknown };
  return reason instanceof Error ? reason : new TidingsError("TIDINGS_CLOSED", "The verification was aborted.");
}
