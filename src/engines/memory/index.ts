export { memoryCapabilities } from "./capabilities.ts";
export { memory, type MemoryEngine, type MemoryOptions, type MemoryWorld, memoryWorld } from "./factory.ts";
export type { EffectObserver, FaultHook, MemoryCall, MemoryFault } from "./faults.ts";
