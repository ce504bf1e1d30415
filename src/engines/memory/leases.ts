import type { Lease, LeaseRequest, Leases } from "../../ports/leases.ts";
import type { Fence } from "../../ports/transaction.ts";
import { everything, type Handle, submit } from "./handle.ts";
import { type LeaseData, type World, worldNow } from "./world.ts";

/** The leases of the world as one engine sees them. */
export function memoryLeases(handle: Handle): Leases {
  const { world } = handle;
  const call = <Result>(run: () => Result): Promise<Result> => submit(handle, { kind: "lease" }, everything, run);
  return {
    async acquire(requests) {
      const wanted = requests.map((request) => ({ ...request }));
      return call(() => wanted.map((request) => acquire(world, request)));
    },
    async renew(leases, ttlMs) {
      const held = leases.map((lease) => ({ ...lease }));
      return call(() => held.map((lease) => renew(world, lease, ttlMs)));
    },
    async release(leases) {
      const held = leases.map((lease) => ({ ...lease }));
      return call(() => {
        for (const lease of held) {
          const data = stillHeld(world, lease);
          if (data) data.owner = undefined;
        }
      });
    },
    list: (prefix) => call(() => list(world, prefix)),
  };
}

/** Whether the lease still has this token; also when it expired, as long as nobody took it. */
export function fenceHolds(world: World, { lease, token }: Fence): boolean {
  const data = world.leases.get(lease);
  return data !== undefined && data.owner !== undefined && data.token === token;
}

function acquire(world: World, { name, owner, ttlMs }: LeaseRequest): Lease | undefined {
  const nowMs = worldNow(world);
  let data = world.leases.get(name);
  if (!data) {
    data = { name, owner: undefined, token: 0, expiresAtMs: 0 };
    world.leases.set(name, data);
    world.leaseNames.add(name);
  }
  if (data.owner !== owner) {
    if (data.owner !== undefined && data.expiresAtMs > nowMs) return undefined;
    data.owner = owner;
    data.token++;
  }
  data.expiresAtMs = nowMs + ttlMs;
  return snapshot(data);
}

function renew(world: World, lease: Lease, ttlMs: number): Lease | undefined {
  const data = stillHeld(world, lease);
  if (!data) return undefined;
  data.expiresAtMs = worldNow(world) + ttlMs;
  return snapshot(data);
}

function stillHeld(world: World, { name, owner, token }: Lease): LeaseData | undefined {
  const data = world.leases.get(name);
  return data && data.owner === owner && data.token === token ? data : undefined;
}

function list(world: World, prefix: string): readonly Lease[] {
  const nowMs = worldNow(world);
  const found: Lease[] = [];
  for (const name of world.leaseNames.from(prefix)) {
    if (!name.startsWith(prefix)) break;
    const data = world.leases.get(name) as LeaseData;
    if (data.owner !== undefined && data.expiresAtMs > nowMs) found.push(snapshot(data));
  }
  return found;
}

function snapshot(data: LeaseData): Lease {
  return Object.freeze({
    name: data.name,
    owner: data.owner as string,
    token: data.token,
    expiresAtMs: data.expiresAtMs,
  });
}
