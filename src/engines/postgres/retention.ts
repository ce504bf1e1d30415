import type { RetentionRule } from "../../ports/topics.ts";
import type { Catalog } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import type { Settings } from "./options.ts";

/** Most steps of tidying after one call. */
const stepsMax = 16;

/** Removes old events; see schema/retention.ts. */
export function retentionOf(
  { read }: Connections,
  catalog: Catalog,
  { schema, segmentBytes }: Settings,
): (topic: string, rule: RetentionRule) => Promise<number> {
  return async (topic, { appendedBeforeMs, partitionBytesMax, floor }) => {
    const { id, partitions } = await catalog.topic(topic);
    const floors = floor && Array.from({ length: partitions }, (_, partition) => floor[partition] ?? null);
    const [row] = await read<{ removed: number }>({
      name: "tidings_retain",
      text: `SELECT "${schema}".retain($1, $2, $3, $4::bigint[]) AS removed`,
      values: [id, appendedBeforeMs === undefined ? null : Math.ceil(appendedBeforeMs), partitionBytesMax === undefined ? null : Math.floor(partitionBytesMax), floors ?? null],
    }); // prettier-ignore
    for (let step = 0; step < stepsMax; step++) {
      const [tidied] = await read<{ more: boolean }>({
        name: "tidings_tidy",
        text: `SELECT "${schema}".tidy_topic($1, $2) AS more`,
        values: [id, segmentBytes],
      });
      if (!tidied?.more) break;
    }
    return row?.removed ?? 0;
  };
}
