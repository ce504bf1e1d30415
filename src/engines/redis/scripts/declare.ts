import { era } from "../keys.ts";
import { scriptOf } from "./script.ts";

/**
 * Makes topics, all or none. Their streams begin empty at the place before position 0.
 *
 * | KEYS | | ARGV | |
 * |---|---|---|---|
 * | 1 | meta | 1 | id of the store |
 * | 2 | topics | 2 | what the name of a stream begins with |
 * | | | 3… | by topic: name, number of partitions |
 *
 * Answers with `ok`, with `replaced` for another store, or with name and number of partitions of a topic that exists otherwise.
 */
export const declareScript = scriptOf(`
if redis.call('HGET', KEYS[1], 'store') ~= ARGV[1] then return 'replaced' end
local missing = {}
for at = 3, #ARGV, 2 do
  local found = redis.call('HGET', KEYS[2], ARGV[at])
  if found and found ~= ARGV[at + 1] then return { ARGV[at], found } end
  if not found then missing[#missing + 1] = at end
end
for _, at in ipairs(missing) do
  for partition = 0, ARGV[at + 1] - 1 do
    local key = ARGV[2] .. ARGV[at] .. ':' .. partition
    redis.call('DEL', key)
    redis.call('XADD', key, '${era}-0', 'a', '')
    redis.call('XTRIM', key, 'MAXLEN', '0')
  end
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return 'ok'
`);
