import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Ids } from "./uuid7.ts";

/** What an application needs from the world besides its engines: time, chance and ids. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
}
