// Every engine that can be run under faults. A new one is a file beside this one and a line here.
import { kafka } from "./kafka.ts";
import { nats } from "./nats.ts";
import { postgres } from "./postgres.ts";
import { rabbitmq } from "./rabbitmq.ts";
import { redis } from "./redis.ts";
import type { ServerKind } from "./server.ts";

export const serverKinds: readonly ServerKind[] = [postgres, redis, nats, kafka, rabbitmq];
