import assert from "node:assert/strict";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import type { ErrorCode } from "../../src/errors/codes.ts";
import { isTidingsError, type TidingsError } from "../../src/errors/tidings-error.ts";
import type { Contract } from "../../src/event/contract.ts";
import { encode, type EncodeContext, type PublishOptions } from "../../src/event/encode.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import type { EventRecord } from "../../src/event/record.ts";

export const nowMs = Date.UTC(2026, 0, 31, 12, 0, 0, 5);

/** Surroundings with ids that count up: id-1, id-2, ... */
export function surroundings(overrides: Partial<EncodeContext> = {}): EncodeContext {
  let count = 0;
  return { source: "/shop", nowMs, nextId: () => `id-${++count}`, limits: defaultLimits, ...overrides };
}

export function publish(
  contract: Contract,
  data: unknown,
  options?: PublishOptions,
  overrides?: Partial<EncodeContext>,
): EventRecord {
  return encode(contract, data, options, surroundings(overrides));
}

/** A record as an engine could hand it back. */
export function recordOf(overrides: Partial<EventRecord> = {}): EventRecord {
  return {
    id: "id-1",
    source: "/shop",
    type: "shop.order.placed",
    timeMs: nowMs,
    key: null,
    attributes: undefined,
    data: "{}",
    ...overrides,
  };
}

/** The error of this code that `work` throws, with a message of one line. */
export function refusal(code: ErrorCode, work: () => unknown): TidingsError {
  let caught: unknown;
  try {
    work();
  } catch (error) {
    caught = error;
  }
  assert.ok(isTidingsError(caught), `${code} was expected, not ${String(caught)}`);
  assert.equal(caught.code, code, caught.message);
  assert.doesNotMatch(caught.message, /\n/);
  return caught;
}

/** One shape in each of the libraries: an order with a text, a number and a list of items. */
export const orderSchemas = {
  zod: z.object({
    orderId: z.string(),
    total: z.number(),
    items: z.array(z.object({ sku: z.string() })),
  }),
  valibot: v.object({
    orderId: v.string(),
    total: v.number(),
    items: v.array(v.object({ sku: v.string() })),
  }),
  arktype: type({ orderId: "string", total: "number", items: type({ sku: "string" }).array() }),
};

export const order = { orderId: "42", total: 99.5, items: [{ sku: "a" }, { sku: "b" }] };
