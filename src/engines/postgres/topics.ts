import type { TopicSpec } from "../../ports/topics.ts";
import { checkSame, missingOf } from "../sql/topics.ts";
import type { Catalog } from "./catalog.ts";
import { begin } from "./client.ts";
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
  const missing = missingOf(specs, (name) => catalog.get(name));
  if (missing.length === 0) return;
  const { schema } = settings;
  try {
    await connections.alone(async (client) => {
      await client.query(begin);
      try {
        await client.query("SELECT pg_advisory_xact_lock($1, -1)", [lockOf(schema)]);
        for (const { name, partitions } of missing)
          await client.query(`SELECT "${schema}".declare_topic($1, $2)`, [name, partitions]);
        // Somebody may have made one meanwhile, with other partitions.
        const { rows } = await client.query<TopicSpec>(`SELECT name, partitions FROM "${schema}".topic WHERE name = ANY ($1::text[])`, [missing.map(({ name }) => name)]); // prettier-ignore
        for (const spec of missing) checkSame(rows.find(({ name }) => name === spec.name) ?? spec, spec);
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
