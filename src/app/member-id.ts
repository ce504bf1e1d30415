import { hostname } from "node:os";
import type { Engine } from "../ports/engine.ts";
import type { Platform } from "../platform/platform.ts";
import { memberOf } from "../membership/names.ts";
import { probePrefix } from "../delivery/guards/probe.ts";
import { driverLease } from "../delivery/redrive/driver.ts";

/** The lease of the one member that does the housekeeping. */
export const housekeepingLease = "maintenance";

/** Member ids of this process, also those of a second copy of the package. */
const registry: Record<symbol, Set<string> | undefined> = globalThis;
const ownIds = (): Set<string> => (registry[Symbol.for("tidings.members")] ??= new Set());

/** `<host>.<pid>.<chance>`: which machine and process a member is, so that a dead one is known without waiting. */
export function defaultMemberId(platform: Platform): string {
  const id = `${host()}.${process.pid}.${platform.random.uint32().toString(36)}`;
  ownIds().add(id);
  return id;
}

/** This machine's name, with what member names allow. */
export const host = (): string =>
  hostname()
    .replace(/[^A-Za-z0-9_-]/g, "-")
    .slice(0, 100) || "localhost";

/**
 * Frees the leases of processes of this machine that are dead, so that a restart after a crash need not wait for them to
 * expire. Taking a living one's lease by mistake would do no harm, for fences refuse it; it would only have to ask again.
 */
export async function releaseDead(engine: Engine): Promise<number> {
  const { leases } = engine;
  if (!leases) return 0;
  const all = [];
  for (const prefix of ["member/", "partition/", "publisher/", probePrefix, driverLease, housekeepingLease])
    all.push(...(await leases.list(prefix)));
  const dead = all.filter(({ owner }) => isDead(memberOf(owner)));
  await leases.release(dead);
  return dead.length;
}

function isDead(memberId: string): boolean {
  const [chance, pid, ...name] = memberId.split(".").reverse();
  if (chance === undefined || pid === undefined || name.reverse().join(".") !== host() || !/^\d+$/.test(pid))
    return false;
  // A container that is started again has the process number of the one that died.
  if (Number(pid) === process.pid) return !ownIds().has(memberId);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === "ESRCH";
  }
}
