"""The atomic steps, in Lua: a session's bytes, mtime and title change together or not at all.

Every script first looks (a key of another type is found before anything
changed), then changes, and undoes what it did when the server refuses one of
the changes: a user may lack the right to one command, or a string may become
too long. Each touches the keys of one session, or of the few that go with it.

A full server refuses what may take memory as a script's first write, and lets what comes behind
another write pass, so that no script stops half way. So what only moves and removes begins with
that, and works on a full server too; what adds begins with what is refused there.

A script answers with a list: `ok, …`, or why it changed nothing:
`missing, number` | `exists, number` | `conflict, size or -1` | `fenced` |
`refused, command, key, text`. Numbers count the sessions from 1.
"""

from __future__ import annotations

from sessiontui.storage.redis.connection import Script

_HERE = """
local META, TITLE = KEYS[1], KEYS[2]
local call = redis.pcall
local function answer(reply) return reply end
"""
# The two hashes as they were, and what becomes of them, where they are on other servers.
_ELSEWHERE = """
local META, TITLE = 'meta', 'title'
local given, here, changed = ARGV, KEYS, {}
local hashes = {meta = {}, title = {}}
local count = tonumber(given[2])
for i = 0, count - 1 do hashes[given[3 + 3 * i]][given[4 + 3 * i]] = given[5 + 3 * i] end
local KEYS, ARGV = {META, TITLE, unpack(here)}, {given[1]}
for i = 3 + 3 * count, #given do ARGV[#ARGV + 1] = given[i] end
local function call(...)
  local command, key, name, value = ...
  local hash = hashes[key]
  if not hash then return redis.pcall(...) end
  if command == 'HGET' then return hash[name] or false end
  if command == 'HLEN' then return 0 end
  hash[name] = command == 'HSET' and value or nil
  changed[#changed + 1] = key
  changed[#changed + 1] = name
  changed[#changed + 1] = value and '+' .. value or '-'
  return 1
end
local function answer(reply)
  if reply[1] ~= 'ok' then changed = {} end
  return {reply, changed}
end
"""
_FRAME = """
local undo = {}
local function stop(...) error({...}, 0) end
local function look(...)
  local reply = call(...)
  if type(reply) == 'table' and reply.err then
    stop('refused', (...), (select(2, ...)), reply.err)
  end
  return reply
end
local function change(back, ...)
  local reply = look(...)
  undo[#undo + 1] = back
  return reply
end
local function size_of(key)
  local size = look('STRLEN', key)
  if size == 0 and look('EXISTS', key) == 0 then return nil end
  return size
end
local function put(hash, path, value)
  local old = look('HGET', hash, path)
  if old == value then return end
  local back = old and {'HSET', hash, path, old} or {'HDEL', hash, path}
  if value then change(back, 'HSET', hash, path, value)
  else change(back, 'HDEL', hash, path) end
end
local function date(path, mtime)
  if mtime ~= '' then put(META, path, mtime) end
  return look('HGET', META, path)
end
local function retitle(path, mode, title)
  if mode == 'set' then put(TITLE, path, title)
  elseif mode == 'none' then put(TITLE, path, false) end
end
local function move(source, target)
  change({'RENAME', target, source}, 'RENAME', source, target)
end
local function live(key, life, before)
  local back = before < 0 and {'PERSIST', key} or {'PEXPIRE', key, before}
  if life >= 0 then change(back, 'PEXPIRE', key, math.max(1, life))
  elseif before >= 0 then change(back, 'PERSIST', key) end
end
local function throw(file, kept, life)
  local own = look('PTTL', file)
  move(file, kept)
  if own < 0 then change({'PERSIST', kept}, 'PEXPIRE', kept, life) return nil, life end
  if own > life then live(kept, life, own) end
  return math.max(0, own - life), math.min(own, life)
end
local function bring(kept, file, rest)
  local life = look('PTTL', kept)
  move(kept, file)
  if life < 0 then return end
  if not rest then live(file, -1, life) elseif rest > 0 then live(file, life + rest, life) end
end
local function body()
  look('HLEN', META)
  look('HLEN', TITLE)
%s
end
local fence = redis.pcall('EXISTS', ARGV[1])
if fence == 1 then return answer({'fenced'}) end
local done, reply = pcall(body)
if done then return answer(reply) end
for i = #undo, 1, -1 do call(unpack(undo[i])) end
if type(reply) == 'table' then return answer(reply) end
return answer({'refused', 'script', '', tostring(reply)})
"""
# What has a time to live keeps it. In the trash it lives no longer than that: `throw` says how
# much longer than the trash keeps it it would have lived (nil: for ever), and how long it is
# there. That it is given to `bring`, which needs no clock so.
# The fence is no declared key, for a user without a right to it could run nothing then.


