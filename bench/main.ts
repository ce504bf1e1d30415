// npm run bench -- SUITE [--json --quick --full --repeat N --only NAME --without PEER --profile DIR]
import { parseArgs } from "node:util";

import type { Facts, Line } from "./lib/line.ts";
import { machineLine } from "./lib/machine.ts";
import { kafkaFacts, kafkaUrl } from "./lib/kafka.ts";
import { makePlace } from "./lib/place.ts";
import { natsFacts, natsUrl } from "./lib/nats.ts";
import { postgresFacts, postgresUrl } from "./lib/postgres.ts";
import { rabbitmqFacts, rabbitmqUrl } from "./lib/rabbitmq.ts";
import { redisFacts, redisSyncedFacts, redisSyncedUrl, redisUrl } from "./lib/redis.ts";
import { type Measurement, type Run, type RunOptions, runOf, type ServerName, type Urls } from "./lib/run.ts";
import { brokers } from "./suites/brokers.ts";
import { embedded } from "./suites/embedded.ts";
import { overload } from "./suites/overload.ts";
import { postgres } from "./suites/postgres.ts";

const suites: Readonly<Record<string, readonly Measurement[]>> = { brokers, embedded, overload, postgres };

const usage = `npm run bench -- SUITE [--json --quick --full --repeat N --only NAME --without PEER --profile DIR]

  SUITE            ${Object.keys(suites).join(", ")}
  --json           JSON lines on the standard output, and nothing else
  --only NAME      one measurement; may be given several times
  --repeat N       repetitions (5; with --quick 1)
  --quick          small sizes, to see whether everything runs
  --full           a backlog of ten million events instead of one million (postgres: 200 thousand)
  --without PEER   leaves a peer out: bullmq (which needs Redis), pg-boss, graphile-worker, nestjs, bare
  --profile DIR    a CPU profile of every child

${Object.entries(suites)
  .map(([suite, measurements]) => `Measurements of ${suite}: ${measurements.map(({ name }) => name).join(", ")}`)
  .join("\n")}
`;

class UsageError extends Error {}

interface Wanted {
  readonly measurements: readonly Measurement[];
  readonly json: boolean;
  readonly options: RunOptions;
}

function read(): Wanted | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      repeat: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      without: { type: "string", multiple: true, default: [] },
      profile: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const suite = suites[positionals[0] ?? ""];
  if (!suite || positionals.length !== 1) throw new UsageError("Name one suite.");
  for (const name of values.only)
    if (!suite.some((each) => each.name === name)) throw new UsageError(`There is no measurement "${name}".`);
  const repeat = Number(values.repeat ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(repeat) || repeat < 1) throw new UsageError("--repeat takes a whole number of at least 1.");
  const { quick, full, without } = values;
  return {
    measurements: suite.filter(({ name }) => values.only.length === 0 || values.only.includes(name)),
    json: values.json,
    options: { quick, full, repeat, without, child: { profiles: values.profile } },
  };
}

async function main(): Promise<void> {
  const wanted = read();
  if (!wanted) return console.log(usage);
  const { measurements, options } = wanted;
  const urls = urlsFor(measurements, options);
  const place = makePlace();
  const end = (): void => place.remove();
  process.once("exit", end);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  const run: Run = runOf(options, place, urls, (text) => process.stderr.write(`${text}\n`));
  const print = wanted.json ? printJson : printText;
  print(machineLine(place, await factsOf(urls)));
  for (const measurement of measurements) for (const line of await measurement.run(run)) print(line);
}

const servers: Readonly<Record<ServerName, readonly [url: () => string, facts: (url: string) => Promise<Facts>]>> = {
  redis: [redisUrl, redisFacts],
  redisSynced: [redisSyncedUrl, redisSyncedFacts],
  postgres: [postgresUrl, postgresFacts],
  nats: [natsUrl, natsFacts],
  kafka: [kafkaUrl, kafkaFacts],
  rabbitmq: [rabbitmqUrl, rabbitmqFacts],
};

/** Starts the servers that are needed by what is not left out. */
function urlsFor(measurements: readonly Measurement[], { without }: RunOptions): Urls {
  const needed = measurements.flatMap(({ needs = {} }) =>
    Object.entries(needs).flatMap(([contestant, server]) => (without.includes(contestant) ? [] : [server])),
  );
  return Object.fromEntries([...new Set(needed)].map((server) => [server, servers[server][0]()]));
}

async function factsOf(urls: Urls): Promise<Facts> {
  const facts: Facts[] = [];
  for (const [server, url] of Object.entries(urls)) facts.push(await servers[server as ServerName][1](url));
  return Object.assign({}, ...facts) as Facts;
}

function printJson(line: Line): void {
  console.log(JSON.stringify(line));
}

function printText({ name, value, unit, peer, peerValue, ratio, settings }: Line): void {
  const against = peer === undefined ? "" : `   ${peer} ${peerValue} ${unit}, ratio ${ratio}`;
  const range = settings["range"] === undefined ? "" : ` (${settings["range"]})`;
  console.log(`${name.padEnd(28)}${value} ${unit}${range}${against}`);
  if (name === "machine") for (const [fact, is] of Object.entries(settings)) console.log(`  ${fact.padEnd(26)}${is}`);
}

try {
  await main();
} catch (error) {
  const misused =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  console.error(misused ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = misused ? 2 : 1;
}
