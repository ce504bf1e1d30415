// What the recorded application publishes. Every event follows from its publisher's name and number, so that whoever
// looks at an image knows each byte that may stand there.
import { topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../../examples/shop/random.ts";

const schema = z.object({ by: z.string(), n: z.number(), key: z.string(), pad: z.string() });
export type Said = z.infer<typeof schema>;

const key = (data: Said): string => data.key;

/** What publishers publish, and what the service "counter" publishes for each of them. */
export const orders = topic("orders", { key, partitions: 2 });
export const Ordered = orders.event("cut.ordered", { data: schema });
export const effects = topic("effects", { key, partitions: 2 });
export const Effected = effects.event("cut.effected", { data: schema });
/** A topic of which the beginning is removed again and again. */
export const scratch = topic("scratch", { key, partitions: 1 });
export const Scratched = scratch.event("cut.scratched", { data: schema });
/** The moves of the bank, published with the documents and the timers that they change. */
export const moves = topic("moves", { key, partitions: 1 });
export const Moved = moves.event("cut.moved", { data: schema });

export const topics = [orders, effects, scratch, moves];

const keyCount = 8;

const said = new Map<string, Said>();
const texts = new Map<Said, string>();

/** The n-th event of a publisher. Some have several pages. */
export function saidBy(by: string, n: number): Said {
  const name = `${by}/${n}`;
  let data = said.get(name);
  if (!data) said.set(name, (data = made(by, n)));
  return data;
}

/** The same as it is stored. Thousands of images are compared with it. */
export function textBy(by: string, n: number): string {
  const data = saidBy(by, n);
  let text = texts.get(data);
  if (text === undefined) texts.set(data, (text = JSON.stringify(data)));
  return text;
}

function made(by: string, n: number): Said {
  const chance = chanceOf(`${by}/${n}`);
  const length = chance < 0.06 ? 3000 + Math.floor(chance * 100_000) : Math.floor(chance * 400);
  return { by, n, key: `key-${(n * 5 + Math.floor(n / keyCount)) % keyCount}`, pad: "abcdefghij".repeat(length / 10) };
}

export const idOf = ({ by, n }: Said): string => `${by}-${n}`;

/** Whether the publisher gives the event its id. */
export const hasOwnId = (n: number): boolean => n % 2 === 0;

/** The events that go to `publishAll` with this one: all of them are there, or none. */
export function callOf(n: number): readonly number[] {
  const begin = n - (n % 10);
  return n % 10 >= 7 ? [begin + 7, begin + 8, begin + 9] : [n];
}

export const accounts = ["a", "b", "c"];
export const bank = "bank";
/** Balance of an account, and how many moves have touched it. */
export interface Account {
  readonly balance: number;
  readonly touched: number;
}

/** What the n-th move of a process does: so much from one account to another. */
export function moveBy(by: string, n: number): { readonly from: string; readonly to: string; readonly amount: number } {
  const from = Math.floor(chanceOf(`${by}/from/${n}`) * accounts.length);
  const to = (from + 1 + Math.floor(chanceOf(`${by}/to/${n}`) * (accounts.length - 1))) % accounts.length;
  return { from: accounts[from] as string, to: accounts[to] as string, amount: 1 + (n % 7) };
}
