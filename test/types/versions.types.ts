// Versions and upcasters, each step typed by the one before.
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { service } from "../../src/delivery/service.ts";
import { type DataOf, type EventOf, several } from "../../src/event/contract.ts";
import { topic } from "../../src/event/topic.ts";
import { type Equal, same } from "./equal.ts";

const orders = topic("orders", { key: (data: { id: string }) => data.id });

const toDate = z.iso.datetime().transform((text) => new Date(text));
const first = orders.event("placed", { data: z.object({ id: z.string(), at: toDate }) });

const second = first.version(2, {
  data: v.object({ id: v.string(), at: v.string(), cents: v.number() }),
  upcast: (data) => {
    // What was stored is what was published: the text, not the Date.
    same<Equal<typeof data, { id: string; at: string }>>();
    return { ...data, cents: 0 };
  },
});
same<Equal<DataOf<typeof second>, { id: string; at: string; cents: number }>>();

const third = second.version(3, {
  data: type({ id: "string", at: "string.date.iso.parse", money: { cents: "number", currency: "'EUR' | 'BRL'" } }),
  upcast: ({ id, at, cents }) => ({ id, at, money: { cents, currency: "EUR" } }),
});
same<Equal<EventOf<typeof third>["data"]["at"], Date>>();
same<Equal<EventOf<typeof third>["data"]["money"]["currency"], "EUR" | "BRL">>();
same<Equal<EventOf<typeof third>["type"], "placed">>();

service("orders").on(third, ({ data }) => same<Equal<typeof data.money.cents, number>>());

// Constants, tuples and whatever schema: what an upcaster returns need not be spelled out with `as const`.
const wide = z.object({
  id: z.string(),
  any: z.any(),
  unknown: z.unknown(),
  tuple: z.tuple([z.literal("a"), z.number()]),
  record: z.record(z.string(), z.number()),
  list: z.array(z.discriminatedUnion("kind", [z.object({ kind: z.literal("x") }), z.object({ kind: z.literal("y") })])),
  optional: z.string().optional(),
  nothing: z.null(),
});
declare const made: z.input<typeof wide>;
first.version(2, { data: wide, upcast: () => made });
first.version(2, {
  data: wide,
  upcast: ({ id }) => ({
    id,
    any: 1,
    unknown: 2,
    tuple: ["a", 3],
    record: { [id]: 4 },
    list: [{ kind: "x" }],
    nothing: null,
  }),
});
first.version(2, {
  data: z.object({ id: z.string(), kind: z.enum(["x", "y"]) }),
  upcast: ({ id }) => several({ id, kind: "x" }, { id, kind: "y" }),
});
first.version(2, {
  data: z.object({ id: z.string(), kind: z.enum(["x", "y"]) }),
  // @ts-expect-error not one of the two
  upcast: ({ id }) => ({ id, kind: "z" }),
});

const line = z.object({ id: z.string(), sku: z.string() });
const lines = orders.event("lines", { data: z.object({ id: z.string(), skus: z.array(z.string()) }) });
lines.version(2, { data: line, upcast: ({ id, skus }) => several(...skus.map((sku) => ({ id, sku }))) });
lines.version(2, { data: line, upcast: ({ id }) => several({ id, sku: "a" }, { id, sku: "b" }) });
lines.version(2, { data: line, upcast: ({ id, skus: [sku] }) => (sku === undefined ? several() : { id, sku }) });

// @ts-expect-error the upcaster does not make what the schema wants
lines.version(2, { data: line, upcast: ({ id }) => ({ id }) });
// @ts-expect-error nor does one that makes several
lines.version(2, { data: line, upcast: ({ id }) => several({ id }) });
// @ts-expect-error an upcaster answers at once
lines.version(2, { data: line, upcast: async ({ id }) => Promise.resolve({ id, sku: "a" }) });
// @ts-expect-error a version has an upcaster
lines.version(2, { data: line });
// @ts-expect-error the version before has no such property
lines.version(2, { data: line, upcast: ({ id, sku }) => ({ id, sku }) });
lines.version(2, {
  // @ts-expect-error every version holds what the key is made of
  data: z.object({ sku: z.string() }),
  upcast: ({ id }) => ({ id }),
});
lines.version(2, { data: line, upcast: () => several() });
