// A small shop for the tests of the test kit.
import assert from "node:assert/strict";
import { service, type ServiceOptions, type Service, TerminalError, topic } from "tidings";
import { z } from "zod";

export const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
export const OrderPlaced = orders.event("shop.order.placed", {
  data: z.object({ orderId: z.string(), total: z.number() }),
});
export const PaymentCaptured = orders.event("shop.payment.captured", {
  data: z.object({ orderId: z.string(), total: z.number().optional() }),
});
export const PaymentRefused = orders.event("shop.payment.refused", { data: z.object({ orderId: z.string() }) });

/** Captures a payment for each order and sums them up by order; throws what `fails` says, given how often it was called. */
export function payments(
  options: ServiceOptions & { readonly fails?: (calls: number, orderId: string) => Error | undefined } = {},
): Service & { calls: string[] } {
  const { fails, ...rest } = options;
  const calls: string[] = [];
  const made = service("payments", rest).on(OrderPlaced, async ({ data }, ctx) => {
    calls.push(data.orderId);
    const error = fails?.(calls.length, data.orderId);
    if (error) throw error;
    if (data.total < 0) throw new TerminalError("the total is negative");
    const sums = ctx.state<number>("sums");
    sums.set(data.orderId, ((await sums.get(data.orderId)) ?? 0) + data.total);
    ctx.publish(PaymentCaptured, { orderId: data.orderId });
  });
  return Object.assign(made, { calls });
}

/** Fails the first so many times. */
export const failingFirst =
  (times: number) =>
  (calls: number): Error | undefined =>
    calls <= times ? new Error(`no luck (${calls})`) : undefined;

/** The message with which the work fails. */
export async function messageOf(work: Promise<unknown>, code: string): Promise<string> {
  let message = "";
  await assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    message = error.message;
    return true;
  });
  return message;
}
