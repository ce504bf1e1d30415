import { memberPrefix } from "../../membership/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Leases } from "../../ports/leases.ts";

/** What is needed to learn whether the owners before live. */
export interface LastOwnersOptions {
  readonly leases: Leases;
  readonly clock: Clock;
  /** Name of the group, which is that of the subscription. */
  readonly group: string;
  /** Who owns the partition now. */
  readonly owner: string;
  /** Those who had claimed; undefined when a version before this one did. */
  readonly by: readonly string[] | undefined;
}

/** How long to wait between two looks at the leases, in milliseconds. */
const lookEveryMs = 250;

/**
 * Whether those who had claimed positions live and have only lost the partition, as all do in an outage of the store: then
 * nothing that they ran has killed anybody. A lease that has not run out proves nothing, because a dead member's does so by
 * itself; one that is renewed after the partition changed hands does. A renewal that a dead member had sent before can
 * come late and deceive: then an event costs one more death before it is suspected.
 */
export class LastOwners {
  readonly #options: LastOwnersOptions;
  /** Those of whom it is not known. */
  readonly #missing: Set<string>;
  /** By owner, until when its lease ran at the first look. */
  #seen: ReadonlyMap<string, number> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LastOwnersOptions) {
    this.#options = options;
    this.#missing = new Set(options.by?.filter((owner) => owner !== options.owner));
  }

  /** Looks at the leases if it is time to. Never rejects: what cannot be read proves nothing. */
  async live(): Promise<boolean> {
    const { by, clock } = this.#options;
    if (by === undefined) return false;
    if (this.#missing.size > 0 && clock.monotonic() - this.#lookedAtMs >= lookEveryMs) await this.#look();
    return this.#missing.size === 0;
  }

  async #look(): Promise<void> {
    const { leases, clock, group } = this.#options;
    this.#lookedAtMs = clock.monotonic();
    const found = await leases.list(memberPrefix(group)).catch(() => undefined);
    if (!found) return;
    const seen = (this.#seen ??= new Map(found.map(({ owner, expiresAtMs }) => [owner, expiresAtMs])));
    for (const { owner, expiresAtMs } of found) if (expiresAtMs > (seen.get(owner) ?? 0)) this.#missing.delete(owner);
  }
}
