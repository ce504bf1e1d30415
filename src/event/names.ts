import { TidingsError } from "../errors/tidings-error.ts";

/** Names of topics, services and members: Kafka's rule, so that they fit every engine. */
const plainName = /^[A-Za-z0-9._-]{1,249}$/;
/** Event types are free text of CloudEvents; control characters and blanks help nobody. */
const eventType = /^[^\s\p{Cc}]{1,255}$/u;
/** CloudEvents attribute names: lower-case letters and digits. */
const attributeName = /^[a-z0-9]{1,32}$/;

/** Refuses a name of a topic, service or member that does not fit every engine. Throws TIDINGS_INVALID_NAME. */
export function checkName(kind: "topic" | "service" | "member", name: string): string {
  if (typeof name === "string" && plainName.test(name) && name !== "." && name !== "..") return name;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    `The ${kind} name ${JSON.stringify(name)} is not allowed: use 1 to 249 letters, digits, dots, underscores and dashes.`,
    { details: { kind, name: String(name) } },
  );
}

/** Refuses an event type that is empty, too long, or holds blanks. Throws TIDINGS_INVALID_NAME. */
export function checkEventType(type: string): string {
  if (typeof type === "string" && eventType.test(type)) return type;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    `The event type ${JSON.stringify(type)} is not allowed: use 1 to 255 characters without blanks, such as "shop.order.placed".`,
    { details: { kind: "event type", name: String(type) } },
  );
}

/** Attributes that tidings or CloudEvents own; an extension may not overwrite them. */
export const reservedAttributes: ReadonlySet<string> = new Set([
  "specversion", "id", "source", "type", "time", "subject", "data", "data_base64", "datacontenttype", "dataschema",
  "dataversion", "partitionkey", "correlationid", "causationid", "traceparent", "tracestate", "expirytime", "tenantid",
]); // prettier-ignore

/** Refuses a name of a CloudEvents extension attribute. Throws TIDINGS_INVALID_NAME. */
export function checkExtension(name: string): string {
  if (attributeName.test(name) && !reservedAttributes.has(name)) return name;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    reservedAttributes.has(name)
      ? `The extension attribute "${name}" belongs to CloudEvents or tidings; choose another name.`
      : `The extension attribute ${JSON.stringify(name)} is not allowed: CloudEvents wants 1 to 32 lower-case letters and digits.`,
    { details: { kind: "extension", name } },
  );
}
