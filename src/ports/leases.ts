/** A right of one owner, for a time. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  /** Fencing token: rises each time the lease changes hands, for ever, also after it was free. */
  readonly token: number;
  /** By the engine's clock, milliseconds since 1970 UTC. */
  readonly expiresAtMs: number;
}

/** What one asks for. */
export interface LeaseRequest {
  readonly name: string;
  readonly owner: string;
  readonly ttlMs: number;
}

/**
 * One owner at a time with a fencing token. A lease alone does not stop a paused owner that believes to
 * hold it still: `Transaction.fences` does. Writes here need not survive a power cut, but a token never
 * goes back, also over a power cut, as long as it was used in a durable transaction.
 */
export interface Leases {
  /**
   * Takes each lease that is free, expired, or already held by the same owner (then it is
   * renewed and keeps its token). By request: the lease when it was got, else undefined.
   */
  acquire(requests: readonly LeaseRequest[]): Promise<readonly (Lease | undefined)[]>;
  /** Prolongs leases by owner and token; undefined for one that another owner has taken or that was released. An expired lease that nobody took is renewed. */
  renew(leases: readonly Lease[], ttlMs: number): Promise<readonly (Lease | undefined)[]>;
  /** Frees leases that are still held with these tokens; others are left alone. */
  release(leases: readonly Lease[]): Promise<void>;
  /** Every lease of which the name begins with the prefix and that is held now, in name order. */
  list(prefix: string): Promise<readonly Lease[]>;
}
