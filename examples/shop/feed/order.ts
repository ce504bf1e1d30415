// An order as the feed knows it, wherever it comes from. Instants are milliseconds since 1970, UTC; money is in cents.

import type { OrderStatus } from "../events.ts";

export interface Item {
  readonly productId: string;
  readonly sellerId: string;
  readonly priceCents: number;
  readonly freightCents: number;
}

export interface Payment {
  /** 1, 2, … within the order. */
  readonly payment: number;
  readonly type: string;
  readonly installments: number;
  readonly cents: number;
}

export interface Order {
  readonly orderId: string;
  readonly customer: { readonly city: string; readonly state: string };
  /** What the shop's books say last about it. */
  readonly status: OrderStatus;
  readonly purchasedMs: number;
  /** Undefined where it did not happen. */
  readonly approvedMs: number | undefined;
  readonly carrierMs: number | undefined;
  readonly deliveredMs: number | undefined;
  readonly estimatedMs: number;
  readonly items: readonly Item[];
  readonly payments: readonly Payment[];
}
