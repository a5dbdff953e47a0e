-- Writes events that fill a gap, together with the progress of the backfill: all of it, or nothing. Like write.lua, it
-- checks everything first, then writes.
-- KEYS: progress, the stream of gaps, the streams of the queues. ARGV: the header, the progress that Redis must hold ('': none),
-- then the payload of each frame. The header:
--   gap_id
--   progress      the new one; '': done
--   record        the gap's new record in JSON; '': none
--   last_record   the last id of the stream of gaps that was read
--   frames        as in frames.lua
-- Replies {'written'}, {'lost'} if Redis holds another progress, {'news'} if a record is to be written and there are newer
-- ones than were read, or an answer of guards.lua.

local header = cjson.decode(ARGV[1])

local wrong = mistyped(1, 'hash') or no_stream(2) or frames_blocked(header.frames)
if wrong then return wrong end
if (redis.call('HGET', KEYS[1], header.gap_id) or '') ~= ARGV[2] then return {'lost'} end
if header.record ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and info[i + 1] ~= header.last_record then return {'news'} end
  end
end

add_frames(header.frames)
if header.record ~= '' then redis.call('XADD', KEYS[2], '*', 'gap', header.record) end
if header.progress == '' then
  redis.call('HDEL', KEYS[1], header.gap_id)
else
  redis.call('HSET', KEYS[1], header.gap_id, header.progress)
end
return {'written'}
