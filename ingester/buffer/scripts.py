"""The two Lua scripts that change Redis: a claim of the right to write, and the write of a flush.

Both look before they write, and begin to write with a command that Redis refuses when it is full: after
the first write nothing in a script can fail, so a flush is there whole, with its cursor, or not at all.
What either calls is what the user ``ingester`` may do (include/redis/users.acl). They need no syntax newer than
Redis 6.2. KEYS are metadata, heartbeats, the streams in wire.QUEUES' order, and the
stream of gaps.
"""

from __future__ import annotations

from typing import Final

from ingester.contract import wire

# What is in the way at a key of KEYS: {'type', key, its type, wanted type}, or {'full', key} for a stream that has
# given out its last id. Either is somebody else's doing.
_IN_THE_WAY: Final = """
local function mistyped(i)
  local wanted = i == 1 and 'hash' or i == 2 and 'zset' or 'stream'
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then return {'type', KEYS[i], found, wanted} end
  return nil, found
end
local function in_the_way(i)
  local wrong, found = mistyped(i)
  if wrong or found == 'none' then return wrong end
  local info = redis.call('XINFO', 'STREAM', KEYS[i])
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' and info[n + 1] == '18446744073709551615-18446744073709551615' then
      return {'full', KEYS[i]}
    end
  end
end
"""

#: ARGV: name, new writer, lease in ms. Replies {"claimed", cursor, host, protocol, time_us, ms since the
#: last flush or '', open gaps, history, resyncs},
#: or {"wait", writer, ms left} while another name holds the lease, or {"type", key, its type, wanted type}.
CLAIM: Final = f"""{_IN_THE_WAY}
for i = 1, #KEYS do
  local wrong = mistyped(i)
  if wrong then return wrong end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', KEYS[1], '{wire.META_WRITER}', '{wire.META_LEASE_MS}',
  '{wire.META_CURSOR}', '{wire.META_HOST}', '{wire.META_PROTOCOL}', '{wire.META_TIME_US}',
  '{wire.META_LAST_FLUSH_MS}', '{wire.META_GAPS}', '{wire.META_HISTORY}', '{wire.META_RESYNCS}')
if meta[1] and string.match(meta[1], '^(.*)/') ~= ARGV[1] then
  local left = (tonumber(meta[2] or '') or 0) - now
  if left > 0 then return {{'wait', meta[1], string.format('%.0f', left)}} end
end
redis.call('HSETNX', KEYS[1], '{wire.META_FIRST_START_MS}', string.format('%.0f', now))
redis.call('HSET', KEYS[1], '{wire.META_WRITER}', ARGV[2], '{wire.META_FLUSH}', '0',
  '{wire.META_LEASE_MS}', string.format('%.0f', now + ARGV[3]))
local away = tonumber(meta[7] or '')
return {{'claimed', meta[3] or '', meta[4] or '', meta[5] or '', meta[6] or '',
  away and string.format('%.0f', now - away) or '', meta[8] or '', meta[9] or '', meta[10] or ''}}
"""

#: How long heartbeats are kept, in ms.
HEARTBEATS_KEPT_MS: Final = 30 * 86_400_000

#: ARGV: writer, flush, flush before, cursor before, cursor, host, protocol, lease in ms, '1' if connected,
#: time_us of the last event, open gaps, history and resyncs ('' leaves what is there), number of gap records,
#: these records, then for each frame: index in KEYS, counter's field, n, first, last, payload.
#: Replies {"written"}, {"applied"} (this flush is already there), {"lost"}, {"stale", writer} or
#: {"type", key, its type, wanted} or {"full", key}.
WRITE: Final = f"""{_IN_THE_WAY}
for i = 1, 2 do
  local wrong = mistyped(i)
  if wrong then return wrong end
end
local total = '{wire.META_EVENTS}'
local meta = redis.call('HMGET', KEYS[1], '{wire.META_WRITER}', '{wire.META_FLUSH}',
  '{wire.META_CURSOR}', total)
if not meta[1] then return {{'lost'}} end
if meta[1] ~= ARGV[1] then return {{'stale', meta[1]}} end
if meta[2] == ARGV[2] then return {{'applied'}} end
if meta[2] ~= ARGV[3] or (meta[3] or '') ~= ARGV[4] then return {{'lost'}} end
local first_gap = 15
local first_frame = first_gap + tonumber(ARGV[14])
if first_frame > first_gap then
  local wrong = in_the_way(#KEYS)
  if wrong then return wrong end
end
local looked = {{}}
for i = first_frame, #ARGV, 6 do
  local key = tonumber(ARGV[i])
  local wrong = not looked[key] and in_the_way(key)
  if wrong then return wrong end
  looked[key] = true
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counts = {{[total] = tonumber(meta[4] or '') or 0}}
for i = first_frame, #ARGV, 6 do
  local field, n = ARGV[i + 1], tonumber(ARGV[i + 2])
  counts[field] = (counts[field] or tonumber(redis.call('HGET', KEYS[1], field) or '') or 0) + n
  counts[total] = counts[total] + n
  redis.call('XADD', KEYS[tonumber(ARGV[i])], '*', '{wire.FIELD_COUNT.decode()}', ARGV[i + 2],
    '{wire.FIELD_FIRST_US.decode()}', ARGV[i + 3], '{wire.FIELD_LAST_US.decode()}', ARGV[i + 4],
    '{wire.FIELD_PAYLOAD.decode()}', ARGV[i + 5])
end
for i = first_gap, first_frame - 1 do
  redis.call('XADD', KEYS[#KEYS], '*', '{wire.FIELD_GAP.decode()}', ARGV[i])
end
if ARGV[9] == '1' then
  local minute = string.format('%.0f', now - now % 60000)
  if redis.call('ZADD', KEYS[2], minute, minute) == 1 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - {HEARTBEATS_KEPT_MS}))
  end
end
local fields = {{'{wire.META_FLUSH}', ARGV[2], '{wire.META_HOST}', ARGV[6], '{wire.META_PROTOCOL}', ARGV[7],
  '{wire.META_LEASE_MS}', string.format('%.0f', now + ARGV[8]),
  '{wire.META_LAST_FLUSH_MS}', string.format('%.0f', now), '{wire.META_GAPS}', ARGV[11]}}
for field, count in pairs(counts) do
  fields[#fields + 1] = field
  fields[#fields + 1] = string.format('%.0f', count)
end
for i, field in ipairs({{'{wire.META_HISTORY}', '{wire.META_RESYNCS}'}}) do
  if ARGV[11 + i] ~= '' then
    fields[#fields + 1] = field
    fields[#fields + 1] = ARGV[11 + i]
  end
end
if ARGV[5] ~= '' then
  local lag = time[1] * 1000000 + time[2] - ARGV[10]
  for _, word in ipairs({{'{wire.META_LAG_US}', string.format('%.0f', lag), '{wire.META_CURSOR}', ARGV[5],
    '{wire.META_TIME_US}', ARGV[10]}}) do
    fields[#fields + 1] = word
  end
end
redis.call('HSET', KEYS[1], unpack(fields))
return {{'written'}}
"""