def _script(body: str) -> Script:
    text = _FRAME % body
    return Script(_HERE + text, apart=Script(_ELSEWHERE + text))


APPEND = _script("""
  local path, mtime, data = ARGV[2], ARGV[3], ARGV[4]
  local title = look('HGET', TITLE, path)
  look('STRLEN', KEYS[3])
  put(META, path, mtime)
  return {'ok', change(nil, 'APPEND', KEYS[3], data), title}
""")
"""KEYS meta, title, file; ARGV fence, path, mtime, data. Answers `ok, size, title`."""

WRITE = _script("""
  local path, mtime, expected, data = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
  local size = size_of(KEYS[3])
  if expected == 'absent' then
    if size then stop('conflict', size) end
  elseif expected ~= 'any' and size ~= tonumber(expected) then
    stop('conflict', size or -1)
  end
  put(META, path, mtime)
  retitle(path, ARGV[4], ARGV[5])
  local title = look('HGET', TITLE, path)
  change(nil, 'SET', KEYS[3], data, 'KEEPTTL')
  return {'ok', #data, title}
""")
"""KEYS as APPEND; ARGV fence, path, mtime, title mode, title, expected, data."""

PATCH = _script("""
  local path, mtime, old, new = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
  local size = size_of(KEYS[3])
  if not size then stop('missing', 1) end
  if #old > 0 and look('GETRANGE', KEYS[3], 0, #old - 1) ~= old then stop('conflict', size) end
  local dated = date(path, mtime)
  retitle(path, ARGV[4], ARGV[5])
  local title = look('HGET', TITLE, path)
  if #new > 0 then change(nil, 'SETRANGE', KEYS[3], 0, new) end
  return {'ok', size, title, dated}
""")
"""KEYS as APPEND; ARGV fence, path, mtime (empty: it stays), title mode, title, old, new.
Answers `ok, size, title, mtime`."""

PREPEND = _script("""
  local path, mtime, expected, data = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
  local size = size_of(KEYS[3])
  if size ~= tonumber(expected) then stop('conflict', size or -1) end
  local whole = data .. look('GETRANGE', KEYS[3], 0, -1)
  local dated = date(path, mtime)
  retitle(path, ARGV[4], ARGV[5])
  local title = look('HGET', TITLE, path)
  change(nil, 'SET', KEYS[3], whole, 'KEEPTTL')
  return {'ok', #whole, title, dated}
""")
"""KEYS and ARGV as WRITE, where an empty mtime stays; for small sessions. Answers as PATCH."""

COPY = _script("""
  local expected, first, last, total = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
  local start, copy = ARGV[6], KEYS[4]
  local size = size_of(KEYS[3])
  if size ~= tonumber(expected) then stop('conflict', size or -1) end
  if ARGV[10] == '1' then
    change(nil, 'SETRANGE', copy, total - 1, '\\0')
    change(nil, 'SETRANGE', copy, 0, start)
  elseif look('STRLEN', copy) ~= total then
    stop('refused', 'GETRANGE', copy, 'the copy is gone')
  end
  change(nil, 'SETRANGE', copy, ARGV[9], look('GETRANGE', KEYS[3], first, last))
  change(nil, 'PEXPIRE', copy, ARGV[7])
  return {'ok', look('HGET', META, ARGV[8])}
""")
"""Copies a range of a session to where it belongs behind a new beginning. The server makes
room for the whole copy at first, 0.5 ms a MB: letting it grow costs three times that.
KEYS meta, title, file, copy; ARGV fence, expected size, first and last byte, size of the
whole copy, new beginning, the copy's life (ms), path, where in the copy the range goes,
whether the copy is begun. Answers `ok, mtime`."""

