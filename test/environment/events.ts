import { topic } from "tidings";
import { z } from "zod";

/** What the worker publishes; old events are removed when nobody needs them any more. */
export const happenings = topic("happenings", { key: (data: { key: string }) => data.key });
export const Happened = happenings.event("environment.happened", {
  data: z.object({ key: z.string(), n: z.number(), pad: z.string() }),
});
export const effects = topic("effects", { key: (data: { key: string }) => data.key });
export const Effect = effects.event("environment.effect", { data: z.object({ key: z.string(), n: z.number() }) });
