import { sleep } from "../platform/clock.ts";
import type { Env, Opened } from "./suite.ts";

/** What the cases get, from what the factory gave. Waiting ends with the signal, so that nothing of a case outlives it. */
export function envOf(opened: Opened, over: AbortSignal): Env {
  const { engine, platform } = opened;
  const wait = (ms: number): Promise<void> => sleep(platform.clock, ms, over);
  const unique = (prefix = "t"): string => `${prefix}-${platform.ids.next()}`;
  return {
    opened,
    engine,
    platform,
    capabilities: engine.capabilities,
    get state() {
      return present(engine.state, "the engine has no state");
    },
    get timers() {
      return present(engine.timers, "the engine has no timers");
    },
    get leases() {
      return present(engine.leases, "the engine has no leases");
    },
    transact: (transaction) => {
      if (!engine.transact) throw new Error("The engine has no transact.");
      return engine.transact(transaction);
    },
    unique,
    async topic(partitions = 1) {
      const name = unique();
      await engine.topics.declare([{ name, partitions }]);
      return name;
    },
    async second() {
      return present(await opened.second?.(), "sharedByProcesses is declared, so the factory must offer second()");
    },
    async reopen() {
      return present(await opened.reopen?.(), "persistent is declared, so the factory must offer reopen()");
    },
    pass: (ms) => (opened.pass ? opened.pass(ms) : wait(ms)),
    wait,
  };
}

function present<Value>(value: Value | undefined, otherwise: string): Value {
  if (value === undefined) throw new Error(`Not offered: ${otherwise}.`);
  return value;
}
