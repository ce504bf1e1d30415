import { scriptOf } from "./script.ts";

/**
 * Begins a new epoch of a writer: what was sent before and is still on its way will be refused.
 *
 * | KEYS | | ARGV | |
 * |---|---|---|---|
 * | 1 | meta | 1 | id of the store |
 * | 2 | writer | 2 | new epoch |
 * | | | 3 | how long the writer is remembered when nothing more is heard of it, in milliseconds |
 *
 * Answers with the number of the last group that was applied and the answers of the last four, by number modulo 4; with the
 * number -1 when the writer is not known (any more), which is then made with the number 0. With `replaced` for another store.
 */
export const fenceScript = scriptOf(`
if redis.call('HGET', KEYS[1], 'store') ~= ARGV[1] then return 'replaced' end
local found = redis.call('HMGET', KEYS[2], 'seq', 'answer0', 'answer1', 'answer2', 'answer3')
if found[1] then
  redis.call('HSET', KEYS[2], 'epoch', ARGV[2])
else
  redis.call('HSET', KEYS[2], 'epoch', ARGV[2], 'seq', '0')
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return { found[1] or '-1', found[2] or '', found[3] or '', found[4] or '', found[5] or '' }
`);
