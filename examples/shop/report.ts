// What the shop prints on stdout: a page for people, or JSON lines.
import type { Summary } from "./figures.ts";
import type { Trouble } from "./mend.ts";
import { dataFolder, type Options } from "./options.ts";

export interface Circumstances {
  readonly options: Options;
  /** Whether an earlier run had done all of the work. */
  readonly again: boolean;
  readonly seconds: number;
}

/** Dead letters on the page for people. */
const shownMax = 10;

export async function printSummary(summary: Summary, circumstances: Circumstances): Promise<void> {
  await print(circumstances.options.json ? JSON.stringify(summary) : page(summary, circumstances));
}

export async function printTrouble(trouble: readonly Trouble[], { json }: Options): Promise<void> {
  if (json) return print(JSON.stringify({ trouble }));
  const lines = trouble
    .slice(0, shownMax)
    .map(
      ({ subscription, type, event, error, waiting }) =>
        `  ${subscription}  ${type}  ${event}\n    ${error} ${behind(waiting)}`,
    );
  const more = trouble.length > shownMax ? [`  … and ${trouble.length - shownMax} more`] : [];
  const title = `${trouble.length} dead letters, each of which holds up its own order and no other:`;
  await print([title, ...lines, ...more, ""].join("\n"));
}

function behind(waiting: number): string {
  if (waiting === 0) return "Nothing waits behind it.";
  return waiting === 1 ? "1 later event waits behind it." : `${waiting} later events wait behind it.`;
}

function page(summary: Summary, { options, again, seconds }: Circumstances): string {
  const { revenueByState, topSellers } = summary;
  const states = Object.entries(revenueByState);
  const rows: [string, string][] = [
    ["orders", `${count(summary.orders)} (${list(summary.byStatus, count)})`],
    ["items", count(summary.items)],
    ["revenue", money(summary.revenue)],
    ["paid orders", count(summary.paidOrders)],
    ["payments", list(summary.paymentsByType, money)],
    ["late deliveries", count(summary.lateDeliveries)],
    [
      "states",
      `${list(Object.fromEntries(states.slice(0, 5)), money)}${states.length > 5 ? ` and ${states.length - 5} more` : ""}`,
    ],
    ["top sellers", topSellers.map(({ sellerId, revenue }) => `${sellerId.slice(0, 10)} ${money(revenue)}`).join(", ")],
    [
      "events",
      `${count(summary.published)} published, ${count(summary.handled)} handled, ${count(summary.filtered)} filtered`,
    ],
    ["left over", `${count(summary.deadLetters)} dead letters, ${count(summary.pending)} pending`],
  ];
  const title = again ? doneBefore(options) : `Done in ${seconds.toFixed(1)} s on ${withoutPassword(options.url)}.`;
  const table = rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`);
  return [title, "", ...table, "", ...next(options)].join("\n");
}

function doneBefore({ url, fail, poison, kills, speed }: Options): string {
  const title = `All of this was done by an earlier run on ${withoutPassword(url)}; started again, the shop sums up what is there.`;
  const idle = fail > 0 || poison > 0 || kills > 0 || speed !== undefined;
  return idle ? `${title}\nNothing was left to go wrong: add --fresh to begin anew.` : title;
}

/** What to try from here. */
function next({ url, file, data }: Options): string[] {
  // What is only in memory is gone when this process ends.
  if (url.startsWith("memory:")) return ["Try next: npm start, which keeps its events in a file."];
  if (file === undefined) return ["Try next, with the same address in TIDINGS_URL: npm run tidings -- sub ls"];
  const given = url.startsWith(`sqlite:${dataFolder}`) ? "" : `--url ${url} `;
  const start = `npm start -- ${data === undefined ? "" : `--data ${data} `}${given}--fresh`;
  const tidings = "npm run tidings --";
  const commands: [string, string][] = [
    [`${start} --fail 0.05`, "handlers fail at random and are tried again"],
    [`${start} --poison 7`, "orders fail for good, are looked at, mended, redriven"],
    [`${start} --processes 3 --kills 10`, "three processes, ended by SIGKILL ten times"],
    [`${tidings} sub ls --url ${url}`, "how far every subscription is"],
    [`${tidings} tail orders --from start --until end --url ${url}`, "the events themselves"],
    [`${tidings} dlq ls --url ${url}`, "dead letters, none now"],
  ];
  const width = Math.max(...commands.map(([command]) => command.length));
  return [
    "Started again, it prints the same at once. Try next:",
    ...commands.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`),
  ];
}

/** An address as it may stand on a screen. */
const withoutPassword = (url: string): string => url.replace(/\/\/([^:@/]*):[^@/]*@/, "//$1:***@");

function list(values: Readonly<Record<string, number>>, show: (value: number) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(", ");
}

const whole = new Intl.NumberFormat("en-US");
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const count = (value: number): string => whole.format(value);
const money = (value: number): string => cents.format(value);

/** Resolves when the text has left the process, so that ending it right after cuts nothing off. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => (error ? reject(error) : resolve()));
  });
}
