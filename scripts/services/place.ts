// Where a server lives: a free port, and a folder that the user it runs as can reach.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { execute } from "./execute.ts";
import { folder } from "./records.ts";
import { type Place, type Service, ServiceError } from "./service.ts";

const portsTried = 100;

/** Makes the service's folder and finds it a port. */
export async function placeFor(service: Service): Promise<Place> {
  const user = process.getuid?.() === 0 && service.userForRoot !== undefined ? await lookUp(service.userForRoot) : null;
  mkdirSync(folder, { recursive: true });
  const home = user === null || reaches(user, folder) ? join(folder, service.name) : elsewhere(service);
  mkdirSync(home, { recursive: true });
  chmodSync(home, 0o700);
  if (user !== null) chownSync(home, user.uid, user.gid);
  const port = await freePort(service);
  return user === null ? { home, port } : { home, port, user };
}

/** A checkout below a folder that is root's alone (/root, say) is out of other users' reach. */
function elsewhere(service: Service): string {
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 12);
  return join("/var/lib/tidings-services", name, service.name);
}

function reaches(user: { uid: number; gid: number }, path: string): boolean {
  return spawnSync("test", ["-x", path], { uid: user.uid, gid: user.gid, cwd: "/" }).status === 0;
}

async function lookUp(name: string): Promise<{ name: string; uid: number; gid: number }> {
  const uid = Number(await execute("id", ["-u", name]));
  const gid = Number(await execute("id", ["-g", name]));
  return { name, uid, gid };
}

async function freePort(service: Service): Promise<number> {
  for (let port = service.port; port < service.port + portsTried; port += 1) {
    if (await isFree(port)) return port;
  }
  throw new ServiceError(
    `No port from ${service.port} to ${service.port + portsTried - 1} is free for ${service.name}.`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}
