// PostgreSQL with a cluster of its own: TCP on loopback only, a user and a database named tidings, a random password.
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { execute } from "./execute.ts";
import type { Place, Service } from "./service.ts";

const owner = "tidings";

export const postgres: Service = {
  name: "postgres",
  packages: ["postgresql"],
  port: 45432,
  userForRoot: "postgres",
  // Fast shutdown: open transactions are rolled back, the files are left as after a checkpoint.
  stopSignal: "SIGINT",
  find: newest,
  async prepare(place, program) {
    const data = join(place.home, "data");
    if (!existsSync(join(data, "PG_VERSION"))) await createCluster(place, program, data);
    const settings = [`port=${place.port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="];
    return { program, args: ["-D", data, ...settings.flatMap((setting) => ["-c", setting])] };
  },
  async ask(place) {
    await query(place, "postgres", "select 1");
    const found = await query(place, "postgres", `select 1 from pg_database where datname = '${owner}'`);
    if (found.trim() === "") await query(place, "postgres", `create database ${owner}`);
  },
  url: (place) => `postgres://${owner}:${password(place)}@127.0.0.1:${place.port}/${owner}`,
};

/** Debian keeps each major version in a folder of its own. */
function newest(): string | undefined {
  return globSync("/usr/lib/postgresql/*/bin/postgres")
    .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
}

async function createCluster(place: Place, program: string, data: string): Promise<void> {
  writeFileSync(passwordFile(place), randomBytes(12).toString("hex"), { mode: 0o600 });
  if (place.user !== undefined) chownSync(passwordFile(place), place.user.uid, place.user.gid);
  const options = ["--username", owner, "--pwfile", passwordFile(place), "--auth", "scram-sha-256"];
  await execute(
    join(dirname(program), "initdb"),
    ["-D", data, ...options, "--encoding", "UTF8", "--locale", "C.UTF-8"],
    {
      ...(place.user === undefined ? {} : { uid: place.user.uid, gid: place.user.gid }),
      cwd: place.home,
    },
  );
}

function query(place: Place, database: string, sql: string): Promise<string> {
  const args = ["-h", "127.0.0.1", "-p", String(place.port), "-U", owner, "-d", database, "-XAt", "-c", sql];
  const env = { ...process.env, PGPASSWORD: password(place), PGCONNECT_TIMEOUT: "2" };
  return execute("psql", args, { env, cwd: place.home });
}

function password(place: Place): string {
  return readFileSync(passwordFile(place), "utf8").trim();
}

function passwordFile(place: Place): string {
  return join(place.home, "password");
}
