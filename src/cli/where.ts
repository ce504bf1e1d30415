import { TidingsError } from "../errors/tidings-error.ts";

/** A compiled condition: true, false, or undefined where something that it asks for is not there. */
type Value = string | number | boolean | null | undefined | object;
type Evaluate = (scope: object) => Value;

/**
 * Compiles a condition such as `data.total > 100 && key != "42"`: a part of the Common Expression Language. Comparisons
 * `== != < <= > >= in`, `&& || !`, brackets, lists, `has(path)`, and on text `.contains()`, `.startsWith()`, `.endsWith()`.
 * What compares a missing member is neither true nor false, and does not match. Throws TIDINGS_USAGE.
 */
export function compileWhere(text: string): (scope: object) => boolean {
  const evaluate = new Parser(text).parse();
  return (scope) => evaluate(scope) === true;
}

type Token = { readonly kind: "name" | "number" | "text" | "sign" | "end"; readonly text: string; readonly at: number };

const tokenPattern =
  /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(&&|\|\||==|!=|<=|>=|[<>!()[\],.]))/y;

class Parser {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    const pattern = new RegExp(tokenPattern);
    let at = 0;
    while (text.slice(at).trim() !== "") {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match)
        throw this.#wrong(at + (text.slice(at).length - text.slice(at).trimStart().length), "is not understood");
      const [, name, number, string, sign] = match;
      at = pattern.lastIndex;
      const kind =
        name !== undefined ? "name" : number !== undefined ? "number" : string !== undefined ? "text" : "sign";
      const found = (name ?? number ?? string ?? sign) as string;
      this.#tokens.push({ kind, text: found, at: at - found.length });
    }
    this.#tokens.push({ kind: "end", text: "", at: text.length });
  }

  parse(): Evaluate {
    const result = this.#or();
    if (this.#peek().kind !== "end") throw this.#wrong(this.#peek().at, "is not expected");
    return result;
  }

  #or(): Evaluate {
    const parts = this.#chain("||", () => this.#and());
    if (parts.length === 1) return parts[0] as Evaluate;
    return (scope) => {
      const values = parts.map((part) => truth(part(scope)));
      return values.includes(true) ? true : values.includes(undefined) ? undefined : false;
    };
  }

  #and(): Evaluate {
    const parts = this.#chain("&&", () => this.#comparison());
    if (parts.length === 1) return parts[0] as Evaluate;
    return (scope) => {
      const values = parts.map((part) => truth(part(scope)));
      return values.includes(false) ? false : values.includes(undefined) ? undefined : true;
    };
  }

  #chain(sign: string, part: () => Evaluate): Evaluate[] {
    const parts = [part()];
    while (this.#take(sign)) parts.push(part());
    return parts;
  }

  #comparison(): Evaluate {
    const left = this.#operand();
    const { kind, text } = this.#peek();
    const compare = comparisons[text];
    if (!compare || kind === "text") return left;
    this.#next += 1;
    const right = this.#operand();
    return (scope) => compare(left(scope), right(scope));
  }

  #operand(): Evaluate {
    const token = this.#peek();
    this.#next += 1;
    if (token.kind === "number") return constant(Number(token.text));
    if (token.kind === "text") return constant(unquote(token.text));
    if (token.kind === "name") return this.#named(token);
    if (token.text === "!") {
      const inner = this.#operand();
      return (scope) => {
        const value = truth(inner(scope));
        return value === undefined ? undefined : !value;
      };
    }
    if (token.text === "(") {
      const inner = this.#or();
      this.#expect(")");
      return inner;
    }
    if (token.text === "[") return this.#list();
    throw this.#wrong(token.at, token.kind === "end" ? "ends too early" : "is not expected");
  }

  #list(): Evaluate {
    const items: Evaluate[] = [];
    if (!this.#take("]")) {
      do items.push(this.#operand());
      while (this.#take(","));
      this.#expect("]");
    }
    return (scope) => items.map((item) => item(scope));
  }

  #named(token: Token): Evaluate {
    if (token.text in words) return constant(words[token.text]);
    if (token.text === "has" && this.#take("(")) {
      const inner = this.#operand();
      this.#expect(")");
      return (scope) => inner(scope) !== undefined;
    }
    const name = token.text;
    let value: Evaluate = (scope) => member(scope, name);
    for (;;) {
      const before = value;
      if (this.#take("[")) {
        const index = this.#operand();
        this.#expect("]");
        value = (scope) => member(before(scope), index(scope));
      } else if (this.#take(".")) {
        const next = this.#peek();
        if (next.kind !== "name") throw this.#wrong(next.at, "should be a name");
        this.#next += 1;
        value = this.#take("(") ? this.#method(before, next) : (scope) => member(before(scope), next.text);
      } else return value;
    }
  }

  #method(on: Evaluate, name: Token): Evaluate {
    const method = methods[name.text];
    if (!method) throw this.#wrong(name.at, `is no function; there are ${Object.keys(methods).join(", ")}`);
    const argument = this.#operand();
    this.#expect(")");
    return (scope) => {
      const value = on(scope);
      const other = argument(scope);
      return typeof value === "string" && typeof other === "string" ? method(value, other) : undefined;
    };
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] as Token;
  }

  #take(sign: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== "sign" || text !== sign) return false;
    this.#next += 1;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw this.#wrong(this.#peek().at, `should be "${sign}"`);
  }

  #wrong(at: number, problem: string): TidingsError {
    const rest = this.#text.slice(at, at + 20);
    const what = rest === "" ? "the end" : `"${rest}"`;
    return new TidingsError(
      "TIDINGS_USAGE",
      `The condition ${JSON.stringify(this.#text)} of --where cannot be read: at character ${at + 1} ${what} ${problem}. It looks like: data.total > 100 && type == "shop.order.placed".`,
    );
  }
}

