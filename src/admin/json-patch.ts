import { TidingsError } from "../errors/tidings-error.ts";

/** One operation of a JSON Patch (RFC 6902). Paths are JSON Pointers: `/items/0/total`. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly from: string; readonly path: string };

/** A place in a document: the value that holds it, and its name or index there. */
interface Place {
  readonly holder: Record<string, unknown> | unknown[];
  readonly name: string;
}

/** Says what is wrong with one operation. */
type Refuse = (problem: string) => never;

const operations = ["add", "remove", "replace", "move", "copy", "test"];

/**
 * Applies a JSON Patch (RFC 6902) to a copy of a document, all operations or none. Throws TIDINGS_INVALID_PATCH with the
 * operation, its path and the rule that it breaks.
 */
export function applyPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw invalid("A JSON Patch is a list of operations, such as [{ op: replace, path: /total, value: 1 }].");
  // The document may be replaced as a whole, so it stands in something.
  const root: Record<string, unknown> = { "": document === undefined ? undefined : structuredClone(document) };
  for (const [index, operation] of patch.entries()) applyOne(root, operation, index);
  return root[""];
}

function applyOne(root: Record<string, unknown>, given: unknown, index: number): void {
  const operation = (given ?? {}) as { op?: unknown; path?: unknown; from?: unknown; value?: unknown };
  const { op, path, from, value } = operation;
  const what = `Operation ${index} of the patch (${typeof op === "string" ? op : "without op"} ${typeof path === "string" ? JSON.stringify(path) : "without path"})`;
  const refuse: Refuse = (problem) => {
    throw invalid(`${what} ${problem}.`, index, typeof path === "string" ? path : undefined);
  };
  if (typeof given !== "object" || given === null || Array.isArray(given)) refuse("is not an object");
  if (!operations.includes(op as string)) refuse(`needs an op: one of ${operations.join(", ")}`);
  const steps = stepsOf(path, "path", refuse);
  if ((op === "add" || op === "replace" || op === "test") && value === undefined) refuse("needs a value");
  switch (op) {
    case "add":
      return add(root, steps, structuredClone(value), refuse);
    case "remove":
      return remove(root, steps, refuse);
    case "replace":
      return replace(root, steps, structuredClone(value), refuse);
    case "test":
      if (!isSame(read(root, steps, refuse), value)) refuse("does not hold: the value there is another one");
      return undefined;
    default:
      return moveOrCopy(root, op as string, stepsOf(from, "from", refuse), steps, refuse);
  }
}

function moveOrCopy(
  root: Record<string, unknown>,
  op: string,
  from: readonly string[],
  to: readonly string[],
  refuse: Refuse,
): void {
  if (op === "copy") return add(root, to, structuredClone(read(root, from, refuse)), refuse);
  const inside = from.length < to.length && from.every((step, i) => step === to[i]);
  if (inside) refuse("would move a value into itself");
  const value = read(root, from, refuse);
  if (from.length === to.length && from.every((step, i) => step === to[i])) return undefined;
  remove(root, from, refuse);
  return add(root, to, value, refuse);
}

function add(root: Record<string, unknown>, steps: readonly string[], value: unknown, refuse: Refuse): void {
  const { holder, name } = placeOf(root, steps, refuse);
  if (!Array.isArray(holder)) return set(holder, name, value);
  const at = name === "-" ? holder.length : indexOf(holder, name, holder.length, refuse);
  holder.splice(at, 0, value);
}

function remove(root: Record<string, unknown>, steps: readonly string[], refuse: Refuse): void {
  read(root, steps, refuse);
  const { holder, name } = placeOf(root, steps, refuse);
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else if (steps.length === 0) set(holder, "", undefined);
  else delete holder[name];
}

function replace(root: Record<string, unknown>, steps: readonly string[], value: unknown, refuse: Refuse): void {
  read(root, steps, refuse);
  const { holder, name } = placeOf(root, steps, refuse);
  if (Array.isArray(holder)) holder[Number(name)] = value;
  else set(holder, name, value);
}

/** A member by definition, so that `__proto__` is a name like any other. */
function set(holder: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, writable: true, enumerable: true, configurable: true });
}

function read(root: Record<string, unknown>, steps: readonly string[], refuse: Refuse): unknown {
  const { holder, name } = placeOf(root, steps, refuse);
  return step(holder, name, refuse);
}

/** Where a path leads: everything before its last step must be there. */
function placeOf(root: Record<string, unknown>, steps: readonly string[], refuse: Refuse): Place {
  let holder: unknown = root;
  let name = "";
  for (const next of steps) {
    holder = step(holder as Place["holder"], name, refuse);
    if (typeof holder !== "object" || holder === null)
      refuse(`leads through ${JSON.stringify(name)}, which is neither an object nor a list`);
    name = next;
  }
  return { holder: holder as Place["holder"], name };
}

function step(holder: Place["holder"], name: string, refuse: Refuse): unknown {
  if (Array.isArray(holder)) return holder[indexOf(holder, name, holder.length - 1, refuse)];
  if (!Object.hasOwn(holder, name)) refuse(`leads to ${JSON.stringify(name)}, which is not there`);
  return holder[name];
}

function indexOf(holder: readonly unknown[], name: string, most: number, refuse: Refuse): number {
  if (!/^(0|[1-9]\d*)$/.test(name)) refuse(`takes ${JSON.stringify(name)} for an index of a list`);
  const index = Number(name);
  if (index > most) refuse(`is beyond the end of the list, which has ${holder.length} items`);
  return index;
}

/** The steps of a JSON Pointer (RFC 6901). */
function stepsOf(pointer: unknown, member: string, refuse: Refuse): readonly string[] {
  if (typeof pointer !== "string") return refuse(`needs ${member === "path" ? "a path" : "a from"}, which is text`);
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) refuse(`has a ${member} that does not begin with a slash`);
  if (/~(?![01])/.test(pointer)) refuse(`has a ${member} with a "~" that is neither "~0" nor "~1"`);
  return pointer
    .slice(1)
    .split("/")
    .map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Equality of JSON values: the order of members means nothing. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame(memberOf(one, name), memberOf(other, name)))
  );
}

const memberOf = (value: object, name: string): unknown => (value as Record<string, unknown>)[name];

function invalid(message: string, operation?: number, path?: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_PATCH", message, {
    details: { ...(operation === undefined ? {} : { operation }), ...(path === undefined ? {} : { path }) },
  });
}
