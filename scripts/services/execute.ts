// Running a program to its end.
import { spawn, type SpawnOptions } from "node:child_process";

import { ServiceError } from "./service.ts";

/** Answers what the program printed; a status other than 0 is an error with all that it said. */
export function execute(program: string, args: readonly string[], options: SpawnOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let said = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("error", (error) => reject(new ServiceError(`${program} could not be started: ${error.message}`)));
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new ServiceError(`${program} ended with status ${code}: ${(said + output).trim()}`));
    });
  });
}

/** Runs a program that takes long with its output on the standard error. */
export function executeAloud(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", 2, 2] });
    child.once("error", (error) => reject(new ServiceError(`${program} could not be started: ${error.message}`)));
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new ServiceError(`${program} ended with status ${code}; what it said is above.`));
    });
  });
}