const words: Readonly<Record<string, Value>> = { true: true, false: false, null: null };

const methods: Readonly<Record<string, (text: string, other: string) => boolean>> = {
  contains: (text, other) => text.includes(other),
  startsWith: (text, other) => text.startsWith(other),
  endsWith: (text, other) => text.endsWith(other),
};

const comparisons: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  "==": (a, b) => (a === undefined || b === undefined ? undefined : a === b),
  "!=": (a, b) => (a === undefined || b === undefined ? undefined : a !== b),
  "<": (a, b) => ordered(a, b, (order) => order < 0),
  "<=": (a, b) => ordered(a, b, (order) => order <= 0),
  ">": (a, b) => ordered(a, b, (order) => order > 0),
  ">=": (a, b) => ordered(a, b, (order) => order >= 0),
  in: (a, b) => (a === undefined || !Array.isArray(b) ? undefined : b.includes(a)),
};

/** Only numbers among themselves and text among itself have an order. */
function ordered(a: Value, b: Value, holds: (order: number) => boolean): boolean | undefined {
  if (typeof a === "number" && typeof b === "number") return holds(a - b);
  if (typeof a === "string" && typeof b === "string") return holds(a < b ? -1 : a > b ? 1 : 0);
  return undefined;
}

const constant =
  (value: Value): Evaluate =>
  () =>
    value;

const truth = (value: Value): boolean | undefined => (typeof value === "boolean" ? value : undefined);

/** Only what data holds itself: never what JavaScript objects inherit. */
function member(value: Value, name: Value): Value {
  if (Array.isArray(value)) return typeof name === "number" ? (value[name] as Value) : undefined;
  if (typeof value !== "object" || value === null || typeof name !== "string") return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, Value>)[name] : undefined;
}

function unquote(text: string): string {
  return text
    .slice(1, -1)
    .replaceAll(/\\(.)/g, (_, character: string) => ({ n: "\n", t: "\t" })[character] ?? character);
}
