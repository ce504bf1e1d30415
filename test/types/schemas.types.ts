// What publishers hand over and what handlers get, for each schema library, with and without transforms.
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { service } from "../../src/delivery/service.ts";
import type { DataOf, EventOf } from "../../src/event/contract.ts";
import { topic } from "../../src/event/topic.ts";
import { type Equal, same } from "./equal.ts";

interface Plain {
  orderId: string;
  total: number;
}

interface TextTime {
  orderId: string;
  at: string;
}

interface DateTime {
  orderId: string;
  at: Date;
}

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });

const plain = {
  zod: orders.event("plain.zod", { data: z.object({ orderId: z.string(), total: z.number() }) }),
  valibot: orders.event("plain.valibot", { data: v.object({ orderId: v.string(), total: v.number() }) }),
  arktype: orders.event("plain.arktype", { data: type({ orderId: "string", total: "number" }) }),
};
same<Equal<DataOf<typeof plain.zod>, Plain>>();
same<Equal<DataOf<typeof plain.valibot>, Plain>>();
same<Equal<DataOf<typeof plain.arktype>, Plain>>();
same<Equal<EventOf<typeof plain.zod>["data"], Plain>>();
same<Equal<EventOf<typeof plain.valibot>["data"], Plain>>();
same<Equal<EventOf<typeof plain.arktype>["data"], Plain>>();
same<Equal<EventOf<typeof plain.arktype>["type"], "plain.arktype">>();

const toDate = z.iso.datetime().transform((text) => new Date(text));
const transforming = {
  zod: orders.event("time.zod", { data: z.object({ orderId: z.string(), at: toDate }) }),
  valibot: orders.event("time.valibot", {
    data: v.object({ orderId: v.string(), at: v.pipe(v.string(), v.isoTimestamp(), v.toDate()) }),
  }),
  arktype: orders.event("time.arktype", { data: type({ orderId: "string", at: "string.date.iso.parse" }) }),
};
same<Equal<DataOf<typeof transforming.zod>, TextTime>>();
same<Equal<DataOf<typeof transforming.valibot>, TextTime>>();
same<Equal<DataOf<typeof transforming.arktype>, TextTime>>();
same<Equal<EventOf<typeof transforming.zod>["data"], DateTime>>();
same<Equal<EventOf<typeof transforming.valibot>["data"], DateTime>>();
same<Equal<EventOf<typeof transforming.arktype>["data"], DateTime>>();

service("times")
  .on(transforming.zod, (event, ctx) => {
    same<Equal<typeof event.data.at, Date>>();
    ctx.publish(transforming.zod, { orderId: "1", at: event.data.at.toISOString() });
    // @ts-expect-error the wire holds text, not what the schema makes of it
    ctx.publish(transforming.zod, { orderId: "1", at: event.data.at });
  })
  .on(transforming.valibot, (event) => same<Equal<typeof event.data.at, Date>>())
  .on(transforming.arktype, (event) => same<Equal<typeof event.data.at, Date>>());

const withDefault = orders.event("default", {
  data: z.object({ orderId: z.string(), currency: z.string().default("EUR") }),
});
same<Equal<DataOf<typeof withDefault>, { orderId: string; currency?: string | undefined }>>();
same<Equal<EventOf<typeof withDefault>["data"], { orderId: string; currency: string }>>();

const union = orders.event("union", {
  data: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("card"), orderId: z.string(), last4: z.string() }),
    z.object({ kind: z.literal("cash"), orderId: z.string() }),
  ]),
});
service("unions").on(union, ({ data }, ctx) => {
  ctx.publish(union, { kind: "cash", orderId: "1" });
  // @ts-expect-error a card has its last digits
  ctx.publish(union, { kind: "card", orderId: "1" });
  if (data.kind === "card") same<Equal<typeof data.last4, string>>();
});

// The data must hold what the topic's key is made of; the error stands at the schema.
orders.event("keyless.zod", {
  // @ts-expect-error no orderId
  data: z.object({ total: z.number() }),
});
orders.event("keyless.valibot", {
  // @ts-expect-error orderId of another type
  data: v.object({ orderId: v.number() }),
});
orders.event("keyless.arktype", {
  // @ts-expect-error orderId may be missing
  data: type({ "orderId?": "string" }),
});
// The key is made of what is published, not of what the schema makes of it.
orders.event("key.transformed", { data: z.object({ orderId: z.string().transform(Number) }) });
// @ts-expect-error a key is text or null
topic("wrong", { key: (data: { orderId: number }) => data.orderId });
topic("sometimes", { key: (data: { orderId?: string | undefined }) => data.orderId ?? null }).event("any", {
  data: type({ "orderId?": "string" }),
});
topic("without").event("any", { data: z.number() });
