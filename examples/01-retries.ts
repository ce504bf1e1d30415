// A handler that throws is tried again: at once, then after delays that hold up its own key and no other. The log tells
// of every failure on stderr.
import { service, tidings, topic } from "tidings";
import { z } from "zod";

const calls = topic("calls", { key: (data: { customer: string }) => data.customer });
const CallAsked = calls.event("desk.call.asked", { data: z.object({ customer: z.string(), about: z.string() }) });

const answered: string[] = [];
const retry = { immediateMs: [0], delayedMs: [100, 100], jitter: "none" } as const;
const desk = service("desk", { retry }).on(CallAsked, ({ data: { customer, about } }, ctx) => {
  // Ann's line is busy three times: one try, one at once, one after 100 ms.
  if (customer === "ann" && about === "invoice" && ctx.attempt <= 3) throw new Error("the line is busy");
  answered.push(`${customer} about the ${about}, try ${ctx.attempt}`);
});

const app = await tidings({ name: "retries", url: "memory:", services: [desk] }).start();
await app.publish(CallAsked, { customer: "ann", about: "invoice" });
await app.publish(CallAsked, { customer: "ann", about: "refund" });
await app.publish(CallAsked, { customer: "bob", about: "weather" });
await app.settled();
await app.stop();
console.log(answered.join("\n"));

// Prints: Bob did not wait for Ann, and Ann's second call waited for her first.
//
// bob about the weather, try 1
// ann about the invoice, try 4
// ann about the refund, try 1
