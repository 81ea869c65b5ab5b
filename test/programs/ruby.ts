/** CRuby 3.4 with its standard library: a WASI reactor that has been through Binaryen's Asyncify already. */

import type { Load } from "./guest.ts";
import type { Observation } from "./observation.ts";
import { installed } from "./program.ts";
import type { Program } from "./program.ts";
import { WasiHost } from "./wasi.ts";
import type { WasiOptions } from "./wasi.ts";

/** What is used here of `@ruby/wasm-wasi`. */
interface RubyVM {
  addToImports(imports: WebAssembly.Imports): void;
  setInstance(instance: WebAssembly.Instance): Promise<void>;
  initialize(args?: readonly string[]): void;
  eval(source: string): { toString(): string };
}
interface Glue {
  readonly RubyVM: new () => RubyVM;
}

function script(source: string, options: Partial<WasiOptions> = {}) {
  return async (load: Load): Promise<Observation> => {
    const { RubyVM } = (await import(installed("@ruby/wasm-wasi/dist/cjs/index.js"))) as Glue;
    const host = new WasiHost({ ...options, args: ["ruby"] });
    const vm = new RubyVM();
    const imports: WebAssembly.Imports = { ...host.imports };
    vm.addToImports(imports);
    const instance = load(imports);
    await vm.setInstance(instance);
    host.initialize(instance);
    vm.initialize(["ruby.wasm", "-EUTF-8", "-e_=0"]);
    let result: string;
    try {
      result = vm.eval(source).toString();
    } catch (error) {
      result = String(error);
    }
    const observation = host.observe(0);
    return { ...observation, stdout: observation.stdout + result };
  };
}

const LANGUAGE = `
$stdout.sync = true
fiber = Fiber.new do |x|
  loop { puts "fiber got #{x}"; x = Fiber.yield(x * 2) }
end
5.times { |i| puts fiber.resume(i) }
numbers = Enumerator.new { |y| 10.times { |i| puts "give #{i}"; y << i * i } }
puts numbers.next, numbers.next, numbers.peek
p numbers.lazy.select(&:even?).map { |x| x + 1 }.first(3)
def deep(n)
  return yield if n == 0
  begin
    deep(n - 1) { yield }
  ensure
    puts "unwinding #{n}" if n % 50 == 0
  end
end
begin
  deep(200) { raise ArgumentError, "at the bottom" }
rescue ArgumentError => e
  puts "#{e.message} #{e.backtrace.size}"
  begin
    raise "in rescue"
  rescue => inner
    puts inner.cause.message
  else
    puts "never"
  ensure
    puts "ensure"
  end
end
p catch(:found) { 100.times { |i| 100.times { |j| throw :found, [i, j] if i * j == 42 } } }
attempts = 0
begin
  attempts += 1
  puts "attempt #{attempts}"
  raise IOError if attempts < 4
rescue IOError
  retry
end
puts %w[pear fig apple kiwi].sort_by { |w| puts "key #{w}"; [w.size, w] }.join(" ")
puts [3, 1, 2].sort { |a, b| puts "#{a}?#{b}"; b <=> a }.inspect
puts "one two three".gsub(/[aeiou]+/) { |m| puts m; m.upcase }
puts "2024-02-29".match(/(?<year>\\d+)-(?<month>\\d+)/).named_captures
case { name: "x", list: [1, [2, 3]] }
in { name: String => name, list: [Integer => a, [*, b]] } then puts name, a, b
end
def overflow(n) = overflow(n + 1)
begin
  overflow(0)
rescue SystemStackError => e
  puts e.class
end
ObjectSpace.each_object(Class).first(1)
GC.start
data = (1..20000).map { |i| "string #{i}" }
data = nil
GC.start
puts "after GC"
class Foo
  def method_missing(name, *args) = "missing #{name} #{args}"
  def respond_to_missing?(*) = true
  define_method(:defined) { |x, y: 2, **rest, &block| block.call(x + y, rest) }
end
puts Foo.new.anything(1), Foo.new.defined(1, y: 5, z: 3) { |v, r| puts "block"; "#{v} #{r}" }
puts Comparable.instance_method(:clamp).bind(5).call(1, 3)
puts 2**200, 1r / 3, Complex(1, 2) * 3
at_exit { puts "at exit" }
raise "uncaught"
`;

const LIBRARY = `
$stdout.sync = true
require "json"
require "set"
require "digest"
require "stringio"
require "erb"
require "time"
require "fileutils"
data = { "list" => (1..50).to_a, "text" => "ä€😀" * 10, "nested" => { "a" => [nil, true, 1.5] } }
text = JSON.generate(data)
puts text.size, JSON.parse(text) == data, Digest::SHA256.hexdigest(text), Marshal.load(Marshal.dump(data)) == data
puts ERB.new("<% 3.times do |i| %>row <%= i %>\\n<% end %>").result
FileUtils.mkdir_p("/work/a/b")
5.times { |i| File.write("/work/a/b/#{i}.txt", "line\\n" * i * 10) }
File.rename("/work/a/b/1.txt", "/work/a/one.txt")
File.delete("/work/a/b/2.txt")
File.open("/work/a/one.txt", "r+") { |f| f.seek(5); f.write("HERE"); f.truncate(20) }
puts Dir.glob("/work/**/*").sort
puts File.readlines("/work/a/b/4.txt").size, File.stat("/work/a/one.txt").size
begin
  File.read("/work/missing")
rescue SystemCallError => e
  puts e.message
end
puts Time.at(0).utc.iso8601
sleep 0.5
puts $stdin.read.lines.map(&:reverse)
2000.times { |i| puts "#{i.to_s.rjust(6)} #{"x" * (i % 70)}" }
$stderr.puts "to stderr"
puts format("%05.2f|%-10s|%+d|%x", 3.14159, "left", 5, 255)
`;

const JAVASCRIPT = `
$stdout.sync = true
require "js"
puts JS.eval("return [1, 2, 3].map((x) => x * 2).join('-')")
puts JS.global[:Array].from([3, 1, 2].to_js)[:length]
object = JS.eval("return { greet(name) { return 'hello ' + name; }, call(f, n) { return n === 0 ? f(1) : this.call(f, n - 1); } }")
puts object.greet("ruby")
puts object.call(:call, proc { |x| puts "in proc #{x}"; x.to_i + 41 }, 5)
begin
  JS.eval("throw Object.assign(new Error('from JavaScript'), { stack: 'a stack that is the same each time' })")
rescue JS::Error => e
  puts e.message.lines.first
end
puts JS.eval("return 2n ** 70n").to_s, JS.eval("return typeof undefined")
puts (1..50).map { |i| JS.global[:Math].max(i, 25).to_i }.sum
`;

export const program: Program = {
  name: "ruby",
  wasm: "@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm",
  cases: {
    language: script(LANGUAGE),
    library: script(LIBRARY, { stdin: "first\nsecond\nthird" }),
    "calls of JavaScript": script(JAVASCRIPT),
  },
};
