import { collections } from "../delivery/records.ts";
import { checkText } from "../lib/arguments.ts";
import type { Engine } from "../ports/engine.ts";

/** The documents of a service, read from outside. */
export interface ServiceState<Value> {
  get(key: string): Promise<Value | undefined>;
  /** All documents in key order, read in pages. */
  entries(): AsyncIterable<readonly [key: string, value: Value]>;
  count(): Promise<number>;
}

const pageMax = 1000;

/** Reads the committed documents of a service. */
export function serviceState<Value>(engine: Engine, service: string, box: string): ServiceState<Value> {
  const collection = collections.state(service, box);
  const state = engine.state as NonNullable<Engine["state"]>;
  return {
    async get(key) {
      checkText("app.state().get()", "a key", key);
      const [document] = await state.get(collection, [key]);
      return document && (JSON.parse(document.value) as Value);
    },
    async *entries() {
      for (let after: string | undefined; ;) {
        const page = await state.scan(collection, { limit: pageMax, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page) yield [key, JSON.parse(value) as Value] as const;
        if (page.length < pageMax) return;
        after = page[page.length - 1]?.key;
      }
    },
    count: () => state.count(collection),
  };
}