SWAP = _script("""
  local path, mtime, expected, seen, total = ARGV[2], ARGV[3], ARGV[6], ARGV[7], ARGV[8]
  local size = size_of(KEYS[3])
  if size ~= tonumber(expected) or (look('HGET', META, path) or '') ~= seen then
    stop('conflict', size or -1)
  end
  if look('STRLEN', KEYS[4]) ~= tonumber(total) then
    stop('refused', 'RENAME', KEYS[4], 'the copy is gone')
  end
  local dated = date(path, mtime)
  retitle(path, ARGV[4], ARGV[5])
  local title = look('HGET', TITLE, path)
  local life = look('PTTL', KEYS[3])
  move(KEYS[3], KEYS[5])
  move(KEYS[4], KEYS[3])
  live(KEYS[3], life, look('PTTL', KEYS[3]))
  redis.pcall('UNLINK', KEYS[5])
  return {'ok', tonumber(total), title, dated}
""")
"""Puts the copy in the session's place. KEYS meta, title, file, copy, a key for the old one;
ARGV fence, path, mtime, title mode, title, expected size, mtime seen, the copy's size."""

RENAME = _script("""
  local overwrite = ARGV[2] == '1'
  local count = (#ARGV - 2) / 2
  for i = 1, count do
    local source, target = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
    if not size_of(source) then stop('missing', i) end
    if size_of(target) and not overwrite then stop('exists', i) end
  end
  for i = 1, count do
    local source, target = ARGV[1 + 2 * i], ARGV[2 + 2 * i]
    for _, hash in ipairs({META, TITLE}) do
      local value = look('HGET', hash, source)
      put(hash, source, false)
      put(hash, target, value)
    end
  end
  for i = 1, count do move(KEYS[1 + 2 * i], KEYS[2 + 2 * i]) end
  return {'ok'}
""")
"""KEYS meta, title, then source and target of each; ARGV fence, overwrite, then their paths."""

DELETE = _script("""
  local count = #ARGV - 1
  for i = 1, count do
    local size = size_of(KEYS[2 + i])
    if i == 1 and not size then stop('missing', 1) end
  end
  for i = 1, count do
    put(META, ARGV[1 + i], false)
    put(TITLE, ARGV[1 + i], false)
  end
  for i = 1, count do change(nil, 'UNLINK', KEYS[2 + i]) end
  return {'ok'}
""")
"""KEYS meta, title, then the files; ARGV fence, then the paths."""

STAGE = _script("""
  change(nil, 'SETRANGE', KEYS[3], ARGV[2], ARGV[3])
  change(nil, 'PEXPIRE', KEYS[3], ARGV[4])
  return {'ok'}
""")
"""KEYS meta, title, a temporary key; ARGV fence, offset, bytes, life (ms)."""

PLACE = _script("""
  local count = (#ARGV - 1) / 5
  for i = 1, count do
    local built, file, expected = KEYS[1 + 2 * i], KEYS[2 + 2 * i], tonumber(ARGV[5 * i - 1])
    if size_of(file) then stop('exists', i) end
    local size = size_of(built) or 0
    if size ~= expected then stop('conflict', size, i) end
  end
  for i = 1, count do
    local built, file = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
    local path, mtime, size, title, life = unpack(ARGV, 5 * i - 3, 5 * i + 1)
    put(META, path, mtime ~= '' and mtime or false)
    put(TITLE, path, title ~= '' and title or false)
    if size == '0' then
      change({'UNLINK', file}, 'SET', file, '')
    else
      move(built, file)
    end
    live(file, tonumber(life), look('PTTL', file))
  end
  return {'ok'}
""")
"""KEYS meta, title, then temporary key and file of each; ARGV fence, then path, mtime, size, title
and life (ms) of each; time and title are empty for none, the life is -1."""

