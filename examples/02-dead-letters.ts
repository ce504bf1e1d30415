// What cannot be mended by trying again becomes a dead letter: kept with its story, mended by people, redriven.
import { service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

const parcels = topic("parcels", { key: (data: { parcel: string }) => data.parcel });
const ParcelWeighed = parcels.event("depot.parcel.weighed", { data: z.object({ parcel: z.string(), kg: z.number() }) });
const ParcelSent = parcels.event("depot.parcel.sent", { data: z.object({ parcel: z.string() }) });

const tariff = new Map([[1, "small"]]);
const depot = service("depot")
  .on(ParcelWeighed, ({ data: { parcel, kg } }) => {
    const size = tariff.get(kg);
    if (size === undefined) throw new TerminalError(`there is no tariff for ${kg} kg`);
    console.log(`${parcel} is ${size}`);
  })
  .on(ParcelSent, ({ data: { parcel } }) => console.log(`${parcel} is on its way`));

const app = await tidings({ name: "depot", url: "memory:", services: [depot] }).start();
await app.publish(ParcelWeighed, { parcel: "a", kg: 40 });
await app.publish(ParcelSent, { parcel: "a" });
await app.settled();

for (const { id, failure } of await app.admin.deadLetters.list()) {
  const { letter, waiting } = await app.admin.deadLetters.show(id);
  console.log(`${letter.subscription}: ${failure.message}; ${waiting} event waits behind it`);
}

tariff.set(40, "large");
await app.admin.deadLetters.redrive({ subscription: "depot/parcels" });
await app.settled();
await app.stop();

// Prints: The parcel's second event waited for the first, also through the redrive.
//
// depot/parcels: there is no tariff for 40 kg; 1 event waits behind it
// a is large
// a is on its way
