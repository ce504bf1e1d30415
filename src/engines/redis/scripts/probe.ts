import { era } from "../keys.ts";
import { scriptOf } from "./script.ts";

/**
 * Does once what the other scripts do, on a key of its own, so that a user who lacks a permission is told when the engine is
 * opened, and not in the midst of an append.
 *
 * | KEYS | |
 * |---|---|
 * | 1 | a key that nothing else is kept under |
 *
 * Answers with `ok`, or fails with the command that is refused.
 */
export const probeScript = scriptOf(`
local key = KEYS[1]
local commands = {
  { 'TIME' }, { 'DEL', key },
  { 'SET', key, '1', 'PX', '60000' }, { 'GET', key }, { 'PEXPIRE', key, '60000' }, { 'DEL', key },
  { 'HSET', key, 'field', '1' }, { 'HGET', key, 'field' }, { 'HMGET', key, 'field' }, { 'HINCRBY', key, 'field', '1' }, { 'DEL', key },
  { 'XADD', key, '${era}-*', 'field', 'value' }, { 'XRANGE', key, '-', '+', 'COUNT', '1' }, { 'XINFO', 'STREAM', key },
  { 'XTRIM', key, 'MAXLEN', '0' }, { 'TYPE', key }, { 'DEL', key },
}
for _, command in ipairs(commands) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then return redis.error_reply('NOPERM ' .. command[1] .. ' is refused: ' .. reply.err) end
end
return 'ok'
`);
