-- Writes one flush: all frames, gap records, heartbeat and state, or nothing. It checks everything first, and its first
-- write is a command that Redis refuses when it is full: after it nothing can fail.
-- KEYS: as in claim.lua. ARGV: the header, the cursor that Redis must hold, then the payload of each frame. The header,
-- where numbers that Lua could not hold exactly are text:
--   writer, flush, flush_before       the fence: Redis must hold these, and the cursor
--   cursor, time_us, host, protocol   of the last event; cursor '': unchanged
--   lease_ms, connected
--   open_gaps, history, resyncs       stored for the next writer; the latter two: '' leaves them unchanged
--   gaps                              records, in JSON
--   frames                            as in frames.lua, with `queue`
--   heartbeats_kept_ms
-- Replies {'written'}, {'applied'} (this flush is there already), {'lost'}, {'stale', writer}, or an answer of guards.lua.

local header = cjson.decode(ARGV[1])
local frames = header.frames

local wrong = mistyped(1, 'hash') or mistyped(2, 'zset')
if wrong then return wrong end
local meta = redis.call('HMGET', KEYS[1], 'writer', 'flush', 'cursor', 'events')
if not meta[1] then return {'lost'} end
if meta[1] ~= header.writer then return {'stale', meta[1]} end
if meta[2] == header.flush then return {'applied'} end
if meta[2] ~= header.flush_before or (meta[3] or '') ~= ARGV[2] then return {'lost'} end
wrong = (#header.gaps > 0 and no_stream(#KEYS)) or frames_blocked(frames)
if wrong then return wrong end

local counts = {events = tonumber(meta[4] or '') or 0}
for _, frame in ipairs(frames) do
  local field, n = 'events:' .. frame.queue, tonumber(frame.n)
  counts[field] = (counts[field] or tonumber(redis.call('HGET', KEYS[1], field) or '') or 0) + n
  counts.events = counts.events + n
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

add_frames(frames)
for _, record in ipairs(header.gaps) do redis.call('XADD', KEYS[#KEYS], '*', 'gap', record) end
if header.connected then
  local minute = string.format('%.0f', now - now % 60000)
  if redis.call('ZADD', KEYS[2], minute, minute) == 1 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - header.heartbeats_kept_ms))
  end
end

local fields = {}
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
set('flush', header.flush)
set('host', header.host)
set('protocol', header.protocol)
set('lease_ms', string.format('%.0f', now + header.lease_ms))
set('last_flush_ms', string.format('%.0f', now))
set('gaps', header.open_gaps)
for field, count in pairs(counts) do set(field, string.format('%.0f', count)) end
if header.history ~= '' then set('history', header.history) end
if header.resyncs ~= '' then set('resyncs', header.resyncs) end
if header.cursor ~= '' then
  set('cursor', header.cursor)
  set('time_us', header.time_us)
  set('lag_us', string.format('%.0f', time[1] * 1000000 + time[2] - header.time_us))
end
redis.call('HSET', KEYS[1], unpack(fields))
return {'written'}
