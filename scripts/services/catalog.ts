// Every service there is. A new one is a file beside this one and a line here.
import { kafka } from "./kafka.ts";
import { nats } from "./nats.ts";
import { postgres } from "./postgres.ts";
import { rabbitmq } from "./rabbitmq.ts";
import { redis, redisSynced } from "./redis.ts";
import { type Service, ServiceError } from "./service.ts";

export const catalog: readonly Service[] = [kafka, nats, postgres, rabbitmq, redis, redisSynced];

/** The service of that name; an unknown name is an error that lists the known ones. */
export function serviceNamed(name: string): Service {
  const service = catalog.find((candidate) => candidate.name === name);
  if (service !== undefined) return service;
  throw new ServiceError(
    `There is no service named "${name}"; there are: ${catalog.map((known) => known.name).join(", ")}.`,
  );
}
