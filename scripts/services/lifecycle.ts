// Starting servers that outlive the command that started them, and stopping them.
import { spawn } from "node:child_process";
import { openSync, closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { say, saying } from "../launch/say.mjs";
import { catalog } from "./catalog.ts";
import { ensureInstalled } from "./debian.ts";
import { placeFor } from "./place.ts";
import { beginningOf, folder, remember, type Running, running } from "./records.ts";
import { type Place, type Service, ServiceError, type Start } from "./service.ts";

const readyMs = 60_000;
const stopMs = 30_000;
const pollMs = 100;

export const names: readonly string[] = catalog.map((service) => service.name);

/** Starts the service unless it runs, and resolves when it answers. */
export async function up(service: Service): Promise<void> {
  const already = running(service.name);
  if (already !== undefined) {
    await answering(service, already.place, already.pid);
    say(`${service.name} is up already`);
    return;
  }
  const program = await ensureInstalled(service);
  const place = await placeFor(service);
  await saying(`starting ${service.name} on port ${place.port}`, async () => {
    const pid = launch(service, place, await service.prepare(place, program));
    const record: Running = { pid, began: beginningOf(pid) ?? "", url: service.url(place), place };
    remember(service.name, record, names);
    try {
      await answering(service, place, pid);
    } catch (error) {
      await stop(service, record);
      throw error;
    }
  });
}

/** Stops the service if it runs and resolves when it has ended. */
export async function down(service: Service): Promise<void> {
  const record = running(service.name);
  if (record !== undefined) await saying(`stopping ${service.name}`, () => stop(service, record));
  else remember(service.name, undefined, names);
}

function launch(service: Service, place: Place, { program, args }: Start): number {
  const log = openSync(logFile(service), "a", 0o600);
  const user = place.user === undefined ? {} : { uid: place.user.uid, gid: place.user.gid };
  const child = spawn(program, args, { ...user, cwd: place.home, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  if (child.pid === undefined) throw new ServiceError(`${program} could not be started.`);
  return child.pid;
}

async function answering(service: Service, place: Place, pid: number): Promise<void> {
  let why: unknown;
  for (const until = Date.now() + readyMs; Date.now() < until; await sleep(pollMs)) {
    try {
      await service.ask(place);
      // Another server on that port may have answered while ours died of finding it taken.
      if (beginningOf(pid) !== undefined) return;
    } catch (error) {
      why = error;
    }
    if (beginningOf(pid) === undefined) {
      throw new ServiceError(`${service.name} ended at once. The end of its log:\n${logEnd(service)}`);
    }
  }
  const reason = why instanceof Error ? why.message : String(why);
  throw new ServiceError(`${service.name} did not answer within ${readyMs / 1000} s: ${reason}\n${logEnd(service)}`);
}

async function stop(service: Service, record: Running): Promise<void> {
  const alive = () => beginningOf(record.pid) === record.began;
  if (alive()) process.kill(record.pid, service.stopSignal);
  for (const until = Date.now() + stopMs; alive() && Date.now() < until;) await sleep(pollMs);
  if (alive()) {
    say(`${service.name} did not stop within ${stopMs / 1000} s and is killed`);
    process.kill(record.pid, "SIGKILL");
  }
  remember(service.name, undefined, names);
}

function logFile(service: Service): string {
  return join(folder, `${service.name}.log`);
}

function logEnd(service: Service): string {
  return readFileSync(logFile(service), "utf8").trimEnd().split("\n").slice(-15).join("\n");
}
