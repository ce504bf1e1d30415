// What operators do in the scenario "failures".
import { type App, hasCode } from "tidings";

import { fateOf } from "./failures-app.ts";
import { say } from "./speak.ts";

type Admin = App["admin"];

/** What may come of an operation while others operate, and while processes die. */
const expected = [
  "TIDINGS_NO_ANSWER",
  "TIDINGS_NOT_PAUSABLE",
  "TIDINGS_NOT_FOUND",
  "TIDINGS_BUSY",
  "TIDINGS_DEAD_LETTER_STATE",
] as const;

/** Resumes what is paused, redrives dead letters and discards those that never get through; `chosen` picks among them. */
export async function mend(admin: Admin, seed: number, chosen: () => boolean): Promise<void> {
  for (const { subscription, paused } of await admin.subscriptions.list())
    if (paused && chosen()) await tolerant(() => admin.subscriptions.resume(subscription));
  for (const { subscription, key, reason } of await admin.heldKeys.list({ reason: "paused" }))
    if (reason === "paused" && key !== null && chosen()) await tolerant(() => admin.heldKeys.resume(subscription, key));
  const letters = await admin.deadLetters.list({ state: "open" });
  for (const { id } of letters) say(`seen ${id}`);
  const [redrive, discard]: [string[], string[]] = [[], []];
  for (const { id, service, record } of letters)
    if (chosen()) (fateOf(seed, service, record.id) === "discard" ? discard : redrive).push(id);
  if (redrive.length > 0) await tolerant(() => admin.deadLetters.redrive({ ids: redrive }));
  if (discard.length > 0) await tolerant(() => admin.deadLetters.discard({ ids: discard }));
}

/** Lets what must be able to happen happen. */
export async function tolerant(operation: () => Promise<unknown>): Promise<void> {
  try {
    await operation();
  } catch (error) {
    if (!expected.some((code) => hasCode(error, code))) throw error;
  }
}
