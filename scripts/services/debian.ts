// Installing a server's Debian packages without leaving the system's own instance of it running.
import { existsSync, rmSync, writeFileSync } from "node:fs";

import { say, saying } from "../launch/say.mjs";
import { execute, executeAloud } from "./execute.ts";
import { type Service, ServiceError } from "./service.ts";

const policy = "/usr/sbin/policy-rc.d";
let updated = false;

/** The service's program, installed first where it is missing. */
export async function ensureInstalled(service: Service): Promise<string> {
  const found = service.find();
  if (found !== undefined) return found;
  const packages = service.packages.join(" ");
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) {
    throw new ServiceError(
      `${service.name} is not installed, and only Debian's packages are known here: install it yourself and run this again.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new ServiceError(
      `${service.name} is not installed, and installing it takes root: run "sudo apt-get install ${packages}" first.`,
    );
  }
  await saying(`installing ${packages} with apt-get`, () => install(service.packages));
  const program = service.find();
  if (program === undefined) throw new ServiceError(`apt-get installed ${packages}, but ${service.name} is not there.`);
  await disable(service);
  return program;
}

async function install(packages: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300"];
  if (!updated) await executeAloud("apt-get", [...options, "update"], env);
  updated = true;
  // Debian asks this file whether a package may start its service; 101 means no. One that exists is the owner's word.
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await executeAloud("apt-get", [...options, "install", "-y", "--no-install-recommends", ...packages], env);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** Where systemd rules, what was installed for tests must not start with the machine either. */
async function disable(service: Service): Promise<void> {
  if (!existsSync("/run/systemd/system")) return;
  for (const unit of service.packages) {
    await execute("systemctl", ["disable", "--now", unit]).catch((error: unknown) => {
      say(`the system's own ${unit} could not be switched off: ${String(error)}`);
    });
  }
}
