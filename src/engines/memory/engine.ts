import { TidingsError } from "../../errors/tidings-error.ts";
import type { Engine, EngineContext, EngineInfo, VerifyProblem, VerifyReport } from "../../ports/engine.ts";
import { memoryCapabilities } from "./capabilities.ts";
import { closeHandle, type Handle, nothing, openHandle, submit } from "./handle.ts";
import { memoryLeases } from "./leases.ts";
import { memoryState } from "./state.ts";
import { memoryTimers } from "./timers.ts";
import { memoryTopics } from "./topics.ts";
import { memoryTransact } from "./transact.ts";
import type { PartitionLog, TopicData, World } from "./world.ts";

/** How long ids of callers are remembered unless the context says otherwise: a day. */
const deduplicationWindowMsDefault = 24 * 60 * 60 * 1000;

/** Opens one engine on the world. */
export function openEngine(
  world: World,
  context: EngineContext,
  seed: number | undefined,
): { engine: Engine; handle: Handle } {
  const { platform, deduplicationWindowMs = deduplicationWindowMsDefault } = context;
  world.clock ??= platform.clock;
  const handle = openHandle(world, platform, seed ?? platform.random.uint32(), deduplicationWindowMs);
  const engine: Engine = {
    name: "memory",
    address: "memory:",
    capabilities: memoryCapabilities,
    topics: memoryTopics(handle),
    state: memoryState(handle),
    timers: memoryTimers(handle),
    leases: memoryLeases(handle),
    transact: (transaction) => memoryTransact(handle, transaction),
    info: () => submit(handle, { kind: "read" }, nothing, () => info(world)),
    verify: (options) => verify(handle, options),
    trouble: () => (handle.phase === "open" ? undefined : "The memory engine is closed."),
    close: () => closeHandle(handle),
  };
  handle.engine = engine;
  return { engine, handle };
}

function info(world: World): EngineInfo {
  const logs = [...world.topics.values()].flatMap(logsOf);
  const total = (of: (log: PartitionLog) => number): number => logs.reduce((sum, log) => sum + of(log), 0);
  const sizes = (maps: Iterable<{ readonly size: number }>): number =>
    [...maps].reduce((sum, { size }) => sum + size, 0);
  return {
    engine: "memory",
    durability: memoryCapabilities.durability,
    topics: world.topics.size,
    events: total((log) => log.records.length),
    bytes: total((log) => log.bytes),
    collections: world.collections.size,
    documents: sizes([...world.collections.values()].map(({ documents }) => documents)),
    timers: sizes([...world.queues.values()].map(({ byKey }) => byKey)),
    leases: [...world.leases.values()].filter(({ owner }) => owner !== undefined).length,
  };
}

function logsOf(topic: TopicData): PartitionLog[] {
  return topic.logs.filter((log) => log !== undefined);
}

/** Memory has no checksums; what can be wrong here is our own bookkeeping. */
async function verify(handle: Handle, options: Parameters<Engine["verify"]>[0] = {}): Promise<VerifyReport> {
  const names = await submit(handle, { kind: "read" }, nothing, () => [...handle.world.topicNames.from()]);
  const problems: VerifyProblem[] = [];
  let recordsChecked = 0;
  for (const name of names) {
    if (options.signal?.aborted) throw abortReason(options.signal);
    recordsChecked += await submit(handle, { kind: "read" }, nothing, () => verifyTopic(handle.world, name, problems));
    options.onProgress?.(recordsChecked);
  }
  return { recordsChecked, problems };
}

function verifyTopic(world: World, name: string, problems: VerifyProblem[]): number {
  const logs = world.topics.get(name)?.logs ?? [];
  let checked = 0;
  for (const [partition, log] of logs.entries()) {
    if (!log) continue;
    checked += log.records.length;
    const place = `${name}/${partition}`;
    const bytes = log.sizes.reduce((sum, size) => sum + size, 0);
    if (bytes !== log.bytes)
      problems.push({ place, problem: `${bytes} bytes are stored and ${log.bytes} are counted` });
    const wrong = log.records.findIndex(
      (record, index) => record.position !== log.first + index || record.topic !== name,
    );
    if (wrong >= 0) problems.push({ place: `${place}/${log.first + wrong}`, problem: "the record belongs elsewhere" });
  }
  return checked;
}

function abortReason(signal: AbortSignal): Error {
  const { reason } = signal as { readonly reason: unknown };
  return reason instanceof Error ? reason : new TidingsError("TIDINGS_CLOSED", "The verification was aborted.");
}
