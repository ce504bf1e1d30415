import type { Lease, LeaseRequest } from "../../ports/leases.ts";
import type { Connection } from "./binding.ts";
import { endOf } from "./documents.ts";

interface LeaseRow {
  readonly name: string;
  /** Null when it was released; the row stays, so that its token never goes back. */
  readonly owner: string | null;
  readonly token: number;
  readonly expires_ms: number;
}

/** The leases of a file. What changes something is called inside a write transaction. */
export interface LeaseTable {
  acquire(request: LeaseRequest, nowMs: number): Lease | undefined;
  renew(lease: Lease, ttlMs: number, nowMs: number): Lease | undefined;
  release(lease: Lease): void;
  list(prefix: string, nowMs: number): Lease[];
  /** Whether somebody holds the lease with this token, expired or not. */
  holds(name: string, token: number): boolean;
}

/** Times are those of the caller's clock. */
export function leasesOf(connection: Connection): LeaseTable {
  const find = connection.prepare("SELECT name, owner, token, expires_ms FROM tidings_lease WHERE name = ?");
  const listHeld = connection.prepare(
    "SELECT name, owner, token, expires_ms FROM tidings_lease WHERE name >= ? AND name < ? AND owner IS NOT NULL AND expires_ms > ? ORDER BY name",
  );
  const write = connection.prepare(
    "INSERT INTO tidings_lease (name, owner, token, expires_ms) VALUES (?, ?, ?, ?) ON CONFLICT (name) " +
      "DO UPDATE SET owner = excluded.owner, token = excluded.token, expires_ms = excluded.expires_ms",
  );
  const rowOf = (name: string): LeaseRow | undefined => find.get(name) as LeaseRow | undefined;

  function put(name: string, owner: string, token: number, expiresAtMs: number): Lease {
    write.run(name, owner, token, expiresAtMs);
    return { name, owner, token, expiresAtMs };
  }

  function stillHeld({ name, owner, token }: Lease): boolean {
    const row = rowOf(name);
    return row !== undefined && row.owner === owner && row.token === token;
  }

  return {
    acquire({ name, owner, ttlMs }, nowMs) {
      const row = rowOf(name);
      if (!row) return put(name, owner, 1, nowMs + ttlMs);
      if (row.owner === owner) return put(name, owner, row.token, nowMs + ttlMs);
      if (row.owner !== null && row.expires_ms > nowMs) return undefined;
      return put(name, owner, row.token + 1, nowMs + ttlMs);
    },
    renew(lease, ttlMs, nowMs) {
      return stillHeld(lease) ? put(lease.name, lease.owner, lease.token, nowMs + ttlMs) : undefined;
    },
    release(lease) {
      if (stillHeld(lease)) write.run(lease.name, null, lease.token, 0);
    },
    list: (prefix, nowMs) =>
      (listHeld.all(prefix, endOf(prefix), nowMs) as LeaseRow[]).map(({ name, owner, token, expires_ms }) => ({
        name,
        owner: owner as string,
        token,
        expiresAtMs: expires_ms,
      })),
    holds(name, token) {
      const row = rowOf(name);
      return row !== undefined && row.owner !== null && row.token === token;
    },
  };
}
