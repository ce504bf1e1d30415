// A member on a broker without a store: says what it handles, until it is killed.
import { writeSync } from "node:fs";
import { tidings } from "tidings";

import { Happened, lister, things } from "./listed.ts";

const [url = ""] = process.argv.slice(2);
await tidings({
  name: "listed",
  url,
  services: [lister((key, n) => writeSync(1, `${key} ${n} ${process.hrtime.bigint()}\n`))],
  topics: [things],
  memberTtlMs: 1500,
}).start();
writeSync(1, `ready ${Happened.type}\n`);
