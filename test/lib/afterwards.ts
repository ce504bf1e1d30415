import type { TestContext } from "node:test";

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Does this after the test, before what was asked for earlier. */
export function afterwards(t: TestContext, clean: () => unknown): void {
  let list = cleanups.get(t);
  if (!list) {
    const stack: (() => unknown)[] = [];
    cleanups.set(t, (list = stack));
    t.after(async () => {
      for (let next = stack.pop(); next; next = stack.pop()) await next();
    });
  }
  list.push(clean);
}
