import { AsyncLocalStorage } from "node:async_hooks";

/** Runs a function so that whatever it calls, also later, is known to stand in a handler. */
export type HandlerScope = <Result, Args extends unknown[]>(fn: (...args: Args) => Result, ...args: Args) => Result;

const storage = new AsyncLocalStorage<string>();

/** The scope of a subscription's handlers: one for all of them, because a frame for each event costs more than most handlers. */
export function handlerScope(subscription: string): HandlerScope {
  return storage.run(subscription, () => AsyncLocalStorage.snapshot());
}

/** The subscription in whose handler the running code stands, so that a stray `app.publish` is noticed. */
export function handlingSubscription(): string | undefined {
  return storage.getStore();
}
