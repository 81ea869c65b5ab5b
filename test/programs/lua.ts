/** Lua 5.4, a reactor built by Emscripten: errors are C++-less `longjmp`s through JavaScript, scripts call functions of the host. */

import type { Load } from "./guest.ts";
import { evaluate, steadyGlobals, substituteWebAssembly } from "./glue.ts";
import type { Observation } from "./observation.ts";
import { installed } from "./program.ts";
import type { Program } from "./program.ts";

/** What is used here of the package. */
interface Lua {
  readonly global: { set(name: string, value: unknown): void; close(): void };
  doStringSync(script: string): unknown;
}
interface Wasmoon {
  readonly LuaFactory: new (file: string) => { createEngine(): Promise<Lua> };
}

function script(source: string, input: readonly string[] = []) {
  return async (load: Load): Promise<Observation> => {
    let stdout = "";
    let stderr = "";
    let memory: WebAssembly.Memory | undefined;
    const capture: Load = (imports) => {
      const instance = load(imports);
      memory = instance.exports["memory"] as WebAssembly.Memory;
      return instance;
    };
    const write = (...values: unknown[]): void => void (stdout += `${values.join(" ")}\n`);
    const warn = (...values: unknown[]): void => void (stderr += `${values.join(" ")}\n`);
    const { LuaFactory } = evaluate("wasmoon/dist/index.js", {
      ...steadyGlobals(),
      WebAssembly: substituteWebAssembly(capture),
      console: { log: write, warn, error: warn },
    }) as unknown as Wasmoon;
    const lua = await new LuaFactory(installed("wasmoon/dist/glue.wasm")).createEngine();
    const lines = [...input];
    lua.global.set("ask", (text: unknown) => `${String(text)}${lines.shift() ?? ""}`);
    lua.global.set("fail", (text: unknown) => {
      throw new Error(String(text));
    });
    lua.global.set("again", (source_: string) => lua.doStringSync(source_));
    let exitCode = 0;
    try {
      write(lua.doStringSync(source));
    } catch (error) {
      exitCode = 1;
      warn(String(error));
    }
    lua.global.close();
    return { exitCode, stdout, stderr, memory: memory! };
  };
}

const COROUTINES = `
local function numbers(n)
  return coroutine.wrap(function()
    for i = 1, n do
      print("give", i)
      local got = coroutine.yield(ask("number " .. i))
      print("got", got)
    end
    return "end"
  end)
end
local g = numbers(5)
for i = 1, 6 do print(g(i)) end
print(pcall(g))

local function tree(depth)
  if depth == 0 then coroutine.yield(ask("leaf")) else tree(depth - 1) tree(depth - 1) end
end
local count = 0
for leaf in coroutine.wrap(function() tree(6) end) do count = count + #leaf end
print(count)

local inner = coroutine.create(function() print(ask("inner")); coroutine.yield(1); error({ code = 7 }) end)
local outer = coroutine.create(function() while coroutine.resume(inner) do coroutine.yield("outer") end return "over" end)
while true do
  local ok, value = coroutine.resume(outer)
  print(ok, value, coroutine.status(outer))
  if coroutine.status(outer) == "dead" then break end
end
do
  local closing <close> = setmetatable({}, { __close = function() print(ask("closed")) end })
  print("in block")
end
local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() print("co closed") end }) coroutine.yield() end)
coroutine.resume(co)
print(coroutine.close(co))
`;

const ERRORS = `
local function deep(n) if n == 0 then error(ask("deep")) end return 1 + deep(n - 1) end
print(pcall(deep, 100))
print(xpcall(deep, function(message) print("handler", ask(message)) return debug.traceback(message):gsub("%d+", "#"):sub(1, 200) end, 5))
print(pcall(error, { 1 }), pcall(error, nil), select("#", pcall(error)))
local ok, message = pcall(function() local t = nil; return t.x end)
print(ok, message)
for i = 1, 20 do
  local ok, value = pcall(function()
    local ok, value = pcall(function() print(ask(i)); if i % 3 == 0 then error("third " .. i, 0) end return i end)
    if not ok then error("again " .. value, 0) end
    return value
  end)
  print(ok, value)
end
print(pcall(string.rep), pcall(string.format, "%d", "x"))
print(select(2, pcall(fail, "from the host")))
local function forever(n) return 1 + forever(n + 1) end
local ok, message = pcall(forever, 0)
print(ok, tostring(message):sub(1, 60))
print(pcall(again, "print(ask('nested')) error('inner', 0)"))
error(setmetatable({}, { __tostring = function() return ask("as text") end }))
`;

const LIBRARY = `
local words = {}
for word in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words, function(a, b) print(ask(a .. "?" .. b)) return a < b end)
print(table.concat(words, " "))
print(("hello world"):gsub("o", function(o) return ask(o:upper()) end))
print(("key = value"):gsub("(%w+) = (%w+)", "%2 = %1"), ("x"):rep(10, ","), ("%5.2f|%-8s|%q"):format(math.pi, "left", "quo\\"te"))
print(string.pack("<i4z", 100, "text"):byte(1, -1))
local proxy = setmetatable({}, {
  __index = function(_, key) return ask("index " .. key) end,
  __newindex = function(_, key, value) print("set", key, value) end,
  __call = function(_, ...) return ask("call"), ... end,
  __add = function(a, b) return ask("add") end,
  __lt = function() return ask("lt") ~= "" end,
  __eq = function() return true end,
  __concat = function() return ask("concat") end,
  __len = function() return 42 end,
})
proxy.x = proxy.y
print(proxy(1, 2), proxy + 1, proxy < proxy, proxy .. "a", #proxy)
local file = io.open("/tmp/file.txt", "w")
for i = 1, 200 do file:write("line ", i, " ", ("x"):rep(i), "\\n") end
file:close()
local total = 0
for line in io.lines("/tmp/file.txt") do total = total + #line end
print(total, io.open("/missing"))
file = io.open("/tmp/file.txt", "r+")
file:seek("set", 100) print(file:read("l", 5, "n")) file:seek("end") file:write("end") file:close()
os.rename("/tmp/file.txt", "/tmp/other.txt") print(os.remove("/tmp/other.txt"), os.remove("/tmp/other.txt"))
print(os.time() > 0, os.date("!%Y-%m-%d", 86400 * 365), os.getenv("HOME"))
print(math.random(100), math.random(100), utf8.char(228, 8364, 128512), utf8.len("ä€😀"))
io.write("no newline") io.write(" until here\\n")
for i = 1, 500 do io.write(i, " ", ("="):rep(i % 60), "\\n") end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(22))
collectgarbage()
return "result"
`;

export const program: Program = {
  name: "lua",
  wasm: "wasmoon/dist/glue.wasm",
  cases: {
    coroutines: script(COROUTINES, ["a", "b", "c"]),
    errors: script(ERRORS),
    library: script(LIBRARY),
  },
};
