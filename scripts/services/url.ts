// Where a server for tests and benches is: what the environment says, or the one of `npm run services`.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { urls } from "./records.ts";

/** Its URL; starts it when it does not run. Throws with the reason when it cannot be started. */
export function serviceUrl(name: string): string {
  const given = process.env[`TIDINGS_${name.toUpperCase().replaceAll("-", "_")}_URL`];
  if (given !== undefined) return given;
  const found = urls([name])[name];
  if (found !== undefined) return found;
  const services = join(import.meta.dirname, "../services.ts");
  execFileSync(process.execPath, [...process.execArgv, services, "up", name], { stdio: ["ignore", 2, 2] });
  const started = urls([name])[name];
  if (started === undefined) throw new Error(`${name} was started and is not there.`);
  return started;
}
