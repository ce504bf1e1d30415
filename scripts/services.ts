// npm run services -- up NAME... | down [NAME...] | status [--json]: real servers on loopback for tests and benchmarks.
import { join } from "node:path";
import { parseArgs } from "node:util";

import { withLock } from "./launch/lock.mjs";
import { catalog, serviceNamed } from "./services/catalog.ts";
import { down, names, up } from "./services/lifecycle.ts";
import { folder, urls } from "./services/records.ts";
import { type Service, ServiceError } from "./services/service.ts";
import { isUsageError, UsageError } from "./usage.ts";

const usage = `npm run services -- up NAME... | down [NAME...] | status [--json]

  up NAME...     starts the servers, installing what is missing, and waits until they answer
  down [NAME...] stops them; without a name, all
  status         says which of ours run
  --json         the last line is an object of name to URL

Services: ${names.join(", ")}. They go on when the command has ended; .services/ holds their data, logs and URLs.
`;

const verbs = ["up", "down", "status"] as const;

async function main(): Promise<void> {
  const { verb, wanted, json } = read();
  if (verb !== "status") await withLock(join(folder, "lock"), () => change(verb, wanted));
  const found = urls(names);
  if (json) console.log(JSON.stringify(found));
  else for (const name of names) console.log(`${name.padEnd(13)}${found[name] ?? "down"}`);
}

async function change(verb: "up" | "down", wanted: readonly Service[]): Promise<void> {
  if (verb === "up") for (const service of wanted) await up(service);
  else for (const service of wanted.length === 0 ? catalog : wanted) await down(service);
}

function read() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
  const [first, ...rest] = positionals;
  const verb = verbs.find((known) => known === first);
  if (verb === undefined) {
    throw new UsageError(first === undefined ? "Say what to do." : `"${first}" is none of ${verbs.join(", ")}.`);
  }
  const wanted = rest.map((name) => serviceNamed(name));
  if (verb === "up" && wanted.length === 0) throw new UsageError("Name the services to start.");
  return { verb, wanted, json: values.json === true };
}

try {
  await main();
} catch (error) {
  const misused = isUsageError(error);
  const known = misused || error instanceof ServiceError;
  console.error(known && error instanceof Error ? error.message : error);
  if (misused) console.error(`\n${usage}`);
  process.exitCode = misused ? 2 : 1;
}
