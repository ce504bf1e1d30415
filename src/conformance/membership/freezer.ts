import type { MembershipHint } from "../../membership/hint.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Leases } from "../../ports/leases.ts";

/** Stops what a member does at its next step and lets it go on later, as SIGSTOP and SIGCONT do to a process. */
export interface Freezer {
  freeze(): void;
  thaw(): void;
  /** Freezes when the member next comes to `gateBeforeWriting`. */
  freezeBeforeWriting(): void;
  readonly frozen: boolean;
  /** Resolves when the member may go on. */
  gate(): Promise<void>;
  gateBeforeWriting(): Promise<void>;
  platform(platform: Platform): Platform;
  leases(leases: Leases): Leases;
  hint(hint: MembershipHint | undefined): MembershipHint | undefined;
}

/** A freezer for one member. */
export function freezer(): Freezer {
  let frozen = false;
  let freezeNext = false;
  const waiting = new Set<() => void>();
  const whenThawed = (fn: () => void): (() => void) => {
    if (frozen) waiting.add(fn);
    else fn();
    return () => void waiting.delete(fn);
  };
  const gate = (): Promise<void> => new Promise((resolve) => void whenThawed(resolve));
  return {
    get frozen() {
      return frozen;
    },
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      for (const fn of waiting) fn();
      waiting.clear();
    },
    freezeBeforeWriting() {
      freezeNext = true;
    },
    gate,
    gateBeforeWriting() {
      frozen ||= freezeNext;
      freezeNext = false;
      return gate();
    },
    platform: (platform) => ({
      ...platform,
      clock: {
        ...platform.clock,
        after(delayMs, fn, background) {
          let forget = (): void => undefined;
          const cancel = platform.clock.after(delayMs, () => void (forget = whenThawed(fn)), background);
          return () => {
            cancel();
            forget();
          };
        },
      },
    }),
    leases: (leases) => ({
      acquire: (requests) => gate().then(() => leases.acquire(requests)),
      renew: (held, ttlMs) => gate().then(() => leases.renew(held, ttlMs)),
      release: (held) => gate().then(() => leases.release(held)),
      list: (prefix) => gate().then(() => leases.list(prefix)),
    }),
    hint: (hint) =>
      hint && {
        watch: (listener) => hint.watch(() => void whenThawed(listener)),
        touch: () => gate().then(() => hint.touch()),
      },
  };
}
