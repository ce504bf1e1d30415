import { TidingsError } from "../../errors/tidings-error.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { Catalog } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import { failureKind, toTidingsError } from "./failure.ts";
import type { Settings } from "./options.ts";
import { lockOf } from "./schema/migrations.ts";

/** Makes the topics that do not exist, all or none. Throws TIDINGS_PARTITIONS_CHANGED before anything is made. */
export async function declare(
  connections: Connections,
  catalog: Catalog,
  settings: Settings,
  specs: readonly TopicSpec[],
): Promise<void> {
  await catalog.load(specs.map(({ name }) => name));
  const missing = missingOf(specs, catalog);
  if (missing.length === 0) return;
  const { schema } = settings;
  try {
    await connections.alone(async (client) => {
      await client.query("BEGIN");
      try {
        await client.query("SELECT pg_advisory_xact_lock($1, -1)", [lockOf(schema)]);
        for (const { name, partitions } of missing)
          await client.query(`SELECT "${schema}".declare_topic($1, $2)`, [name, partitions]);
        // Somebody may have made one meanwhile, with other partitions.
        const { rows } = await client.query<TopicSpec>(`SELECT name, partitions FROM "${schema}".topic WHERE name = ANY ($1::text[])`, [missing.map(({ name }) => name)]); // prettier-ignore
        for (const { name, partitions } of missing)
          checkSame(
            rows.find((row) => row.name === name),
            { name, partitions },
          );
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK").catch(() => undefined);
        throw error;
      }
    });
  } catch (error) {
    const kind = failureKind(error);
    throw kind === "other" ? error : toTidingsError(error, settings.address);
  }
  await catalog.load(missing.map(({ name }) => name));
}

function missingOf(specs: readonly TopicSpec[], catalog: Catalog): readonly TopicSpec[] {
  const missing = new Map<string, TopicSpec>();
  for (const spec of specs) {
    const existing = catalog.get(spec.name) ?? missing.get(spec.name);
    if (existing) checkSame(existing, spec);
    else missing.set(spec.name, spec);
  }
  return [...missing.values()];
}

function checkSame(existing: TopicSpec | undefined, spec: TopicSpec): void {
  if (!existing || existing.partitions === spec.partitions) return;
  throw new TidingsError(
    "TIDINGS_PARTITIONS_CHANGED",
    `Topic "${spec.name}" has ${existing.partitions} partitions and was declared with ${spec.partitions}.`,
    { details: { topic: spec.name, partitions: existing.partitions, declared: spec.partitions } },
  );
}
