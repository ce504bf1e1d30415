import { TidingsError } from "../../errors/tidings-error.ts";
import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import { deduplicationWindowMsDefault } from "../sql/ids.ts";
import { sqliteCapabilities } from "./capabilities.ts";
import { type Committer, committerOf } from "./committer.ts";
import { failureKind, toTidingsError } from "./failure.ts";
import { type Heads, headsOf } from "./heads.ts";
import { type Logs, logsOf } from "./logs.ts";
import { inlineMaintenance, type Maintenance, threadMaintenance } from "./maintenance.ts";
import { callsOf } from "./members.ts";
import { openFile, type OpenFile } from "./open.ts";
import type { Settings } from "./options.ts";
import { fileBytes, fileIdentity, notWritable } from "./place.ts";
import { forgetting } from "./forgetting.ts";
import { portsOf } from "./ports.ts";
import { pragma, pragmaNumber } from "./pragma.ts";
import { whileBusy } from "./retry.ts";
import { schemaVersion } from "./schema.ts";
import type { ThreadData } from "./thread-messages.ts";
import { verifyInline, verifyOnThread } from "./verifier.ts";
import { type Wake, wakeOf } from "./wake.ts";
import { type Writer, writerOf } from "./writer.ts";

/** So often it is looked whether the file still lies where it was opened. */
const identityCheckMs = 1000;

/** The parts of an open engine. */
export interface Store {
  readonly settings: Settings;
  readonly context: EngineContext;
  readonly file: OpenFile;
  readonly logs: Logs;
  readonly heads: Heads;
  readonly writer: Writer;
  readonly wake: Wake;
  readonly maintenance: Maintenance;
  readonly committer: Committer;
  /** Reads committed data: never inside a group's transaction, and again while somebody holds a lock. */
  readonly read: <Result>(fn: () => Result) => Promise<Result>;
  /** Throws when the engine is closed; with `write`, also when it may not write. */
  readonly check: (write?: boolean) => void;
  closed: boolean;
}

/** Opens the file and puts the engine together. */
export async function openEngine(settings: Settings, context: EngineContext): Promise<Engine> {
  const file = await openFile(settings, context.platform);
  // Even preparing a statement reads the file, and another process may be closing it just now.
  const store = await whileBusy(context.platform, settings.busyTimeoutMs, () => storeOf(settings, context, file)).catch(
    (error: unknown) => {
      file.close();
      throw toTidingsError(error, settings.path);
    },
  );
  const calls = callsOf(
    () => store.committer.stampMs(),
    (member) => store.committer.submit(member),
  );
  const stopForgetting = settings.readOnly ? undefined : forgetting(store);
  const verify: Engine["verify"] = async (options = {}) => {
    store.check();
    return file.threads
      ? verifyOnThread(threadData(settings, file), options)
      : verifyInline(file.connection, context.platform, options);
  };
  let closing: Promise<void> | undefined;
  return {
    name: "sqlite",
    address: `sqlite:${settings.path}`,
    capabilities: sqliteCapabilities,
    ...portsOf(store, calls),
    info: () => store.read(() => info(store)),
    verify,
    trouble: () =>
      store.closed
        ? `The engine of ${settings.path} is closed.`
        : (store.committer.trouble() ?? store.maintenance.trouble()),
    close: () => {
      stopForgetting?.();
      return (closing ??= close(store));
    },
  };
}

