/**
 * What is done once before any script, in Lua: it takes away what reaches outside of the engine or into it, and makes what has to be made
 * anew. Its arguments are functions for `__gc`, `__index` and `__tostring`; its values the metatables, the table of what is known (see
 * push-value.ts), and a function that takes functions of the host.
 *
 * Scripts have: the basic functions without `dofile` and `loadfile`, `load` of text only (bytecode is not checked by Lua, and could do
 * anything to the engine), `coroutine`, `string`, `table`, `math`, `utf8`, of `os` what tells the time, of `debug` what tells of functions,
 * and `require` by way of the host, or of `package.preload`.
 */
export const PRELUDE = `
local dropped, field, text = ...
local tostring, select, type, error, load, concat, find = tostring, select, type, error, load, table.concat, string.find
local getinfo, globals = debug.getinfo, _G
local loaded, preload = { _G = _G, coroutine = coroutine, string = string, table = table, math = math, utf8 = utf8 }, {}

os = { date = os.date, difftime = os.difftime, time = os.time, getenv = function() return nil end }
debug = { traceback = debug.traceback }
package = { loaded = loaded, preload = preload }
io, dofile, loadfile = nil, nil, nil
loaded.os, loaded.debug, loaded.package = os, debug, package

function debug.getinfo(where, ...)
  local info
  if type(where) == "number" then info = getinfo(where + 1, ...) else info = getinfo(where, ...) end
  if info then info.func = nil end
  return info
end

function globals.load(chunk, name, mode, ...)
  if mode ~= nil and not find(mode, "t", 1, true) then
    return nil, "attempt to load a text chunk (mode is '" .. mode .. "')"
  end
  return load(chunk, name, "t", ...)
end

local function join(a, b) return tostring(a) .. tostring(b) end

local function setup(write, find_source, clock)
  os.clock = clock

  function globals.print(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    write(concat(parts, "\\t"))
  end

  function globals.require(name)
    if loaded[name] ~= nil then return loaded[name] end
    local loader, place, message = preload[name], ":preload:", nil
    if loader == nil then
      loader, message = load(find_source(name), "@" .. name, "t")
      if not loader then error(message, 0) end
      place = name
    end
    local value = loader(name, place)
    -- It may have set that itself, and somebody else may have been faster while it waited.
    if loaded[name] == nil then
      if value == nil then loaded[name] = true else loaded[name] = value end
    end
    return loaded[name], place
  end
end

return { __gc = dropped, __metatable = false },
  { __gc = dropped, __index = field, __tostring = text, __concat = join, __name = "error", __metatable = false },
  {}, setmetatable({}, { __mode = "v" }), setup
`;
