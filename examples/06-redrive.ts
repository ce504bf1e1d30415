// Many dead letters of one fault: sent back step by step, and stopped by the redrive itself while the fault is not mended.
import { service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

const bills = topic("bills", { key: (data: { bill: string }) => data.bill });
const BillDue = bills.event("office.bill.due", { data: z.object({ bill: z.string(), cents: z.number() }) });

let mendedBelow = 0;
let sent = 0;
const office = service("office").on(BillDue, ({ data: { cents } }) => {
  if (cents >= mendedBelow) throw new TerminalError("the printer takes no such bill");
  sent += 1;
});

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const app = await tidings({ name: "office", url: "memory:", services: [office], logger }).start();
await app.publishAll(Array.from({ length: 1000 }, (_, cents) => [BillDue, { bill: `b${cents}`, cents }] as const));
await app.settled();

const { deadLetters, redrives } = app.admin;
const [group] = await deadLetters.groups();
console.log(`${group?.count} dead letters: ${group?.message}`);

for (const below of [0, 500, 1000]) {
  mendedBelow = below;
  const { id } = await redrives.start(
    { subscription: "office" },
    { canary: 1, ramp: [50], abort: { share: 0.02 }, reason: `mended below ${below}` },
  );
  const { state, moved, remaining, reason } = await redrives.wait(id);
  console.log(
    `${reason}: ${state}, ${moved === 0 || remaining > 0 ? "most were not even tried" : "all were sent back"}`,
  );
}
console.log(`${sent} bills are sent, ${await deadLetters.count()} are left`);
await app.stop();

// Prints: Twice it stopped early, and nothing was lost by that; each bill is sent once.
//
// 1000 dead letters: the printer takes no such bill
// mended below 0: aborted, most were not even tried
// mended below 500: aborted, most were not even tried
// mended below 1000: done, all were sent back
// 1000 bills are sent, 0 are left
