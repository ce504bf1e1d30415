// The events of the simulated workload.
import { topic } from "tidings";
import { z } from "zod";

/** What a handler does about an event before it succeeds, if it ever does. */
export const hows = [
  "ok", "fails", "poison", "terminal", "sleeps", "slow", "later", "conflict", "pauses", "strange", "deadly",
] as const; // prettier-ignore

const workSchema = z.object({
  key: z.string(),
  n: z.number(),
  how: z.enum(hows),
  /** How often it fails. */
  times: z.number(),
  /** Moved from the account of the key to this one. */
  to: z.string(),
  amount: z.number(),
  pad: z.string(),
});

export type Work = z.infer<typeof workSchema>;

export const work = topic("work", { key: (data: Work) => data.key });
export const Worked = work.event("sim.worked", { data: workSchema });
/** Of a type that only some services take. */
export const Ignored = work.event("sim.ignored", { data: workSchema });

const noteSchema = z.object({ n: z.number() });
export const notes = topic("notes");
export const Noted = notes.event("sim.noted", { data: noteSchema });

const doneSchema = z.object({
  service: z.string(),
  key: z.string(),
  partition: z.number(),
  position: z.number(),
  n: z.number(),
});

export type Done = z.infer<typeof doneSchema>;

export const done = topic("done", { key: (data: Done) => data.key });
export const Finished = done.event("sim.done", { data: doneSchema });
