import { scriptOf } from "./script.ts";

/**
 * Makes a store where there is none.
 *
 * | KEYS | | ARGV | |
 * |---|---|---|---|
 * | 1 | meta | 1 | id for a new store |
 * | | | 2 | its format |
 *
 * Answers with id and format of the store; with nothing when the key is somebody else's.
 */
export const openScript = scriptOf(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then redis.call('HSET', KEYS[1], 'store', ARGV[1], 'format', ARGV[2]) elseif kind ~= 'hash' then return {} end
local found = redis.call('HMGET', KEYS[1], 'store', 'format')
if not found[1] or not found[2] then return {} end
return found
`);
