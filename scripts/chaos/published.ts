// What publishers have published, in the words of the checker.
import { identityOf, type Publish } from "../../src/testing/check/history.ts";
import { idOf, numberedOf } from "../crash/publish.ts";

/** Whether a publisher leaves a publish alone of which it does not know the outcome. */
export const neverRepeats = (publisher: number): boolean => publisher % 4 === 3;

/** What is known of the publishes: each publisher had so many events, and nothing is known of those in neither set. */
export interface Answers {
  readonly publishers: number;
  readonly events: number;
  readonly keyCount: number;
  readonly acknowledged: ReadonlySet<number>;
  /** Certainly not done. */
  readonly refused: ReadonlySet<number>;
}

/** The source and id under which events of the harness are known, whatever id they have: the key and the number in it. */
export const identityOfNumber = (data: { readonly key: string; readonly seq: number }): string =>
  identityOf({ source: "/crash", id: idOf(data) });

export function publishesOf(
  { publishers, events, keyCount, acknowledged, refused }: Answers,
  topic: string,
): Publish[] {
  const publishes: Publish[] = [];
  for (let publisher = 0; publisher < publishers; publisher++)
    for (let n = 0; n < events; n++) {
      const data = numberedOf(publisher, n, keyCount);
      const number = n * publishers + publisher;
      publishes.push({
        event: identityOfNumber(data),
        topic,
        key: data.key,
        answer: acknowledged.has(number) ? "acknowledged" : refused.has(number) ? "refused" : "unknown",
        payload: JSON.stringify(data),
        producer: `publisher ${publisher}`,
        seq: data.seq,
      });
    }
  return publishes;
}
