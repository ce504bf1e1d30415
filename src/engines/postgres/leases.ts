import type { Lease, Leases } from "../../ports/leases.ts";
import { endOfPrefix } from "../sql/prefix.ts";
import type { Connections } from "./connections.ts";
import type { Settings } from "./options.ts";
import { behindAll, fromColumn, toColumn } from "./text.ts";

/**
 * Leases by the clock of the server. They do not wait behind commits: who holds one says so by its token in the commit.
 * Each function does the same when it is called again, so that it may be repeated after a broken connection.
 */
export function leasesOf({ read }: Connections, { schema }: Settings): Leases {
  const columns = (leases: readonly { readonly name: string; readonly owner: string }[]): [string[], string[]] => [
    leases.map(({ name }) => toColumn(name)),
    leases.map(({ owner }) => toColumn(owner)),
  ];
  const tokens = (leases: readonly Lease[]): number[] => leases.map(({ token }) => token);

  return {
    async acquire(requests) {
      if (requests.length === 0) return [];
      const rows = await read<{ place: number; token: number; expires_ms: number }>({
        name: "tidings_acquire",
        text: `SELECT place, token, expires_ms FROM "${schema}".acquire_leases($1::text[], $2::text[], $3::bigint[])`,
        values: [...columns(requests), requests.map(({ ttlMs }) => Math.ceil(ttlMs))],
      });
      const got = new Map(rows.map((row) => [row.place, row]));
      return requests.map(({ name, owner }, place) => {
        const row = got.get(place);
        return row && { name, owner, token: row.token, expiresAtMs: row.expires_ms };
      });
    },
    async renew(leases, ttlMs) {
      if (leases.length === 0) return [];
      const rows = await read<{ place: number; expires_ms: number }>({
        name: "tidings_renew",
        text: `SELECT place, expires_ms FROM "${schema}".renew_leases($1::text[], $2::text[], $3::bigint[], $4::bigint)`,
        values: [...columns(leases), tokens(leases), Math.ceil(ttlMs)],
      });
      const renewed = new Map(rows.map((row) => [row.place, row.expires_ms]));
      return leases.map(({ name, owner, token }, place) => {
        const expiresAtMs = renewed.get(place);
        return expiresAtMs === undefined ? undefined : { name, owner, token, expiresAtMs };
      });
    },
    async release(leases) {
      if (leases.length === 0) return;
      await read({
        name: "tidings_release",
        text: `SELECT "${schema}".release_leases($1::text[], $2::text[], $3::bigint[])`,
        values: [...columns(leases), tokens(leases)],
      });
    },
    async list(prefix) {
      const from = toColumn(prefix);
      const rows = await read<{ name: string; owner: string; token: number; expires_ms: number }>({
        name: "tidings_leases",
        text: `SELECT name, owner, token, expires_ms FROM "${schema}".lease
          WHERE name >= $1 AND name < $2 AND owner IS NOT NULL AND expires_ms > "${schema}".now_ms() ORDER BY name`,
        values: [from, endOfPrefix(from) ?? behindAll],
      });
      return rows.map(({ name, owner, token, expires_ms: expiresAtMs }) => ({
        name: fromColumn(name),
        owner: fromColumn(owner),
        token,
        expiresAtMs,
      }));
    },
  };
}
