import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { without } from "../../lib/machine.ts";
import { freePort, OwnServer, synced } from "./server.ts";
import { entry, numbers, open, refusal, withoutRedis } from "./support.ts";

const openssl = without("openssl");

/** A certificate for the host, signed by itself. */
function certificate(t: TestContext, host: string): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), "tidings-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`, "-keyout", key, "-out", cert],
    { stdio: "ignore" },
  ); // prettier-ignore
  return { cert, key };
}

async function serverFor(t: TestContext, host: string) {
  const { cert, key } = certificate(t, host);
  const tlsPort = await freePort();
  const tls = { "tls-port": String(tlsPort), "tls-cert-file": cert, "tls-key-file": key, "tls-auth-clients": "no" };
  await OwnServer.start(t, { ...synced, ...tls });
  return { url: `rediss://localhost:${tlsPort}`, cert };
}

describe("a server behind TLS", { skip: withoutRedis || openssl }, () => {
  it("is spoken to when its certificate can be trusted", async (t) => {
    const { url, cert } = await serverFor(t, "localhost");
    const engine = await open(t, { url, caFile: cert });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(1)]);
    assert.deepEqual(await numbers(engine), [1]);
    const unknown = await refusal({ url });
    assert.equal(unknown.code, "TIDINGS_ACCESS_DENIED");
    assert.match(unknown.message, /caFile/);
    assert.equal((await refusal({ url, caFile: "/nowhere.pem" })).code, "TIDINGS_INVALID_OPTION");
  });

  it("is refused when its certificate is for another host", async (t) => {
    const { url, cert } = await serverFor(t, "another.example");
    const refused = await refusal({ url, caFile: cert });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /another\.example/);
  });
});
