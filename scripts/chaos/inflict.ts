// Does what a plan says: one fault, from its beginning to the moment from which on everything has to come back.
import { setTimeout as sleep } from "node:timers/promises";

import type { Dice } from "../../examples/shop/random.ts";
import type { Fleet } from "./fleet.ts";
import type { ConnectionKind, Fault } from "./plan.ts";
import type { FaultProxy, Share } from "./proxy.ts";
import type { RunningServer } from "./server.ts";

/** What faults are done to. */
export interface Scene {
  readonly server: RunningServer;
  readonly proxy: FaultProxy;
  readonly fleet: Fleet;
  readonly chance: Dice;
  /** Says that something is wrong. */
  readonly complain: (words: string) => void;
}

/** A fault that was done. */
export interface Done {
  /** Whom it hit, in words. */
  readonly whom: string;
  /** From then on nothing stands in the way. */
  readonly endMs: number;
}

const slowness = { delayMs: 250, bytesPerSecond: 20_000 };
/** A connection is cut within so many more bytes: in the middle of a message, and often of a commit. */
const moreBytes = 3_000;
/** In an outage nobody may say for longer than this that all is well. */
const noticeMs = 20_000;

/** Does a fault and undoes it. */
export async function inflict(scene: Scene, fault: Fault): Promise<Done> {
  const whom = await perform(scene, fault);
  return { whom, endMs: performance.now() };
}

async function perform(scene: Scene, fault: Fault): Promise<string> {
  const { server, fleet, chance } = scene;
  if (fault.kind === "member-kill") return fleet.kill(chance);
  if (fault.kind === "own") {
    const own = server.kind.ownFaults(server).find(({ name }) => name === fault.name);
    return (await own?.inflict(chance)) ?? "nobody";
  }
  if (fault.kind === "member-pause") {
    const { name, resume } = fleet.pause(chance);
    await sleep(fault.forMs);
    resume();
    return name;
  }
  if ("share" in fault) return connectionFault(scene, fault.kind, fault.share, fault.forMs);
  if (fault.kind === "pause") {
    server.pause();
    await sleep(fault.forMs);
    server.resume();
  } else {
    const beganMs = performance.now();
    await server.kill();
    await sleep(fault.forMs);
    if (fault.kind === "outage") expectNotice(scene, beganMs);
    await server.start();
  }
  return "the server";
}

async function connectionFault({ proxy }: Scene, kind: ConnectionKind, share: Share, forMs: number): Promise<string> {
  let hit = 0;
  if (kind === "cut") hit = proxy.cut(share);
  else if (kind === "reset") hit = proxy.reset(share);
  // It never ends; whoever has such a connection must find out.
  else if (kind === "half-open") hit = proxy.halfOpen(share);
  else if (kind === "cut-in-message") hit = proxy.cutAfter(share, moreBytes);
  else if (kind === "slow") {
    hit = proxy.connections;
    const end = proxy.slow(share, slowness.delayMs, slowness.bytesPerSecond);
    await sleep(forMs);
    end();
  } else {
    const end = proxy.refuse();
    hit = proxy.reset(share);
    await sleep(forMs);
    end();
  }
  return `${share} of the connections (${hit})`;
}

/** A server that is away for long is noticed by everybody. */
function expectNotice({ fleet, complain }: Scene, beganMs: number): void {
  for (const { member, status, atMs } of fleet.reports())
    if (status === "green" && atMs > beganMs + noticeMs)
      complain(`${member} says green, ${Math.round((atMs - beganMs) / 1000)} s after the server went away.`);
}
