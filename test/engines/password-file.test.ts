// Passwords that are replaced while an application runs, on every engine that has some.
import assert from "node:assert/strict";
import { pbkdf2Sync, randomBytes, randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { alterUserScramCredentialsV0, Connection } from "@platformatic/kafka";

import { serviceUrl } from "../../scripts/services/url.ts";
import { engineOfUrl } from "../../src/app/engines.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { temporaryFolder } from "../examples/shop.ts";
import { afterwards } from "../lib/afterwards.ts";
import * as kafka from "./kafka/support.ts";
import * as nats from "./nats/support.ts";
import * as postgres from "./postgres/support.ts";
import * as rabbitmq from "./rabbitmq/support.ts";
import { entry } from "./records.ts";
import * as redis from "./redis/support.ts";

// With what addresses have a meaning for.
const [first, second] = ["first-secret@%40:/?", "second-secret"];
const user = "shop";

/** A server that knows the user by the first password. */
interface Place {
  /** With the user, without a password. */
  readonly url: string;
  /** Has the server take another one, and ends all connections. */
  replace(password: string): Promise<void>;
}

const places: Readonly<Record<string, readonly [skip: string | false, (t: TestContext) => Promise<Place>]>> = {
  postgres: [postgres.withoutPostgres, onPostgres],
  redis: [redis.withoutRedis, onRedis],
  nats: [nats.withoutNats, onNats],
  rabbitmq: [rabbitmq.withoutRabbitmq, onRabbitmq],
  kafka: [kafka.withoutKafka, onKafka],
};

describe("passwordFile", () => {
  for (const [name, [skip, make]] of Object.entries(places)) {
    it(`is read for each connection to ${name}, so that a password may be replaced while it is used`, { skip }, async (t) => {
      const place = await make(t);
      const file = join(temporaryFolder(t), "password");
      const url = `${place.url}${place.url.includes("?") ? "&" : "?"}busyTimeoutMs=500&passwordFile=${file}`;
      const absent = await kafka.rejection(open(t, url));
      assert.equal(absent.code, "TIDINGS_CREDENTIALS_UNAVAILABLE", absent.message);
      assert.ok(absent.message.includes(file), absent.message);

      writeFileSync(file, `${first}\n`);
      const engine = await open(t, url);
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish([entry(0)]);
      await place.replace(second);
      const refused = await kafka.rejection(engine.topics.publish([entry(1)]));
      assert.match(String(refused.code), /^TIDINGS_(ACCESS_DENIED|UNREACHABLE|OUTCOME_UNKNOWN)$/, refused.message);
      assert.doesNotMatch(`${refused.message} ${engine.trouble() ?? ""}`, /secret/);

      writeFileSync(file, second);
      await kafka.until("it is let in", () => engine.topics.publish([entry(2)]).then(() => true, () => false)); // prettier-ignore
      await kafka.until("it is healthy", () => engine.trouble() === undefined);
      const found = await kafka.numbers(engine);
      assert.ok(found[0] === 0 && found.includes(2), found.join());
    }); // prettier-ignore

    it(`stands for the password in an address of ${name}, and is not taken beside one`, async () => {
      const scheme = { postgres: "postgres", redis: "redis", nats: "nats", rabbitmq: "amqp", kafka: "kafka" }[name];
      const path = name === "postgres" ? "/shop" : "";
      await assert.rejects(async () => engineOfUrl(`${scheme}://shop:x@host${path}?passwordFile=/file`), {
        code: "TIDINGS_INVALID_OPTION",
        message: /passwordFile.*leave that out/,
      });
    });
  }
});

async function open(t: TestContext, url: string): Promise<Engine> {
  const engine = await (await engineOfUrl(url)).open({ platform: systemPlatform() });
  afterwards(t, () => engine.close());
  return engine;
}

/** The address of a service, with another user. */
function addressOf(service: string, name: string): string {
  const { protocol, host, pathname } = new URL(serviceUrl(service));
  return `${protocol}//${name}@${host}${pathname}`;
}

async function onPostgres(t: TestContext): Promise<Place> {
  const admin = await postgres.client(t);
  const role = `shop_${randomUUID().slice(0, 8)}`;
  const database = new URL(serviceUrl("postgres")).pathname.slice(1);
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${first}'`);
  await admin.query(`GRANT CREATE ON DATABASE ${database} TO ${role}`);
  afterwards(t, async () => {
    await admin.query(`DROP OWNED BY ${role} CASCADE`);
    await admin.query(`DROP ROLE ${role}`);
  });
  return {
    url: `${addressOf("postgres", role)}?schema=${role}`,
    async replace(password) {
      await admin.query(`ALTER ROLE ${role} PASSWORD '${password}'`);
      await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]);
    },
  };
}

async function onRedis(t: TestContext): Promise<Place> {
  const admin = await redis.client(t);
  const prefix = await redis.prefix(t);
  const name = `shop-${randomUUID().slice(0, 8)}`;
  await admin.sendCommand(["ACL", "SETUSER", name, "on", `>${first}`, "~*", "&*", "+@all"]);
  afterwards(t, () => admin.sendCommand(["ACL", "DELUSER", name]));
  return {
    url: `${addressOf("redis-synced", name)}?prefix=${prefix}`,
    async replace(password) {
      await admin.sendCommand(["ACL", "SETUSER", name, "resetpass", `>${password}`]);
      await admin.sendCommand(["CLIENT", "KILL", "USER", name]);
    },
  };
}

async function onNats(t: TestContext): Promise<Place> {
  const users = (password: string): string => `authorization { user: ${user}, password: "${password}" }`;
  const server = await nats.ownServer(t, (folder) => `${nats.jetStream(folder)}\n${users(first)}`);
  const config = join(server.folder, "nats.conf");
  return {
    url: `nats://${user}@127.0.0.1:${server.port}?durability=weak`,
    async replace(password) {
      await server.kill();
      writeFileSync(config, readFileSync(config, "utf8").replace(first, password));
      await server.start();
    },
  };
}

async function onRabbitmq(t: TestContext): Promise<Place> {
  const server = await rabbitmq.ownServer(t);
  server.ctl("add_user", user, first);
  server.ctl("set_permissions", user, ".*", ".*", ".*");
  return {
    url: `amqp://${user}@127.0.0.1:${server.port}?durability=weak`,
    async replace(password) {
      server.ctl("change_password", user, password);
      server.ctl("close_all_user_connections", user, "the password was replaced");
    },
  };
}

async function onKafka(t: TestContext): Promise<Place> {
  const server = await kafka.ownServer(t);
  const set = async (password: string): Promise<void> => {
    const { sasl } = kafka.clientOptions(server.url);
    const connection = new Connection("test", sasl ? { sasl } : {});
    await connection.connect("127.0.0.1", server.port);
    const [salt, iterations] = [randomBytes(16), 4096];
    const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, "sha512");
    await alterUserScramCredentialsV0.api.async(connection, [], [{ name: user, mechanism: 2, iterations, salt, saltedPassword }]); // prettier-ignore
    await connection.close();
  };
  await set(first);
  return {
    url: `kafka://${user}@127.0.0.1:${server.port}?durability=weak`,
    async replace(password) {
      await set(password);
      await server.kill();
      await server.start();
    },
  };
}
