-- Writes frames as stream entries; nothing else does. `frames` are the header's, each with `key` (index in
-- KEYS), `n`, `first` and `last`; the payload of the first one is ARGV[3].

local function frames_blocked(frames)
  local looked = {}
  for _, frame in ipairs(frames) do
    local wrong = not looked[frame.key] and no_stream(frame.key)
    if wrong then return wrong end
    looked[frame.key] = true
  end
end

local function add_frames(frames)
  for i, frame in ipairs(frames) do
    redis.call('XADD', KEYS[frame.key], '*', 'n', frame.n, 'first', frame.first, 'last', frame.last,
      'payload', ARGV[i + 2])
  end
end
