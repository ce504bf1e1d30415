import { sleep } from "../platform/clock.ts";
import type { Lease } from "../ports/leases.ts";
import { type Group, joinGroup } from "../membership/group.ts";
import { stateHint } from "../membership/hint.ts";
import { identify } from "./identity.ts";
import type { OutboxOptions } from "./outbox-options.ts";
import { Relay, type RelayStatus } from "./relay.ts";
import { outboxPartitions, outboxTopic } from "./row.ts";
import { sweep, unsent } from "./sweep.ts";

/** The group of those who relay, beside the subscriptions of the store. */
const group = "$outbox";
/** How often rows that are sent are removed, in milliseconds. */
const sweepEveryMs = 10_000;
/** How long the end may take when there is no time left, in milliseconds. */
const graceMs = 1000;
/** How often to look whether everything is sent, in milliseconds. */
const lookEveryMs = 10;

/**
 * What units of work publish, on its way from the store to the broker. The processes of a store share the partitions of its
 * outbox as members share those of a topic: by leases, with a fence on everything that they write.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #relays = new Map<number, Relay>();
  #group: Group | undefined;
  #cancelSweep: (() => void) | undefined;
  #sweeping: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Begins to relay. Rejects when the store cannot be read. */
  async start(): Promise<void> {
    const { engine, platform, memberId, ttlMs, log } = this.#options;
    const { store, broker } = engine;
    const { id: storeId } = await identify(store, platform.ids);
    const hint = stateHint(store, group);
    this.#group = await joinGroup({
      leases: store.leases as NonNullable<typeof store.leases>,
      platform,
      group,
      memberId,
      ttlMs,
      partitions: Array.from({ length: outboxPartitions }, (_, partition) => ({ topic: outboxTopic, partition })),
      onAssigned: ({ partition }, lease) => this.#begin(storeId, partition, lease, { broker, store }),
      onRevoked: async ({ partition }) => {
        const relay = this.#relays.get(partition);
        this.#relays.delete(partition);
        await relay?.stop();
      },
      ...(hint ? { hint } : {}),
      log,
    });
    this.#sweepLater();
  }

  /**
   * Sends what is there, until this monotonic time at the most, and ends; a little later whatever the engines are still asked
   * for. What is not sent then is sent by the members that stay, or at the next start. Never rejects.
   */
  async stop(untilMs: number = Number.NEGATIVE_INFINITY): Promise<void> {
    await this.#sent(untilMs);
    this.#stopped = true;
    this.#cancelSweep?.();
    const ended = Promise.all([this.#sweeping, this.#group?.leave()]);
    await this.#orLate(ended, untilMs);
    // Its leases are void then, and others need not wait for it.
    await this.#group?.abandon();
  }

  /** Resolves with the work, or a little after this time. */
  #orLate(work: Promise<unknown>, untilMs: number): Promise<void> {
    const { clock } = this.#options.platform;
    return new Promise((resolve) => {
      const cancel = clock.after(Math.max(graceMs, untilMs - clock.monotonic()), resolve);
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Resolves when this process has sent what it has to send, when it cannot, or at this time. */
  async #sent(untilMs: number): Promise<void> {
    const { engine, platform } = this.#options;
    while (platform.clock.monotonic() < untilMs && this.trouble() === undefined) {
      const rows = await unsent(engine.store, [...this.#relays.keys()]).catch(() => 0);
      if (rows === 0) return;
      await sleep(platform.clock, lookEveryMs);
    }
  }

  /** The relays of this process. */
  status(): readonly RelayStatus[] {
    return [...this.#relays.values()].map((relay) => relay.status());
  }

  /** Why this process cannot send what it has to; undefined when that is not so. */
  trouble(): string | undefined {
    return this.status().find(({ trouble }) => trouble !== undefined)?.trouble ?? this.#group?.trouble();
  }

  async #begin(
    storeId: string,
    partition: number,
    lease: Lease,
    engines: Pick<OutboxOptions["engine"], "broker" | "store">,
  ): Promise<void> {
    const { platform, log } = this.#options;
    const fence = { lease: lease.name, token: lease.token };
    const onLost = (): void => void this.#group?.rebalanceNow();
    const relay = new Relay({ ...engines, storeId, partition, fence, platform, log, onLost });
    this.#relays.set(partition, relay);
    await relay.start();
  }

  #sweepLater(): void {
    if (this.#stopped) return;
    const { engine, platform } = this.#options;
    this.#cancelSweep = platform.clock.after(
      sweepEveryMs,
      () => {
        // One process is enough.
        const isFirst = this.#relays.has(0);
        this.#sweeping = isFirst ? sweep(engine.store, platform.clock.now()).catch(() => undefined) : Promise.resolve();
        void this.#sweeping.then(() => this.#sweepLater());
      },
      true,
    );
  }
}
