-- One question to an agent, its answer as it comes, in LuaJIT. Events are pulled: a foreign thread must not enter Lua.
--
--     luajit quickstart.lua claude .
--
-- REMUDA_H and REMUDA_LIBRARY say where header and library are, if they are not where they are installed.
local ffi = require("ffi")

--- Declares what the header declares, and gives the library and the header's numbers.
local function load()
  local file = assert(io.open(os.getenv("REMUDA_H") or "/usr/include/remuda.h"))
  local numbers, code = {}, {}
  for line in file:lines() do
    local name, number = line:match("^#define (REMUDA_[%w_]+) (%d+)$")
    if name then
      numbers[name] = tonumber(number)
    elseif not line:match("^#") and not line:match("extern \"C\"") then
      code[#code + 1] = line
    end
  end
  file:close()
  ffi.cdef(table.concat(code, "\n"))
  return ffi.load(os.getenv("REMUDA_LIBRARY") or "remuda"), numbers
end

local C, is = load()

--- Makes a call whose last argument is the error, and raises it.
local function call(f, ...)
  local err = ffi.new("remuda_error *[1]")
  local arguments = { ... }
  local n = select("#", ...)
  arguments[n + 1] = err
  local status = f(unpack(arguments, 1, n + 1))
  if status ~= is.REMUDA_STATUS_OK then
    local message = ffi.string(C.remuda_error_message(err[0]))
    C.remuda_error_free(err[0])
    error(ffi.string(C.remuda_status_name(status)) .. ": " .. message, 2)
  end
end

local made = ffi.new("remuda_pool *[1]")
call(C.remuda_pool_new, nil, made)
local pool = ffi.gc(made[0], C.remuda_pool_free)

local provider, cwd = arg[1] or "claude", arg[2] or "."
local config = ffi.new("remuda_session_config[1]")
C.remuda_session_config_init(config, ffi.sizeof("remuda_session_config"))
config[0].provider, config[0].cwd = provider, cwd
local session = ffi.new("remuda_session[1]")
call(C.remuda_session_open, pool, config, session)

local question = "Say hello in five words."
call(C.remuda_session_send, pool, session[0], question, #question, 0, nil)

local events, count = ffi.new("const remuda_event *[64]"), ffi.new("size_t[1]")
local over = false
while not over do
  call(C.remuda_pool_next_events, pool, events, 64, is.REMUDA_FOREVER, count)
  for i = 0, tonumber(count[0]) - 1 do
    local event = events[i]
    if event.kind == is.REMUDA_EVENT_TEXT_DELTA then
      io.write(ffi.string(event.text, event.text_len))
    elseif event.kind == is.REMUDA_EVENT_TURN_COMPLETED then
      io.write("\n")
      over = true
    elseif event.kind == is.REMUDA_EVENT_TURN_FAILED or event.kind == is.REMUDA_EVENT_TURN_INTERRUPTED then
      error(ffi.string(event.text, event.text_len))
    end
  end
  C.remuda_events_release(events, count[0])
end

-- Ends the agent, and everything that it started.
call(C.remuda_pool_shutdown, pool, 10000, nil, nil)
C.remuda_pool_free(ffi.gc(pool, nil))
