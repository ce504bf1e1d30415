import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Makes identifiers. */
export interface Ids {
  /** A UUID of version 7, greater than every one this source gave before. */
  readonly next: () => string;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hexByte = (value: number): string => hex[value & 0xff] as string;

/**
 * UUIDv7 of RFC 9562 with its method 1 for monotonicity: rand_a is a counter of 12 bits that begins
 * at a random value below half its range in each millisecond; when it is used up, or when the clock
 * steps back, the timestamp is carried on from the last one, so that ids of a process always rise.
 */
export function uuid7Source(clock: Clock, random: Random): Ids {
  let lastMs = -1;
  let counter = 0;
  let prefix = "";

  function advance(): void {
    // A clock may tell parts of a millisecond; two of them in one must not draw the counter twice.
    const now = Math.floor(clock.now());
    if (now > lastMs) {
      lastMs = now;
      counter = random.uint32() & 0x7ff;
    } else if (++counter > 0xfff) {
      lastMs += 1;
      counter = random.uint32() & 0x7ff;
    } else {
      return;
    }
    const high = Math.floor(lastMs / 0x1_0000);
    const low = lastMs & 0xffff;
    prefix = `${hexByte(high >>> 24)}${hexByte(high >>> 16)}${hexByte(high >>> 8)}${hexByte(high)}-${hexByte(low >>> 8)}${hexByte(low)}-7`;
  }

  return {
    next() {
      advance();
      const a = random.uint32();
      const b = random.uint32();
      const middle = hexByte(counter).padStart(2, "0");
      const top = (counter >>> 8).toString(16);
      return (
        `${prefix}${top}${middle}-${hexByte(0x80 | (a & 0x3f))}${hexByte(a >>> 8)}-` +
        `${hexByte(a >>> 16)}${hexByte(a >>> 24)}${hexByte(b)}${hexByte(b >>> 8)}${hexByte(b >>> 16)}${hexByte(b >>> 24)}`
      );
    },
  };
}
