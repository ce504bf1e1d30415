/** Names and values that go with a message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A logger in the shape of pino: fields first, then the message. Pass your own to `tidings({ logger })`. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Says nothing. */
export const silentLogger: Logger = Object.freeze({ debug() {}, info() {}, warn() {}, error() {} });

type Level = keyof Logger;

/** One JSON object a line on stderr, from `level` on. */
export function jsonLogger(nowMs: () => number, level: Level = "info"): Logger {
  const levels: readonly Level[] = ["debug", "info", "warn", "error"];
  const write =
    (severity: Level) =>
    (fields: LogFields, message: string): void => {
      if (levels.indexOf(severity) < levels.indexOf(level)) return;
      const line = { level: severity, time: new Date(nowMs()).toISOString(), msg: message };
      process.stderr.write(`${jsonOf({ ...line, ...fields }) ?? JSON.stringify(line)}\n`);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** Undefined for what cannot be written: a logger must not throw at whoever has something to tell. */
function jsonOf(line: LogFields): string | undefined {
  try {
    return JSON.stringify(line, errorsReadable);
  } catch {
    return undefined;
  }
}

/** Errors have no enumerable properties; without this a logged one would be `{}`. */
function errorsReadable(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? String(value) : value;
  const { code } = value as { code?: unknown };
  return { name: value.name, message: value.message, ...(code === undefined ? {} : { code }), stack: value.stack };
}

/** The logger with fields that go with every message. */
export function withFields(logger: Logger, extra: LogFields): Logger {
  const bind =
    (level: Level) =>
    (fields: LogFields, message: string): void =>
      logger[level]({ ...extra, ...fields }, message);
  return { debug: bind("debug"), info: bind("info"), warn: bind("warn"), error: bind("error") };
}
