// A process of the scenarios "counter", "fleet" and "birth".
import { Counted, keyCount, openCounter } from "./counter-app.ts";
import { type Publishing, publishShares } from "./publish.ts";
import { ready, taskOfThisProcess } from "./speak.ts";

export interface CounterTask extends Publishing {
  readonly file: string;
  readonly seed: number;
  readonly memberId?: string;
  readonly memberTtlMs?: number;
}

/** Where the kill point is in the end of an application, the process comes to its end after so long. */
const stopMs = 150;

const { file, seed, last, point, memberId, memberTtlMs, ...publishing } = await taskOfThisProcess<CounterTask>();
const member = { ...(memberId ? { memberId } : {}), ...(memberTtlMs ? { memberTtlMs } : {}) };
const app = openCounter({ file, seed, services: true, ...member });
await app.start();
ready();

const stopping = new AbortController();
if (point.startsWith("wal-truncate")) setTimeout(() => stopping.abort(), stopMs);
await publishShares(app, Counted, keyCount, publishing, stopping.signal);
if (last) await app.settled({ timeoutMs: 240_000 });
await app.stop();
