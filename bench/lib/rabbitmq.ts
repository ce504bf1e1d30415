// The RabbitMQ of `npm run services`.
import { connect } from "amqplib";

import { serviceUrl } from "../../scripts/services/url.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

/** Its URL; starts it when it does not run. */
export const rabbitmqUrl = (): string => serviceUrl("rabbitmq");

/** Versions of the server and of its clients. */
export async function rabbitmqFacts(url: string): Promise<Facts> {
  const model = await connect(url);
  const { version } = model.connection.serverProperties;
  await model.close();
  return {
    rabbitmq: version,
    amqplib: packageVersion("amqplib"),
    amqpConnectionManager: packageVersion("amqp-connection-manager"),
    nestjs: packageVersion("@nestjs/microservices"),
  };
}
