import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";

/** Text that was given as it is, as `@file`, or as `-` for the standard input. Throws TIDINGS_INVALID_INPUT. */
export async function textOf(argument: string): Promise<string> {
  if (argument === "-") {
    process.stdin.setEncoding("utf8");
    let text = "";
    for await (const chunk of process.stdin) text += chunk as string;
    return text;
  }
  if (!argument.startsWith("@")) return argument;
  const path = argument.slice(1);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new TidingsError("TIDINGS_INVALID_INPUT", `The file ${path} cannot be read: ${messageOf(error)}.`, {
      details: { path },
    });
  }
}

/** The lines of the standard input that hold anything, with their numbers. */
export async function* linesOfStdin(): AsyncGenerator<readonly [number: number, text: string]> {
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line.trim() !== "") yield [number, line];
  }
}
