-- Claims the right to write. KEYS: metadata, heartbeats, the streams in the order of wire.QUEUES, the stream of gaps.
-- The header: `name`, `writer` (the new one), `lease_ms`.
-- Replies {'claimed', cursor, host, protocol, time_us, ms since the last flush or '', open gaps, history, resyncs},
-- {'wait', writer, ms left} while another name holds the lease, or an answer of guards.lua.

local header = cjson.decode(ARGV[1])

for i = 1, #KEYS do
  local wrong = mistyped(i, i == 1 and 'hash' or i == 2 and 'zset' or 'stream')
  if wrong then return wrong end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = {'writer', 'lease_ms', 'cursor', 'host', 'protocol', 'time_us', 'last_flush_ms', 'gaps', 'history',
  'resyncs'}
local known = {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do known[names[i]] = value or '' end

local holder = string.match(known.writer, '^(.*)/')
if known.writer ~= '' and holder ~= header.name then
  local left = (tonumber(known.lease_ms) or 0) - now
  if left > 0 then return {'wait', known.writer, string.format('%.0f', left)} end
end

redis.call('HSETNX', KEYS[1], 'first_start_ms', string.format('%.0f', now))
redis.call('HSET', KEYS[1], 'writer', header.writer, 'flush', '0',
  'lease_ms', string.format('%.0f', now + header.lease_ms))
local last = tonumber(known.last_flush_ms)
return {'claimed', known.cursor, known.host, known.protocol, known.time_us,
  last and string.format('%.0f', now - last) or '', known.gaps, known.history, known.resyncs}
