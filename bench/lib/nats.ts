// The NATS of `npm run services`.
import { serviceUrl } from "../../scripts/services/url.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

/** Its URL; starts it when it does not run. */
export const natsUrl = (): string => serviceUrl("nats");

/** Versions of the server and of its client. */
export async function natsFacts(url: string): Promise<Facts> {
  const { connect } = await import("@nats-io/transport-node");
  const { hostname, port, username, password } = new URL(url);
  const connection = await connect({ servers: `${hostname}:${port}`, user: username, pass: password });
  const version = connection.info?.version ?? "unknown";
  await connection.close();
  return {
    nats: version,
    natsTransport: packageVersion("@nats-io/transport-node"),
    nestjs: packageVersion("@nestjs/microservices"),
  };
}