TRASH = _script("""
  local record, life = KEYS[3], tonumber(ARGV[2])
  local lasts = life
  if look('EXISTS', record) == 1 then stop('exists', 1) end
  local fields = {'deleted', ARGV[3], 'count', #ARGV - 4}
  for i = 1, #ARGV - 4 do
    local path, file, kept = ARGV[4 + i], KEYS[2 + 2 * i], KEYS[3 + 2 * i]
    local size = size_of(file)
    if i == 1 and not size then stop('missing', 1) end
    if size then
      local rest, there = throw(file, kept, life)
      if i == 1 then lasts = there end
      local facts = {
        path = path, size = size, rest = rest,
        mtime = look('HGET', META, path), title = look('HGET', TITLE, path)
      }
      for name, value in pairs(facts) do
        if value then
          fields[#fields + 1] = name .. ':' .. i
          fields[#fields + 1] = value
        end
      end
      put(META, path, false)
      put(TITLE, path, false)
    end
  end
  for name, value in pairs({expires = math.min(ARGV[4], ARGV[3] + lasts), life = lasts}) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format('%.0f', value)
  end
  for i = 1, #fields, 2 do
    change(i == 1 and {'DEL', record} or nil, 'HSET', record, fields[i], fields[i + 1])
  end
  change(nil, 'PEXPIRE', record, lasts)
  return {'ok'}
""")
"""KEYS meta, title, record, then file and trash key of each;
ARGV fence, life (ms), deleted, expires, then the paths. The record's fields are `deleted`,
`expires`, `life` (ms; its time to live at first), `count`, and `path:<n>`, `size:<n>`,
`mtime:<n>`, `title:<n>` where there is one, and `rest:<n>` (ms) where it had a time to live: how
much longer than the trash keeps it."""

JOIN = _script("""
  local record, tail, kept, head = KEYS[3], KEYS[4], KEYS[5], KEYS[6]
  local life, path, target = tonumber(ARGV[2]), ARGV[5], ARGV[7]
  local size, before = size_of(tail), size_of(head)
  if not size then stop('missing', 1) end
  if size ~= tonumber(ARGV[6]) then stop('conflict', size) end
  if before ~= tonumber(ARGV[8]) then stop('conflict', before or -1) end
  if look('EXISTS', record) == 1 then stop('exists', 1) end
  look('SETRANGE', head, 0, '')  -- changes nothing; refused where there is no room
  local added = ARGV[9] .. look('GETRANGE', tail, ARGV[10], -1)
  local fields = {'deleted', ARGV[3], 'count', 1, 'path:1', path}
  local rest, lasts = throw(tail, kept, life)
  for name, value in pairs({expires = math.min(ARGV[4], ARGV[3] + lasts), life = lasts}) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format('%.0f', value)
  end
  local facts = {
    size = size, rest = rest,
    mtime = look('HGET', META, path), title = look('HGET', TITLE, path)
  }
  for name, value in pairs(facts) do
    if value then
      fields[#fields + 1] = name .. ':1'
      fields[#fields + 1] = value
    end
  end
  put(META, path, false)
  put(TITLE, path, false)
  put(META, target, ARGV[11])
  local title = look('HGET', TITLE, target)
  change({'DEL', record}, 'HSET', record, unpack(fields))
  change(nil, 'PEXPIRE', record, lasts)
  return {'ok', change(nil, 'APPEND', head, added), title}
""")
"""KEYS meta, title, record, file and trash key of the one, file of the other; ARGV fence, life
(ms), deleted, expires, path and size of the one, path and size of the other, what comes
between, how many bytes are left out, mtime. The record is that of TRASH. Answers as APPEND."""

FIELDS = _script("""
  local done = {'ok'}
  for i = 1, #KEYS - 2 do
    local at = 5 * i - 3
    local hash, path = ARGV[at] == 'meta' and META or TITLE, ARGV[at + 1]
    local old, new = ARGV[at + 2], ARGV[at + 3]
    local now = look('HGET', hash, path)
    now = now and '+' .. now or '-'
    local here = look('EXISTS', KEYS[2 + i]) == 1
    done[#done + 1] = 0
    if here == (ARGV[at + 4] == '1') and (now == old or now == new) then
      put(hash, path, new ~= '-' and string.sub(new, 2))
      done[#done] = 1
    end
  end
  return done
""")
"""KEYS meta, title, then the files; ARGV fence, then for each `meta` or `title`, path, old and
new value (`-`, or `+` and the value), whether there must be a file. Answers `ok`, then for
each 1 or 0."""

