import { TidingsError } from "../../errors/tidings-error.ts";
import type { MemoryCall, MemoryFault } from "../../engines/memory/faults.ts";
import { type CallFaultKind, type CallWindow, faultOfCall } from "./call-faults.ts";
import type { Dependencies } from "./dependencies.ts";
import { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { PlannedFault } from "./fault-plan.ts";
import type { SimNode } from "./node.ts";
import { operate, type Operated } from "./operators.ts";
import { operateRedrive } from "./redrive-operator.ts";
import type { Scheduler } from "./scheduler.ts";

/** What chaos is made in. */
export interface ChaosContext extends Operated {
  readonly seed: number;
  readonly nodes: readonly SimNode[];
  readonly dependencies: Dependencies;
  readonly scheduler: Scheduler;
  /** Lets the clock that leases go by jump. */
  readonly jumpStore: (ms: number) => void;
  readonly nodeOf: (call: MemoryCall) => SimNode | undefined;
}

/** Lets things go wrong when their time comes, and counts what did. */
export class Chaos {
  readonly counts = new Map<FaultKind, number>();
  readonly #context: ChaosContext;
  readonly #dice: Dice;
  #windows: CallWindow[] = [];
  /** The newest definition that was started. */
  epoch = 1;
  #over = false;
  #underWay = 0;

  constructor(context: ChaosContext) {
    this.#context = context;
    this.#dice = new Dice(context.seed, "calls");
  }

  /** Plans everything. */
  begin(faults: readonly PlannedFault[]): void {
    const { scheduler } = this.#context;
    for (const fault of faults) {
      scheduler.at(fault.atMs, () => {
        if (this.#over) return;
        this.#underWay += 1;
        this.#do(fault)
          .catch((error: unknown) => this.#context.unexpected(fault.kind, error))
          .finally(() => (this.#underWay -= 1));
      });
    }
  }

  /** Whether operators wait for an answer still, or are to take back what they did: what they have begun they bring to an end. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** Nothing goes wrong any more. */
  end(): void {
    this.#over = true;
    this.#windows = [];
    this.#context.dependencies.heal();
    for (const node of this.#context.nodes) {
      node.dieAt = undefined;
      node.resume();
    }
  }

  /** Asked about every call of an application. */
  fault(call: MemoryCall): MemoryFault | undefined {
    const node = this.#context.nodeOf(call);
    if (!node) return undefined;
    if (!node.owns(call.engine)) return { fail: "before", error: died() };
    const writes = call.kind === "publish" || call.kind === "transact";
    if (writes && node.dieAt) {
      const before = node.dieAt === "before-write";
      node.crash();
      this.#count("crash");
      this.#startLater(node);
      return before ? { fail: "before", error: died() } : { fail: "after" };
    }
    if (this.#windows.length === 0) return undefined;
    const { nowMs } = this.#context.scheduler;
    const found = faultOfCall(this.#windows, call, node.number, nowMs, this.#dice);
    if (found) this.#count(found.kind);
    return found?.fault;
  }

  #count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #startLater(node: SimNode): void {
    const { scheduler } = this.#context;
    scheduler.at(scheduler.nowMs + this.#dice.spread(1, 3000), () => node.start());
  }

  async #do(fault: PlannedFault): Promise<void> {
    const { nodes, scheduler } = this.#context;
    const dice = new Dice(fault.chance, fault.kind);
    const node = nodes[fault.node % nodes.length] as SimNode;
    switch (fault.kind) {
      case "crash":
        return this.#crash(node, dice);
      case "crash-loop":
        return this.#crashLoop(node, dice);
      case "pause":
        if (!node.alive || node.paused) return;
        this.#count("pause");
        node.pause();
        return void scheduler.at(scheduler.nowMs + fault.forMs, () => node.resume());
      case "redeploy":
        this.#count("redeploy");
        return this.#redeploy(dice);
      case "clock-jump":
        this.#count("clock-jump");
        return node.jump((dice.chance(0.5) ? 1 : -1) * dice.spread(10, 120_000));
      case "clock-drift":
        node.rate = dice.between(0.96, 1.04);
        this.#count("clock-drift");
        // A clock runs as it does from the start of a process on.
        node.crash();
        return this.#startLater(node);
      case "store-jump":
        this.#count("store-jump");
        return this.#context.jumpStore(dice.chance(0.6) ? dice.spread(100, 60_000) : -dice.spread(100, 20_000));
      case "write-fails":
      case "write-unknown":
      case "slow":
      case "late-answer":
      case "disk-full":
      case "lease-fails":
      case "read-fails":
        return this.#open(fault.kind, fault, dice);
      case "steal":
      case "redrive":
      case "discard":
      case "undo-discard":
      case "pause-subscription":
      case "pause-key":
      case "seek":
        if (await operate(fault.kind, node, this.#context, dice, fault.forMs)) this.#count(fault.kind);
        return undefined;
      case "dependency-fails": {
        const count = (): void => this.#count("dependency-fails");
        return this.#context.dependencies.fail(fault.forMs, fault.rate, dice, count);
      }
      case "redrive-operation": {
        const kill = (one: SimNode): void => {
          if (!this.#over) this.#kill(one);
        };
        if (await operateRedrive(node, { ...this.#context, kill }, dice, fault.forMs)) this.#count(fault.kind);
        return undefined;
      }
    }
  }

  #open(kind: CallFaultKind, { forMs, rate, node }: PlannedFault, dice: Dice): void {
    const { nowMs } = this.#context.scheduler;
    this.#windows = this.#windows.filter(({ untilMs }) => untilMs > nowMs);
    this.#windows.push({ kind, untilMs: nowMs + forMs, rate, node: dice.chance(0.5) ? node : undefined });
  }

  #crash(node: SimNode, dice: Dice): void {
    if (!node.alive) return;
    if (dice.chance(0.5)) {
      // It is counted when it happens.
      node.dieAt = dice.one(["before-write", "after-write"]);
      return;
    }
    this.#kill(node);
  }

  #kill(node: SimNode): void {
    node.crash();
    this.#count("crash");
    this.#startLater(node);
  }

  async #crashLoop(node: SimNode, dice: Dice): Promise<void> {
    const { scheduler } = this.#context;
    for (let times = dice.whole(2, 6); times > 0 && !this.#over; times--) {
      node.crash();
      this.#count("crash-loop");
      node.start();
      await scheduler.sleep(dice.spread(1, 800));
    }
  }

  /** As a rolling deploy does it: one node after the other; an old one is started by mistake in between. */
  async #redeploy(dice: Dice): Promise<void> {
    const { nodes, scheduler } = this.#context;
    this.epoch += 1;
    for (const [index, node] of nodes.entries()) {
      if (this.#over) return;
      await node.stop();
      const older = index > 0 && dice.chance(0.3);
      node.epoch = older ? this.epoch - 1 : this.epoch;
      node.start();
      await scheduler.sleep(dice.spread(1, 1000));
    }
  }
}

const died = (): TidingsError => new TidingsError("TIDINGS_CLOSED", "The simulated process has died.");
