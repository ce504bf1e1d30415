import { TidingsError } from "../errors/tidings-error.ts";
import { type AppOptions, appOptionNames } from "../app/options.ts";
import { instantOf } from "../event/instant.ts";
import { checkOptions } from "../lib/options.ts";
import { virtualPlatform } from "../platform/virtual.ts";
import { TestKit } from "./kit.ts";
import { Session } from "./session.ts";

/** What `testApp` takes: the options of an application, without those that say where it runs. */
export interface TestAppOptions extends Partial<Omit<AppOptions, "url" | "engine" | "platform" | "memberId">> {
  /** Of all chance: the same seed gives the same run. 1 by default. */
  readonly seed?: number;
  /** When the clock stands at first; 2026-01-01T00:00:00Z by default. */
  readonly startAt?: string | number | Date;
  /** How long to wait, in real time, for a handler that awaits something real; 5 s. */
  readonly handlerTimeoutMs?: number;
  /** How many turns of the event loop one verb may take without time passing, before it is taken for endless; 100,000. */
  readonly turnsMax?: number;
}

const ofThePlace = ["url", "engine", "platform", "memberId"];
const own = ["seed", "startAt", "handlerTimeoutMs", "turnsMax"];

/**
 * Starts an application on the memory engine and a virtual clock. Throws what `tidings()` and `app.start()` throw.
 *
 * @example
 * await using kit = await testApp({ services: [payments] });
 * await kit.when(OrderPlaced, { orderId: "42", total: 9 });
 * await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
 */
export async function testApp(options: TestAppOptions = {}): Promise<TestKit> {
  const names = appOptionNames.filter((name) => !ofThePlace.includes(name));
  checkOptions("testApp()", options, [...names, ...own]);
  const { seed = 1, startAt = Date.UTC(2026, 0, 1), handlerTimeoutMs = 5000, turnsMax = 100_000 } = options;
  const { services = [], name = "test", ...rest } = without(options, own);
  const startMs = instantOf(startAt);
  if (startMs === undefined) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The option startAt of testApp() is no instant (${String(startAt)}): give a Date, milliseconds since 1970, or text with a zone such as 2026-01-31T12:00:00Z.`,
    );
  }
  const platform = virtualPlatform({ seed, startMs });
  return new TestKit(await Session.open({ app: { ...rest, name }, platform, handlerTimeoutMs, turnsMax }, services));
}

function without(options: TestAppOptions, names: readonly string[]): TestAppOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}
