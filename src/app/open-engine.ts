import { TidingsError } from "../errors/tidings-error.ts";
import type { Logger } from "../delivery/log.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { engineOfUrl, hideSecrets } from "./engines.ts";
import type { AppOptions } from "./options.ts";

/** Opens the engine that the options or the environment name. Throws TIDINGS_INVALID_OPTION when neither does. */
export async function openEngine(options: AppOptions, platform: Platform, log: Logger): Promise<Engine> {
  const context = {
    platform,
    ...(options.deduplicationWindowMs === undefined ? {} : { deduplicationWindowMs: options.deduplicationWindowMs }),
  };
  if (options.engine) return options.engine.open(context);
  if (process.env["TIDINGS_STORE"]) {
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      "TIDINGS_STORE names a store apart from the broker; this version keeps both in one engine: unset it.",
    );
  }
  const url = options.url ?? process.env["TIDINGS_URL"];
  if (url === undefined) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The application "${options.name}" needs an engine: tidings({ url: "sqlite:${options.name}.db" }), or TIDINGS_URL in the environment.`,
    );
  }
  const factory = await engineOfUrl(url);
  const engine = await factory.open(context);
  log.info(
    {
      app: options.name,
      engine: engine.name,
      address: hideSecrets(engine.address),
      from: options.url === undefined ? "TIDINGS_URL" : "options",
    },
    "engine opened",
  );
  return engine;
}
