// The README's first program, checked by the compiler alone.
import { z } from "zod";

import type { App } from "../../src/app/app.ts";
import { service } from "../../src/delivery/service.ts";
import type { Contract, DataOf, EventOf } from "../../src/event/contract.ts";
import type { Event } from "../../src/event/envelope.ts";
import { topic } from "../../src/event/topic.ts";
import { type Equal, same } from "./equal.ts";

declare const app: App;

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const PaymentCaptured = orders.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

service("payments", { from: "start" })
  .on(OrderPlaced, (order, ctx) => {
    same<Equal<typeof order, Event<"shop.order.placed", { orderId: string; total: number }>>>();
    same<Equal<typeof order.type, "shop.order.placed">>();
    const captured = ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
    same<Equal<typeof captured.id, string>>();
    same<Equal<typeof captured.data, { orderId: string }>>();

    // @ts-expect-error the handler's data has no such property
    void order.data.customer;
    // @ts-expect-error events are facts: nobody changes them
    order.data = { orderId: "1", total: 1 };
    // @ts-expect-error a payload without the key
    ctx.publish(PaymentCaptured, {});
    // @ts-expect-error the payload of another event
    ctx.publish(OrderPlaced, { orderId: "1" });
    // @ts-expect-error no such option
    ctx.publish(PaymentCaptured, { orderId: "1" }, { subjet: "x" });
  })
  .on(PaymentCaptured, async (payment) => {
    same<Equal<typeof payment.data, { orderId: string }>>();
    await Promise.resolve();
  });

// A handler may say what it takes, as long as that is what it gets.
service("figures").on(OrderPlaced, (order: EventOf<typeof OrderPlaced>) => void order.data.total);
// @ts-expect-error a handler for another event
service("wrong").on(OrderPlaced, (payment: Event<"shop.payment.captured", { orderId: string }>) => void payment);
// @ts-expect-error a handler that wants more than the event has
service("wrong").on(OrderPlaced, (order: Event<"shop.order.placed", { customer: string }>) => void order);
// @ts-expect-error a topic is no event type
service("wrong").on(orders, () => {});

await app.publish(OrderPlaced, { orderId: "42", total: 99.9 });
await app.publish(OrderPlaced, {
  orderId: "42",
  // @ts-expect-error the error stands at the property that is wrong
  total: "99.9",
});
await app.publish(OrderPlaced, {
  orderId: "42",
  total: 1,
  // @ts-expect-error the error stands at the property that is not known
  currency: "EUR",
});

// An option that may be undefined need not be left out.
const maybe = undefined as string | undefined;
await app.publish(OrderPlaced, { orderId: "42", total: 1 }, { subject: maybe, time: new Date(0), key: null });
// @ts-expect-error an extension attribute is text
await app.publish(OrderPlaced, { orderId: "42", total: 1 }, { extensions: { retries: 5 } });

same<Equal<DataOf<typeof OrderPlaced>, { orderId: string; total: number }>>();
same<Equal<EventOf<typeof OrderPlaced>["data"], { orderId: string; total: number }>>();

// Any contract is a Contract, so that lists of them need no type arguments.
const all: readonly Contract[] = [OrderPlaced, PaymentCaptured];
void all;
