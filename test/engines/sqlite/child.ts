// A process that works on a file for the tests of several processes, of crashes and of failing disks.
//   child.ts publish PATH NAME COUNT [INFLIGHT]   prints "ack NAME N POSITION" for each acknowledged event
//   child.ts forever PATH NAME                    the same until it is killed
//   child.ts open PATH                            opens, declares a topic, closes
// With TIDINGS_TEST_USER, a number, as this user.
import { writeSync } from "node:fs";
import { sqlite } from "../../../src/engines/sqlite/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { entry, record } from "./support.ts";

const [mode = "", path = "", name = "", count = "0", inFlight = "16"] = process.argv.slice(2);
// Straight to the descriptor: an acknowledgement is a write call that a trace can see in its place.
const say = (line: string): void => void writeSync(1, `${line}\n`);
// Here, and not by whoever starts it: another user may have no way to this checkout.
const user = Number(process.env["TIDINGS_TEST_USER"] ?? "0");
if (user > 0) {
  process.setgid?.(user);
  process.setuid?.(user);
}
const options = JSON.parse(process.env["TIDINGS_TEST_OPTIONS"] ?? "{}") as object;

const engine = await sqlite({ path, ...options }).open({ platform: systemPlatform() });
await engine.topics.declare([{ name: "orders", partitions: 2 }]);
say(`ready ${process.pid}`);
if (mode === "publish") await publish(engine, Number(count), Number(inFlight));
if (mode === "forever") await publish(engine, Number.POSITIVE_INFINITY, 8);
await engine.close();

async function publish(engine: Engine, total: number, lanes: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let n = next++; n < total; n = next++) {
        try {
          const [appended] = await engine.topics.publish([
            entry(n, { partition: lane % 2, record: record(n, { id: `${name}-${n}`, key: name }) }),
          ]);
          say(`ack ${name}-${n} ${lane % 2} ${appended?.position}`);
        } catch (error) {
          say(`fail ${(error as { code?: string }).code}`);
          if (mode === "publish") return;
        }
      }
    }),
  );
}