RESTORE = _script("""
  local record = KEYS[3]
  if look('EXISTS', record) == 0 then stop('missing', 1) end
  local count = (#ARGV - 1) / 2
  for i = 1, count do
    if size_of(KEYS[3 + 2 * i]) then stop('exists', i) end
    if i == 1 and not size_of(KEYS[2 + 2 * i]) then stop('missing', 1) end
  end
  local back = {'ok'}
  for i = 1, count do
    local number, path, kept, file = ARGV[2 * i], ARGV[1 + 2 * i], KEYS[2 + 2 * i], KEYS[3 + 2 * i]
    if size_of(kept) then
      bring(kept, file, tonumber(look('HGET', record, 'rest:' .. number) or ''))
      put(META, path, look('HGET', record, 'mtime:' .. number))
      put(TITLE, path, look('HGET', record, 'title:' .. number))
      back[#back + 1] = tonumber(number)
    end
  end
  change(nil, 'UNLINK', record)
  return back
""")
"""KEYS meta, title, record, then trash key and file of each;
ARGV fence, then number and path of each. Answers `ok` and the numbers that are back."""

PUT = _script("""
  local copy, at = KEYS[3], ARGV[2]
  local size = look('STRLEN', copy)
  if size ~= tonumber(at) then stop('conflict', size) end
  change(nil, 'APPEND', copy, ARGV[3])
  change(nil, 'PEXPIRE', copy, ARGV[4])
  return {'ok'}
""")
"""Adds a piece to a copy. KEYS meta, title, copy; ARGV fence, size before, data, life (ms)."""

PUBLISH = _script("""
  local file, copy, path = KEYS[3], KEYS[4], ARGV[2]
  if size_of(file) and ARGV[3] ~= '1' then stop('exists', 1) end
  if look('STRLEN', copy) ~= tonumber(ARGV[4]) then
    stop('refused', 'RENAME', copy, 'the copy is gone')
  end
  move(copy, file)
  live(file, tonumber(ARGV[7]), look('PTTL', file))
  put(META, path, ARGV[5] ~= '' and ARGV[5])
  put(TITLE, path, ARGV[6] ~= '' and ARGV[6])
  return {'ok'}
""")
"""Makes a copy the session. KEYS meta, title, file, copy; ARGV fence, path, overwrite, size of
the copy, mtime, title (both empty for none), life (ms; -1 for ever)."""

GROW = _script("""
  local size = size_of(KEYS[3])
  if size ~= tonumber(ARGV[2]) then stop('conflict', size or -1) end
  return {'ok', change(nil, 'APPEND', KEYS[3], ARGV[3])}
""")
"""Adds to a session of this size, and leaves its time. KEYS meta, title, file; ARGV fence, size,
data."""

REMOVE = _script("""
  local size = size_of(KEYS[3])
  if not size then stop('missing', 1) end
  if size ~= tonumber(ARGV[3]) then stop('conflict', size) end
  put(META, ARGV[2], false)
  put(TITLE, ARGV[2], false)
  change(nil, 'UNLINK', KEYS[3])
  return {'ok'}
""")
"""Removes a session of this size. KEYS meta, title, file; ARGV fence, path, size."""

THROW = _script("""
  local file, kept = KEYS[3], KEYS[4]
  if not size_of(file) then stop('missing', 1) end
  if look('EXISTS', kept) == 1 then stop('exists', 1) end
  local own, rest = look('PTTL', file), tonumber(ARGV[4])
  throw(file, kept, rest and own > rest and own - rest or tonumber(ARGV[3]))
  put(META, ARGV[2], false)
  put(TITLE, ARGV[2], false)
  return {'ok'}
""")
"""Moves a session to the trash. KEYS meta, title, file, trash key; ARGV fence, path, life (ms), the
rest that its record has (empty for none)."""

BRING = _script("""
  local kept, file = KEYS[3], KEYS[4]
  if not size_of(kept) then stop('missing', 1) end
  if size_of(file) then stop('exists', 1) end
  bring(kept, file, tonumber(ARGV[5]))
  put(META, ARGV[2], ARGV[3] ~= '' and ARGV[3])
  put(TITLE, ARGV[2], ARGV[4] ~= '' and ARGV[4])
  return {'ok'}
""")
"""Brings a session back. KEYS meta, title, trash key, file; ARGV fence, path, mtime, title, the
rest that its record has (all empty for none)."""