function storeOf(settings: Settings, context: EngineContext, file: OpenFile): Store {
  const { connection } = file;
  const { clock } = context.platform;
  const logs = logsOf(connection);
  const heads = headsOf(connection);
  const writer = writerOf(connection, logs, heads, context.deduplicationWindowMs ?? deduplicationWindowMsDefault);
  const noticeOthers = (): boolean => {
    const changed = heads.changedElsewhere();
    if (changed) wake.others();
    return changed;
  };
  const lookAround = (): void => {
    // A lock in the way of a look is no news; the next look comes soon.
    if (!connection.inTransaction()) void quietly(noticeOthers);
  };
  const wake = wakeOf({ clock, connection, logs, realPath: file.realPath, pollMs: settings.pollMs, lookAround });
  const maintenance = file.threads
    ? threadMaintenance({
        clock,
        thread: threadData(settings, file),
        checkpointBytes: settings.checkpointBytes,
        walBytesMaxWhileRead: settings.walBytesMaxWhileRead,
        onDiskFailed: (reason) => committer.fail(reason),
        mayWrite: () => committer.wake(),
      })
    : inlineMaintenance(connection, clock);
  const stillThere = identityWatch(file.realPath, () => clock.monotonic());
  const committer = committerOf({
    platform: context.platform,
    settings,
    connection,
    writer,
    noticeOthers,
    heldBack: () => maintenance.heldBack(),
    committed(changed, collections, bytes) {
      wake.own(changed, collections, writer.appender.lastChunk());
      maintenance.wrote(bytes);
      if (!stillThere()) committer.fail("the file was moved, replaced or deleted while it was open");
    },
  });
  const store: Store = {
    settings, context, file, logs, heads, writer, wake, maintenance, committer, closed: false,
    read: (fn) => readWith(store, fn),
    check: (write) => check(store, write),
  }; // prettier-ignore
  return store;
}

async function readWith<Result>({ context, file, settings, check }: Store, fn: () => Result): Promise<Result> {
  check();
  // A function of user SQL may call us in the midst of a transaction.
  while (file.connection.inTransaction()) await new Promise<void>((resolve) => context.platform.clock.soon(resolve));
  try {
    return fn();
  } catch (error) {
    if (failureKind(error) !== "busy") throw toTidingsError(error, settings.path);
  }
  const attempt = (): Result => {
    check();
    return fn();
  };
  return whileBusy(context.platform, settings.busyTimeoutMs, attempt).catch((error: unknown) => {
    throw toTidingsError(error, settings.path);
  });
}

function check({ closed, settings }: Store, write = false): void {
  if (closed)
    throw new TidingsError("TIDINGS_CLOSED", `The engine of ${settings.path} is closed.`, {
      details: { path: settings.path },
    });
  if (write && settings.readOnly) throw notWritable(settings.path, "it was opened for reading only");
}

/** Whether the path still leads to the file that was opened: what is written to a deleted file is lost. */
function identityWatch(realPath: string, monotonic: () => number): () => boolean {
  const opened = fileIdentity(realPath);
  let lookedAt = monotonic();
  return () => {
    const now = monotonic();
    if (now - lookedAt < identityCheckMs) return true;
    lookedAt = now;
    return fileIdentity(realPath) === opened;
  };
}

function quietly<Result>(fn: () => Result): Result | undefined {
  try {
    return fn();
  } catch {
    return undefined;
  }
}

function threadData(settings: Settings, file: OpenFile): ThreadData {
  const { readOnly, walRestartBytes, walBytesMax } = settings;
  return { role: "maintain", realPath: file.realPath, binding: file.binding, readOnly, walRestartBytes, walBytesMax };
}

function info({ file, settings, committer, logs }: Store): EngineInfo {
  const { connection, realPath } = file;
  const synchronous = ["off", "normal", "full", "extra"][pragmaNumber(connection, "PRAGMA synchronous")] ?? "unknown";
  return {
    engine: "sqlite",
    path: settings.path,
    durability: sqliteCapabilities.durability,
    binding: file.binding,
    sqlite: file.library,
    journal: String(pragma(connection, "PRAGMA journal_mode")),
    synchronous,
    exclusive: file.exclusive,
    schemaVersion,
    databaseBytes: fileBytes(realPath),
    walBytes: fileBytes(`${realPath}-wal`),
    topics: logs.list().length,
    chunks: pragmaNumber(connection, "SELECT count(*) FROM tidings_chunk"),
    documents: pragmaNumber(connection, "SELECT count(*) FROM tidings_document"),
    timers: pragmaNumber(connection, "SELECT count(*) FROM tidings_timer"),
    commits: committer.commits(),
  };
}

async function close(store: Store): Promise<void> {
  store.closed = true;
  await store.committer.drained();
  store.wake.close();
  const failed = store.committer.failed();
  await store.maintenance.close(failed);
  if (failed) abandoned.push(store.file);
  else store.file.close();
}

/** Files whose disk has failed are left open until the process ends: closing one would checkpoint it. */
const abandoned: OpenFile[] = [];
