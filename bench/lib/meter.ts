// What a child costs the server: statements, log written, time of its processors.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Client } from "pg";

import { ask } from "./postgres.ts";

/** What was spent between the two calls of a meter. */
export interface Spent {
  readonly statements: number;
  /** Of the whole server. */
  readonly walBytes: number;
  /** Of the sessions of this database; NaN where the server is on another machine. */
  readonly serverCpuMicros: number;
}

export interface Meter {
  begin(): Promise<void>;
  end(): Promise<Spent>;
}

interface State {
  readonly lsn: string;
  readonly pids: number[] | null;
}

let statements = 0;

/**
 * Counts the statements that this process sends from now on. tidings and the peers have a copy of the client each, in
 * their own folder of packages.
 */
function countStatements(): void {
  const ours = createRequire(new URL("../../src/index.ts", import.meta.url))("pg") as { Client: typeof Client };
  for (const { prototype } of new Set([Client, ours.Client])) {
    const counted = prototype as { query: (...values: unknown[]) => unknown };
    const { query } = counted;
    counted.query = function (...values) {
      statements++;
      return Reflect.apply(query, this, values);
    };
  }
}

/** A meter of this process and its database; start it before the peer. */
export function meterOf(url: string): Meter {
  countStatements();
  let before: State;
  let cpu = new Map<number, number>();
  return {
    async begin() {
      before = await stateOf(url);
      cpu = new Map((before.pids ?? []).map((pid) => [pid, cpuMicrosOf(pid)]));
      statements = 0;
    },
    async end() {
      const sent = statements;
      const after = await stateOf(url);
      let serverCpuMicros = 0;
      for (const pid of after.pids ?? []) serverCpuMicros += cpuMicrosOf(pid) - (cpu.get(pid) ?? 0);
      return {
        statements: sent,
        walBytes: Number(after.lsn) - Number(before.lsn),
        serverCpuMicros,
      };
    },
  };
}

async function stateOf(url: string): Promise<State> {
  const [state] = await ask<State>(
    url,
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS lsn,
      (SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()) AS pids`,
  );
  return state!;
}

/** Own and system time of a process; the kernel counts hundredths of a second. */
function cpuMicrosOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return Number.NaN;
  }
}
