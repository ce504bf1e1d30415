// A TCP proxy on loopback between the members and the server, with faults for one connection, some of them or all.
import { createConnection, createServer, type Server, type Socket } from "node:net";

import { type Dice, dice } from "../../examples/shop/random.ts";
import { Link } from "./link.ts";

/** Which of the connections that are open a fault hits: one, half of them, or all. */
export type Share = "one" | "some" | "all";

/** What a proxy does with new connections. */
type Welcome = "forward" | "refuse";

export class FaultProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #chance: Dice;
  readonly #latencyMs: number;
  readonly #links = new Set<Link>();
  #welcome: Welcome = "forward";
  readonly #goneHalfOpen: Link[] = [];
  #slow: { readonly delayMs: number; readonly bytesPerSecond: number } | undefined;

  private constructor(server: Server, seed: number | string, targetPort: number, latencyMs: number) {
    this.#server = server;
    this.#latencyMs = latencyMs;
    this.#chance = dice(`${seed}/proxy`);
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
    this.port = address.port;
    server.on("connection", (client: Socket) => this.#welcomed(client, targetPort));
  }

  /** Listens on a free port and leads to another one, by a way that takes so long in each direction. */
  static listen(targetPort: number, seed: number | string, latencyMs = 0): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: 0 }, () => resolve(new FaultProxy(server, seed, targetPort, latencyMs)));
    });
  }

  #welcomed(client: Socket, targetPort: number): void {
    if (this.#welcome === "refuse") {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = createConnection({ host: "127.0.0.1", port: targetPort, allowHalfOpen: true, noDelay: true });
    const link = new Link(client, server, this.#latencyMs, () => {
      this.#links.delete(link);
      if (link.swallows) this.#goneHalfOpen.push(link);
    });
    if (this.#slow) link.slow(this.#slow.delayMs, this.#slow.bytesPerSecond);
    this.#links.add(link);
  }

  /** How many connections are open and work. */
  get connections(): number {
    return this.#sound().length;
  }

  /** By half-open connection, how many bytes the client has sent in vain. */
  get swallowed(): readonly number[] {
    return [...this.#links, ...this.#goneHalfOpen].filter(({ swallows }) => swallows).map(({ swallowed }) => swallowed);
  }

  /** Ends connections in order (FIN), both ways. Answers how many, as the others do. */
  cut(share: Share): number {
    return this.#each(share, (link) => link.cut());
  }

  /** Ends connections at once (RST), both ways; what is under way is lost. */
  reset(share: Share): number {
    return this.#each(share, (link) => link.reset());
  }

  /** Swallows all that comes, both ways and for ever, and keeps the connections open: each side believes in the other. */
  halfOpen(share: Share): number {
    return this.#each(share, (link) => link.swallow());
  }

  /** Lets so many more bytes of each direction pass and then resets: in the middle of a message. */
  cutAfter(share: Share, bytes: number): number {
    return this.#each(share, (link) => link.cutAfter(1 + Math.floor(this.#chance.next() * bytes)));
  }

  /** Delays and throttles connections, for all also those to come; the function that is answered ends it. */
  slow(share: Share, delayMs: number, bytesPerSecond: number): () => void {
    const hit: Link[] = [];
    if (share === "all") this.#slow = { delayMs, bytesPerSecond };
    this.#each(share, (link) => {
      link.slow(delayMs, bytesPerSecond);
      hit.push(link);
    });
    return () => {
      const all = share === "all" ? [...hit, ...this.#links] : hit;
      this.#slow = undefined;
      for (const link of all) link.quick();
    };
  }

  /** Resets every connection that somebody tries to make; the function that is answered ends it. */
  refuse(): () => void {
    this.#welcome = "refuse";
    return () => void (this.#welcome = "forward");
  }

  /** What swallows is no longer a connection that a fault can hit. */
  #sound(): Link[] {
    return [...this.#links].filter((link) => !link.swallows);
  }

  #each(share: Share, inflict: (link: Link) => void): number {
    const links = this.#sound();
    if (links.length === 0) return 0;
    const hit =
      share === "all"
        ? links
        : share === "one"
          ? [this.#chance.pick(links)]
          : links.filter(() => this.#chance.next() < 0.5);
    for (const link of hit) inflict(link);
    return hit.length;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const link of Array.from(this.#links)) link.reset();
    await closed;
  }
}
