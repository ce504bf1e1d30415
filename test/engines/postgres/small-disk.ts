import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

import { postgres as kind } from "../../../scripts/chaos/postgres.ts";
import { RunningServer } from "../../../scripts/chaos/server.ts";
import { afterwards } from "../../lib/afterwards.ts";

/** What lies on the small disk: everything but the server's log, or the log alone. */
export type OnDisk = "data" | "log";

/** A server of the test's own of which a part lies on this disk. */
export async function serverOn(t: TestContext, disk: string, what: OnDisk): Promise<RunningServer> {
  const { service } = kind;
  // The server's user gets there, and nobody sees more than before.
  chmodSync(dirname(disk), 0o711);
  const prepare: typeof service.prepare = async (place, program) => {
    const own = (path: string): void => place.user && chownSync(path, place.user.uid, place.user.gid);
    const data = join(place.home, "data");
    const log = join(data, "pg_wal");
    own(disk);
    if (what === "data") symlinkSync(disk, data);
    const start = await service.prepare(place, program);
    const elsewhere = what === "log" ? disk : join(place.home, "log");
    cpSync(log, elsewhere, { recursive: true });
    rmSync(log, { recursive: true });
    symlinkSync(elsewhere, log);
    own(elsewhere);
    for (const name of readdirSync(elsewhere)) own(join(elsewhere, name));
    return start;
  };
  // Few files of the log are kept for later, so that a full disk shows soon.
  const args = [...kind.args, "-c", "min_wal_size=32MB", "-c", "max_wal_size=32MB"];
  const server = await RunningServer.open({ ...kind, args, service: { ...service, prepare } });
  afterwards(t, () => server.close());
  return server;
}

/** Takes all the room that is left; the answer gives it back. */
export function fill(disk: string): () => void {
  const ballast = join(disk, "ballast");
  const file = openSync(ballast, "w");
  for (let bytes = 1 << 20; bytes >= 512;) {
    try {
      // Less than all is written where less than all fits.
      if (writeSync(file, Buffer.alloc(bytes)) < bytes) bytes /= 2;
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ENOSPC");
      bytes /= 2;
    }
  }
  closeSync(file);
  return () => rmSync(ballast);
}
