// A process of the scenarios "counter", "fleet" and "birth".
import { chanceOf } from "../../examples/shop/random.ts";
import { Counted, echoes, keyCount, openCounter } from "./counter-app.ts";
import { repeatNowAndThen } from "./echo.ts";
import { type Publishing, publishShares } from "./publish.ts";
import { comeToRest } from "./rest.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface CounterTask extends Publishing {
  readonly file: string;
  readonly seed: number;
  readonly memberId?: string;
  readonly memberTtlMs?: number;
}

/** Where the kill point is in the end of an application, the process comes to its end after so long. */
const stopMs = 150;
/** So often the service of a topic with retention is paused, for longer than most processes live. */
const lagShare = 0.15;
const lagMs = 2_500;

const { file, seed, last, point, memberId, memberTtlMs, ...publishing } = await taskOfThisProcess<CounterTask>();
const member = { ...(memberId ? { memberId } : {}), ...(memberTtlMs ? { memberTtlMs } : {}) };
const app = openCounter({ file, seed, services: true, ...member });
await app.start();
ready();

const name = `${seed}/${process.pid}`;
if (!last && chanceOf(`${name}/lag`) < lagShare) {
  const pause = { reason: "it is to lag behind, so that retention has to wait for it", untilMs: Date.now() + lagMs };
  await app.admin.subscriptions.pause("marker/marks", pause);
}
const stopping = new AbortController();
const published = new AbortController();
if (point.startsWith("wal-truncate")) setTimeout(() => stopping.abort(), stopMs);
const repeating = repeatNowAndThen(app, echoes.name, `${name}/echo`, published.signal);
await publishShares(app, Counted, keyCount, publishing, stopping.signal);
published.abort();
await repeating;
if (last) await comeToRest(app);
await app.stop();
