-- Gives out answers, then the oldest commands: nothing at all to an epoch that is over; else how many wait, for how long the
-- oldest has, in milliseconds, and of each command its entry's id, asker, number, encoding, itself, the lanes that tried it, and its
-- age in milliseconds.
-- KEYS: the stream, the lane, the dead. ARGV: the epoch, its owner's channel, for how many seconds that is known, how many
-- commands, for how many milliseconds anybody waits for one, how many bytes of commands (one more may begin within them), for how
-- many seconds the dead are known; then of each answer the entry's id, the asker's channel, the message, and why it is dead if it is.
local epoch, known = tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[2], 'epoch') or 0)
if known > epoch then
  return {}
end
if known < epoch then
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'owner', ARGV[2])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
for i = 8, #ARGV, 4 do
  local entry, why = ARGV[i], ARGV[i + 3]
  if why ~= '' then
    for _, dead in ipairs(redis.call('XRANGE', KEYS[1], entry, entry)) do
      redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'entry', entry, 'why', why, unpack(dead[2]))
      redis.call('EXPIRE', KEYS[3], ARGV[7])
    end
  end
  -- Who takes it out of the stream answers it, so nobody answers it twice.
  if redis.call('XDEL', KEYS[1], entry) == 1 then
    redis.call('PUBLISH', ARGV[i + 1], ARGV[i + 2])
  end
  redis.call('HDEL', KEYS[2], entry)
end
local oldest, now = nil, redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local found = { redis.call('XLEN', KEYS[1]), 0 }
local bytes = tonumber(ARGV[6])
for _, waiting in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[4])) do
  if bytes <= 0 then
    break
  end
  local entry, fields = waiting[1], waiting[2]
  bytes = bytes - #(fields[6] or '')
  local age = math.max(0, now - tonumber(string.match(entry, '^%d+')))
  oldest = oldest or age
  -- A lane that changes hands may have ended over one of these. Those that somebody waits for have every chance.
  local tries = 0
  if known < epoch and age > tonumber(ARGV[5]) then
    tries = redis.call('HINCRBY', KEYS[2], entry, 1)
  end
  for _, part in ipairs({ entry, fields[2], fields[4], fields[5] or '', fields[6] or '', tries, age }) do
    found[#found + 1] = part
  end
end
found[2] = oldest or 0
return found
