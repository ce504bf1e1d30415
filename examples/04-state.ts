// Documents of a service commit together with what its handlers publish; what a handler has read is checked at its commit.
import { service, tidings, topic } from "tidings";
import { z } from "zod";

const sales = topic("sales", { key: (data: { ticket: number }) => String(data.ticket) });
const TicketAsked = sales.event("cinema.ticket.asked", { data: z.object({ ticket: z.number(), film: z.string() }) });
const TicketSold = sales.event("cinema.ticket.sold", { data: z.object({ ticket: z.number(), seat: z.number() }) });
const HouseFull = sales.event("cinema.house.full", { data: z.object({ ticket: z.number() }) });

const seats = 40;
const cinema = service("cinema").on(TicketAsked, async ({ data: { ticket, film } }, ctx) => {
  // Every ticket is a key of its own, so that all of them are handled at once, and all want this one document.
  const sold = ctx.state<number>("sold");
  const seat = ((await sold.get(film)) ?? 0) + 1;
  if (seat <= seats) {
    sold.set(film, seat);
    ctx.publish(TicketSold, { ticket, seat });
  } else {
    ctx.publish(HouseFull, { ticket });
  }
});

const taken: number[] = [];
let turnedAway = 0;
const door = service("door")
  .on(TicketSold, ({ data: { seat } }) => void taken.push(seat))
  .on(HouseFull, () => void turnedAway++);

const app = await tidings({ name: "cinema", url: "memory:", services: [cinema, door] }).start();
await Promise.all(Array.from({ length: 50 }, (_, ticket) => app.publish(TicketAsked, { ticket, film: "Metropolis" })));
await app.settled();
console.log(`${taken.length} seats sold, ${new Set(taken).size} different ones, ${turnedAway} turned away`);
console.log(`in the books: ${await app.state<number>("cinema", "sold").get("Metropolis")}`);
await app.stop();

// Prints: No seat is sold twice, with no lock in sight.
//
// 40 seats sold, 40 different ones, 10 turned away
// in the books: 40
