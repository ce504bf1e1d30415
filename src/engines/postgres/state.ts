import { TidingsError } from "../../errors/tidings-error.ts";
import type { Document, Scan, State } from "../../ports/state.ts";
import { endOfPrefix } from "../sql/prefix.ts";
import { contentOfDocument, placeOfDocument, xor } from "./checksums.ts";
import type { Connections } from "./connections.ts";
import { gathered } from "./gather.ts";
import type { Settings } from "./options.ts";
import { behindAll, fromColumn, toColumn } from "./text.ts";
import type { Clock } from "../../platform/clock.ts";

interface DocumentRow {
  readonly collection: string;
  readonly key: string;
  readonly version: number;
  readonly checksum: number;
  readonly value: string;
}

/** Reads documents; those that are asked for in one turn are one statement. */
export function stateOf({ read }: Connections, { schema }: Settings, clock: Clock): Omit<State, "watch"> {
  const table = `"${schema}".document`;
  const columns = `SELECT collection, key, version, checksum, value FROM ${table}`;

  interface Wanted {
    readonly collection: string;
    readonly keys: readonly string[];
  }
  const get = gathered<Wanted, readonly (Document | undefined)[]>(clock, async (wanted) => {
    const places = wanted.flatMap(({ collection, keys }) => keys.map((key) => ({ collection, key })));
    const rows = await read<DocumentRow & { readonly place: number }>({
      name: "tidings_get",
      text: `SELECT w.place - 1 AS place, d.collection, d.key, d.version, d.checksum, d.value
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(collection, key, place)
        JOIN ${table} d ON d.collection = w.collection AND d.key = w.key`,
      values: [places.map(({ collection }) => toColumn(collection)), places.map(({ key }) => toColumn(key))],
    });
    const found = new Map(rows.map((row) => [row.place, row]));
    let at = 0;
    return wanted.map(({ keys }) =>
      keys.map(() => {
        const row = found.get(at++);
        return row && documentOf(row);
      }),
    );
  });

  return {
    get: async (collection, keys) => (keys.length === 0 ? [] : get({ collection, keys: [...keys] })),
    async scan(collection, { prefix = "", after, limit }: Scan) {
      if (limit <= 0) return [];
      const from = toColumn(prefix);
      const behind = after === undefined ? undefined : toColumn(after);
      const isBehind = behind !== undefined && Buffer.compare(Buffer.from(behind), Buffer.from(from)) >= 0;
      const rows = await read<DocumentRow>({
        name: isBehind ? "tidings_scan_after" : "tidings_scan",
        text: `${columns} WHERE collection = $1 AND key ${isBehind ? ">" : ">="} $2 AND key < $3 ORDER BY key LIMIT $4`,
        values: [toColumn(collection), isBehind ? behind : from, endOfPrefix(from) ?? behindAll, limit],
      });
      return rows.map(documentOf);
    },
    async count(collection, prefix = "") {
      const from = toColumn(prefix);
      const [row] = await read<{ count: number }>({
        name: "tidings_count",
        text: `SELECT count(*) AS count FROM ${table} WHERE collection = $1 AND key >= $2 AND key < $3`,
        values: [toColumn(collection), from, endOfPrefix(from) ?? behindAll],
      });
      return row?.count ?? 0;
    },
  };
}

function documentOf(row: DocumentRow): Document {
  const [collection, key, value] = [fromColumn(row.collection), fromColumn(row.key), fromColumn(row.value)];
  if (xor(contentOfDocument(collection, key, value), placeOfDocument(row.version)) === row.checksum)
    return { key, version: row.version, value };
  throw new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The document "${key}" of collection "${collection}" does not match its checksum; restore it from a backup.`,
    { details: { collection, key } },
  );
}
