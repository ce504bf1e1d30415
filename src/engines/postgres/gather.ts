import type { Clock } from "../../platform/clock.ts";

/**
 * Makes one question of all that are asked in one turn of the event loop: many partitions look for events at once, and
 * each look of its own would be a round trip. `ask` gets the questions and answers them in their order.
 */
export function gathered<Question, Answer>(
  clock: Clock,
  ask: (questions: readonly Question[]) => Promise<readonly Answer[]>,
): (question: Question) => Promise<Answer> {
  let waiting: { question: Question; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];

  async function run(): Promise<void> {
    const asked = waiting;
    waiting = [];
    try {
      const answers = await ask(asked.map(({ question }) => question));
      for (const [index, { resolve }] of asked.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      if (asked.length === 1) return asked[0]?.reject(error);
      // What is wrong with one answer, such as damage, is no matter of the others.
      for (const one of asked) {
        ask([one.question]).then(([answer]) => one.resolve(answer as Answer), one.reject);
      }
    }
  }

  return (question) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ question, resolve, reject }) === 1) clock.soon(() => void run());
    });
}
