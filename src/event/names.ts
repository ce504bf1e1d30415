import { TidingsError } from "../errors/tidings-error.ts";

/** Names of topics, services and members: Kafka's rule, so that they fit every engine. */
const plainName = /^[A-Za-z0-9._-]{1,249}$/;
/** Event types are free text of CloudEvents; control characters and blanks help nobody. */
const eventType = /^[^\s\p{Cc}\p{Cs}]{1,255}$/u;
/** CloudEvents attribute names: lower-case letters and digits. */
const attributeName = /^[a-z0-9]{1,32}$/;

/** Longest id and longest key, in characters: what every engine can hold in an index. */
export const identifierLengthMax = 512;

/** Refuses a name of a topic, service or member that does not fit every engine. Throws TIDINGS_INVALID_NAME. */
export function checkName(kind: "topic" | "service" | "member" | "dependency", name: string): string {
  if (typeof name === "string" && plainName.test(name) && name !== "." && name !== "..") return name;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    `The ${kind} name ${quoted(name)} is not allowed: use 1 to 249 letters, digits, dots, underscores and dashes.`,
    { details: { kind, name: nameOf(name) } },
  );
}

/** Refuses an event type that is empty, too long, or holds blanks. Throws TIDINGS_INVALID_NAME. */
export function checkEventType(type: string): string {
  if (isEventType(type)) return type;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    `The event type ${quoted(type)} is not allowed: use 1 to 255 characters without blanks, such as "shop.order.placed".`,
    { details: { kind: "event type", name: nameOf(type) } },
  );
}

/** Whether an event type may be called so. */
export function isEventType(type: unknown): type is string {
  return typeof type === "string" && eventType.test(type);
}

/**
 * Attributes by which an event finds its way from an outbox to its consumers: none of its own. A copy of the event that had the
 * same would be taken for a repeat.
 */
export const relayAttributes: ReadonlySet<string> = new Set(["tidingsrelay", "tidingsto", "tidingsonce"]);

/** Attributes that tidings or CloudEvents own; an extension may not overwrite them. */
export const reservedAttributes: ReadonlySet<string> = new Set([
  "specversion", "id", "source", "type", "time", "subject", "data", "data_base64", "datacontenttype", "dataschema",
  "dataversion", "partitionkey", "correlationid", "causationid", "traceparent", "tracestate", "expirytime", "tenantid",
  ...relayAttributes,
]); // prettier-ignore

/** Refuses a name of a CloudEvents extension attribute. Throws TIDINGS_INVALID_NAME. */
export function checkExtension(name: string): string {
  if (isAttributeName(name) && !reservedAttributes.has(name)) return name;
  throw new TidingsError(
    "TIDINGS_INVALID_NAME",
    reservedAttributes.has(name)
      ? `The extension attribute "${name}" belongs to CloudEvents or tidings; choose another name.`
      : `The extension attribute ${quoted(name)} is not allowed: CloudEvents wants 1 to 32 lower-case letters and digits.`,
    { details: { kind: "extension", name } },
  );
}

/** Whether a CloudEvents attribute may be called so. */
export function isAttributeName(name: string): boolean {
  return attributeName.test(name);
}

/** Whether text may stand in an attribute: no control characters and no halves of surrogate pairs, says CloudEvents. */
export function isAttributeText(text: string): boolean {
  let surrogates = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return false;
    if (unit >= 0xd800 && unit < 0xe000) surrogates = true;
  }
  return !surrogates || text.isWellFormed();
}

/** Whether text may be an event's id or its key. */
export function isIdentifier(text: unknown): text is string {
  return typeof text === "string" && text.length > 0 && text.length <= identifierLengthMax && isAttributeText(text);
}

/** Not every object can be made text. */
const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : String(value);

function quoted(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : nameOf(value);
}
