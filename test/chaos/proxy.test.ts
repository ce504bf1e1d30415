import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { FaultProxy } from "../../scripts/chaos/proxy.ts";

/** A server that says everything again, behind a proxy. */
async function echo(
  t: TestContext,
  latencyMs = 0,
): Promise<{ readonly proxy: FaultProxy; readonly connected: Socket[] }> {
  const connected: Socket[] = [];
  const server = createServer((socket) => {
    connected.push(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await FaultProxy.listen((server.address() as { port: number }).port, 1, latencyMs);
  t.after(async () => {
    await proxy.close();
    server.close();
  });
  return { proxy, connected };
}

/** A client and all that it hears. */
async function client(t: TestContext, proxy: FaultProxy) {
  const socket = createConnection({ host: "127.0.0.1", port: proxy.port });
  const heard = { text: "", ended: false, error: undefined as string | undefined };
  socket.on("data", (data) => (heard.text += String(data)));
  socket.on("end", () => (heard.ended = true));
  socket.on("error", (error: NodeJS.ErrnoException) => (heard.error = error.code));
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.write("hello");
  await until(() => heard.text === "hello");
  return { socket, heard };
}

async function until(holds: () => boolean): Promise<void> {
  for (const late = performance.now() + 5_000; !holds(); await sleep(5))
    if (performance.now() > late) assert.fail("It did not happen within 5 s.");
}

describe("the fault proxy", { timeout: 60_000 }, () => {
  it("passes on what both sides say, and that one of them has ended", async (t) => {
    const { proxy } = await echo(t);
    const { socket, heard } = await client(t, proxy);
    assert.equal(proxy.connections, 1);
    socket.end(" and goodbye");
    await until(() => heard.ended);
    assert.equal(heard.text, "hello and goodbye");
    await until(() => proxy.connections === 0);
  });

  it("cuts a connection in order, and resets one with an error", async (t) => {
    const { proxy } = await echo(t);
    const first = await client(t, proxy);
    assert.equal(proxy.cut("all"), 1);
    await until(() => first.heard.ended);
    assert.equal(first.heard.error, undefined);
    const second = await client(t, proxy);
    proxy.reset("all");
    await until(() => second.heard.error !== undefined);
    assert.equal(second.heard.error, "ECONNRESET");
  });

  it("swallows both ways for ever, keeps the connection open, and hits it with no other fault", async (t) => {
    const { proxy, connected } = await echo(t);
    const { socket, heard } = await client(t, proxy);
    assert.equal(proxy.halfOpen("all"), 1);
    socket.write("anybody there?");
    connected[0]?.write("is anybody there?");
    await sleep(100);
    assert.deepEqual(heard, { text: "hello", ended: false, error: undefined });
    assert.equal(proxy.cut("all"), 0);
    // Neither side hears of the end of the other.
    socket.destroy();
    await sleep(50);
    assert.equal(connected[0]?.readableEnded, false);
    await client(t, proxy);
  });

  it("cuts a message in the middle", async (t) => {
    const { proxy, connected } = await echo(t);
    const { socket, heard } = await client(t, proxy);
    let received = 0;
    connected[0]?.on("data", (data) => (received += data.length));
    proxy.cutAfter("all", 1_000);
    socket.write("x".repeat(5_000));
    await until(() => heard.error !== undefined || heard.ended);
    assert.ok(received > 0 && received <= 1_000, `${received} bytes passed`);
  });

  it("delays and throttles until it is told not to", async (t) => {
    const { proxy } = await echo(t);
    const { socket, heard } = await client(t, proxy);
    const end = proxy.slow("all", 100, 10_000);
    const began = performance.now();
    socket.write("slow");
    await until(() => heard.text === "helloslow");
    // Once there and once back.
    assert.ok(performance.now() - began >= 190, `it took ${performance.now() - began} ms`);
    end();
    const quickly = performance.now();
    socket.write("!");
    await until(() => heard.text.endsWith("!"));
    assert.ok(performance.now() - quickly < 150);
  });

  it("leads by a way that takes a while, and no longer after it was slow", async (t) => {
    const { proxy } = await echo(t, 40);
    const { socket, heard } = await client(t, proxy);
    proxy.slow("all", 400, 10_000)();
    const began = performance.now();
    socket.write("!");
    await until(() => heard.text === "hello!");
    const tookMs = performance.now() - began;
    assert.ok(tookMs >= 75 && tookMs < 400, `it took ${tookMs} ms`);
  });

  it("refuses new connections and leaves the others alone", async (t) => {
    const { proxy } = await echo(t);
    const { socket, heard } = await client(t, proxy);
    const end = proxy.refuse();
    const refused = createConnection({ host: "127.0.0.1", port: proxy.port });
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNRESET");
    socket.write("!");
    await until(() => heard.text === "hello!");
    end();
    await client(t, proxy);
  });

  it("hits one connection, or all of them", async (t) => {
    const { proxy } = await echo(t);
    const clients = [await client(t, proxy), await client(t, proxy), await client(t, proxy)];
    assert.equal(proxy.reset("one"), 1);
    await until(() => clients.filter(({ heard }) => heard.error !== undefined).length === 1);
    await until(() => proxy.connections === 2);
    assert.equal(proxy.reset("all"), 2);
    await until(() => clients.every(({ heard }) => heard.error !== undefined));
  });
});
