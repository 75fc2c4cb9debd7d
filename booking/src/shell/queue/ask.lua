-- Puts a command at the end of an event's stream, unless that is full: its entry's id, or nil.
-- KEYS: the stream, the lane. ARGV: how many may wait, for how many seconds at most, the asker's channel, its number for the
-- question, the command's encoding, the command.
local waiting = redis.call('XLEN', KEYS[1])
if waiting >= tonumber(ARGV[1]) then
  return false
end
local entry = redis.call('XADD', KEYS[1], '*', 'asker', ARGV[3], 'ask', ARGV[4], ARGV[5], ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[2])
-- Who has the lane looks again by itself after what it has taken.
local owner = waiting == 0 and redis.call('HGET', KEYS[2], 'owner')
if owner then
  redis.call('PUBLISH', owner, KEYS[1])
end
return entry
