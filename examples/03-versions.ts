// Events outlive the code that wrote them: a later version of a contract says how to read the earlier ones.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { service, several, tidings, topic } from "tidings";
import { z } from "zod";

const folder = mkdtempSync(join(tmpdir(), "tidings-versions-"));
const url = `sqlite:${join(folder, "people.db")}`;
const people = topic("people", { key: (data: { id: string }) => data.id });

// Last year: one text for the name, and one event for a whole family.
const first = people.event("people.person.joined", { data: z.object({ id: z.string(), names: z.string() }) });
const lastYear = await tidings({ name: "people", url, topics: [people] }).start();
await lastYear.publish(first, { id: "1", names: "Ada Lovelace" });
await lastYear.publish(first, { id: "2", names: "Pierre Curie, Marie Curie" });
await lastYear.stop();

// This year: a person for each event, with a given name and a family name.
const PersonJoined = first
  .version(2, {
    data: z.object({ id: z.string(), name: z.string() }),
    upcast: ({ id, names }) => several(...names.split(", ").map((name) => ({ id, name }))),
  })
  .version(3, {
    data: z.object({ id: z.string(), given: z.string(), family: z.string() }),
    upcast: ({ id, name }) => {
      const [given = "", family = ""] = name.split(" ");
      return { id, given, family };
    },
  });

const guests: string[] = [];
const book = service("book", { from: "start" }).on(PersonJoined, ({ data: { given, family } }) => {
  guests.push(`${family}, ${given}`);
});
const thisYear = await tidings({ name: "people", url, services: [book] }).start();
await thisYear.publish(PersonJoined, { id: "3", given: "Emmy", family: "Noether" });
await thisYear.settled();
await thisYear.stop();
rmSync(folder, { recursive: true });
console.log(guests.toSorted().join("\n"));

// Prints: All versions are read as the newest; one of the stored events has become two.
//
// Curie, Marie
// Curie, Pierre
// Lovelace, Ada
// Noether, Emmy
