import { AsyncLocalStorage } from "node:async_hooks";
import { fileURLToPath } from "node:url";
import { codeOf, legible, textOf } from "../delivery/failure/failure.ts";
import { generalize } from "../delivery/failure/fingerprint.ts";
import type { BatchHandler, Handler, Route, Service } from "../delivery/service.ts";
import { systemClock } from "../platform/system.ts";
import { sleep } from "../platform/clock.ts";

/** A failure that nobody awaited: outside of a test it would end the process. */
export interface Stray {
  /** The service and the type of the event whose handler began it; undefined for other code. */
  readonly service: string | undefined;
  readonly event: string | undefined;
  /** All of it in a sentence. */
  readonly message: string;
}

/** Who runs. */
interface Owner {
  readonly what: string;
  readonly service?: string;
  readonly event?: string;
}

const owners = new AsyncLocalStorage<Owner>();

/** What a user hands over to be tried. */
interface Tried {
  readonly services: readonly Service[] | ((start: never) => readonly Service[]);
  readonly workload: (world: never) => Promise<void>;
}

/** The same services and workload, which are known again by what they leave behind. What is neither stays for others to refuse. */
export function owned<Options extends Tried>(options: Options): Options {
  const { services, workload } = options;
  return {
    ...options,
    services:
      typeof services === "function" ? (start: never) => ownedServices(services(start)) : ownedServices(services),
    workload:
      typeof workload === "function"
        ? (world: never) => owners.run({ what: "The workload" }, () => workload(world))
        : workload,
  };
}

function ownedServices(services: readonly Service[]): readonly Service[] {
  if (!Array.isArray(services)) return services;
  return services.map((service: Service | undefined) => {
    if (!(service?.routes instanceof Map)) return service as Service;
    const routes = [...service.routes].map(([type, route]) => [type, ownedRoute(service.name, type, route)] as const);
    return { ...service, routes: new Map(routes) };
  });
}

function ownedRoute(service: string, event: string, route: Route): Route {
  const { handler, batch } = route;
  const owner: Owner = { what: `The handler of "${event}" in the service "${service}"`, service, event };
  const one = handler as Handler<string, unknown> | undefined;
  const many = batch?.handler as BatchHandler<string, unknown> | undefined;
  return {
    ...route,
    handler: one && ((...given) => owners.run(owner, () => one(...given))),
    batch: batch && many && { ...batch, handler: (...given) => owners.run(owner, () => many(...given)) },
  };
}

/**
 * Does the work while failures that nobody awaits are told to `found` instead of ending the process. What is thrown where
 * no handler and no workload began it ends the work with that.
 */
export async function withStrays<Result>(work: () => Promise<Result>, found: (stray: Stray) => void): Promise<Result> {
  const seen = new Set<string>();
  const tell = (what: string, error: unknown): void => {
    const { what: who = "Code outside of any handler", service, event } = owners.getStore() ?? {};
    const message = `${who} ${what}: ${wordsOf(error)}. Await it, or handle its failure: elsewhere this would end the process.`;
    // The same of another event is no other finding.
    const fault = generalize(message);
    if (seen.has(fault)) return;
    seen.add(fault);
    found({ service, event, message });
  };
  let end: (error: unknown) => void;
  const ended = new Promise<never>((_, reject) => (end = reject));
  const rejected = (error: unknown): void => tell("left a promise behind that was rejected", error);
  const thrown = (error: unknown): void =>
    owners.getStore() ? tell("left something behind that threw", error) : end(error);
  process.on("unhandledRejection", rejected);
  process.on("uncaughtException", thrown);
  try {
    const result = await Promise.race([work(), ended]);
    // What was rejected last is told after this turn of the event loop.
    await sleep(systemClock, 0);
    return result;
  } finally {
    process.off("unhandledRejection", rejected);
    process.off("uncaughtException", thrown);
  }
}

function wordsOf(error: unknown): string {
  const readable = legible(error);
  const place = readable instanceof Error ? placeOf(readable.stack) : undefined;
  const name = readable instanceof Error ? `${codeOf(readable)}: ` : "";
  return `${name}${textOf(readable)}${place === undefined ? "" : ` (${place})`}`;
}

/** Where in code of the user an error was made. */
function placeOf(stack = ""): string | undefined {
  for (const line of stack.split("\n")) {
    const [, place = ""] = /^\s+at (?:.*\()?(.*:\d+:\d+)\)?$/.exec(line) ?? [];
    const path = place.startsWith("file:") ? fileURLToPath(place.replace(/:\d+:\d+$/, "")) : place;
    if (place === "" || path.startsWith("node:") || path.startsWith(ourFolder) || path.includes("/node_modules/"))
      continue;
    return place.startsWith("file:") ? `${path}${/:\d+:\d+$/.exec(place)?.[0] ?? ""}` : place;
  }
  return undefined;
}

const ourFolder = fileURLToPath(new URL("../", import.meta.url));
