/**
 * The script's half, in Ruby: runs orders, and turns values into what wire.ts has for them.
 *
 * Ruby has nothing that interrupts a script from outside here. So what is evaluated counts: where the body of a loop, a block, a method, a `rescue`
 * or an `ensure` begins,
 *
 *     while x            while x
 *       y                  (($__left-=1)<0&&$__ask.());y
 *     end                end
 *
 * on the same line. When it has counted to the end it looks at the clock, and every few milliseconds asks the host, and waits for the answer. A script that
 * is to end leaves by `throw`, which no `rescue` catches; what an `ensure` begins to do ends there again.
 */

import { CHANNELS } from "../program/channel-directory.ts";
import { VALUES } from "./values-prelude.ts";

/**
 * Each script runs in a fiber. There is one channel: whoever waits reads it, and what is for another one is given to that one, which goes on then. A
 * script that waits within a fiber of its own (an `Enumerator`) cannot leave that without ending it for Ruby: the others wait with it.
 */
export const PRELUDE: string = String.raw`
require "json"
require "prism"
require "set"
$stdout.sync = true
$stderr.sync = true

class HostError < StandardError
  attr_reader :name, :value
  attr_accessor :fields

  def initialize(message = "", name = "HostError", value = nil)
    super(message)
    @name = name
    @value = value
    @fields = {}
  end

  def method_missing(name, *args)
    return @fields[name.to_s] if args.empty? && @fields.key?(name.to_s)
    super
  end

  def respond_to_missing?(name, all = false) = @fields.key?(name.to_s) || super
end

Module.new do
  file = File.open("${CHANNELS}/0", "r+b")
  stop = Object.new
  functions = {}
  last_function = 0
  released = []
  fibers = { 0 => Fiber.current }
  mail = {}
  stopping = {}
  asking = {}
  current = 0
  grant = 50
  max_nesting = 400 # of values
  writer = JSON::State.new(max_nesting:)
  granted = 0
  modules = {}
  has_modules = ARGV.include?("modules")

  host_function = Class.new do
    attr_reader :host, :name

    define_method(:initialize) { |host, name| @host, @name = host, name }
    define_method(:inspect) { "#<function #{@name} of the host>" }
    define_method(:to_proc) { method(:call).to_proc }
  end

  namespace = Class.new
  # What a value has beside its text: buffers, and functions, by the numbers that they were given
  new_parts = Struct.new(:buffers, :functions)

  release_later = ->(number) { proc { released << number } }

${VALUES}
  # Frames

  put = lambda do |text, buffers = []|
    frame = [current, buffers.size, *buffers.map(&:bytesize)].pack("V*")
    frame = [frame, *buffers, text.b].join
    frame = [frame.bytesize].pack("V") << frame
    written = file.syswrite(frame)
    written += file.syswrite(frame.byteslice(written..)) while written < frame.bytesize
  end

  # Its text, and the buffers beside it. Nothing is sent yet: whatever goes wrong is an exception of the script
  report = lambda do |head, value, encoder = encode|
    parts = new_parts.new([], [])
    is_complete = false
    wire = encoder.(value, parts)
    text = "#{head},#{writer.generate(wire)}"
    is_complete = true
    [text, parts.buffers]
  ensure
    parts.functions.each { |number| functions.delete(number) } unless is_complete
  end

  send = lambda do |text, buffers|
    put.(text, buffers)
    # Not before: what is of no use any more may be in it.
    put.("g#{released.pop},null") until released.empty?
  end

  read_value = ->(text, buffers) { decode.(JSON.parse(text, max_nesting:), buffers) }

  define = lambda do |path, callee|
    at = path.size == 1 ? nil : path[0...-1].inject(nil) do |around, name|
      if around.nil? ? Object.private_method_defined?(name) && TOPLEVEL_BINDING.receiver.__send__(name).is_a?(namespace) : around.respond_to?(name)
        next around.nil? ? TOPLEVEL_BINDING.receiver.__send__(name) : around.__send__(name)
      end
      made = namespace.new
      around.nil? ? Object.class_eval { define_method(name) { made }; private name } : around.define_singleton_method(name) { made }
      made
    end
    body = ->(*args, **fields, &block) { callee.call(*args, **fields, &block) }
    name = path[-1]
    at.nil? ? Object.class_eval { define_method(name, &body); private name } : at.define_singleton_method(name, &body)
  end

  serve = receive = nil

  receive = lambda do |strand|
    loop do
      if mail.key?(strand)
        current = strand
        break mail.delete(strand)
      end
      if fibers[strand].equal?(Fiber.current) && !mail.empty?
        fibers[mail.first[0]].transfer
        next
      end
      frame = file.sysread(65_536)
      size = frame.unpack1("V") + 4
      frame << file.sysread([size - frame.bytesize, 1 << 20].min) while frame.bytesize < size
      target, count = frame.unpack("VV", offset: 4)
      at = 12 + 4 * count
      buffers = frame.unpack("V#{count}", offset: 12).map { |bytes| frame.byteslice((at += bytes) - bytes, bytes) }
      head, text = frame.byteslice(at..).force_encoding("UTF-8").split(",", 2)
      kind, number = head[0], head[1..].to_i
      case kind
      when "g" then functions.delete(number)
      when "s" then fibers[number] = Fiber.new { serve.(number) }
      when "d" then define.(*read_value.(text, buffers))
      else
        mail[target] = [kind, text, buffers]
      end
    end
  end

  # Sends what the host has to answer, and waits for that.
  host_function.define_method(:stackful_ask) do |head, args|
    strand = current
    raise "Cannot call a function of the host while another call of it begins or ends" if asking[strand]
    text, buffers = report.(head, args)
    begin
      asking[strand] = true
      send.(text, buffers)
      kind, text, buffers = receive.(strand)
    ensure
      asking.delete(strand)
    end
    if kind == "p"
      stopping[strand] = true
      $__left = 0
      throw stop
    end
    value = read_value.(text, buffers)
    next value if kind == "v"
    raise value.is_a?(Exception) ? value : HostError.new(value.to_s, "HostError", value)
  end
  host_function.define_method(:call) do |*args, **fields, &block|
    args << fields unless fields.empty?
    args << block if block
    stackful_ask("c#{@host}", args)
  end
  host_function.alias_method(:[], :call)
  nil_function = host_function.new(0, "tick")

  Kernel.define_method(:sleep) do |seconds = nil|
    raise TypeError, "can't convert #{seconds.class} into time interval" unless seconds.nil? || seconds.is_a?(Numeric)
    raise ArgumentError, "time interval must not be negative" unless seconds.nil? || seconds >= 0
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    nil_function.stackful_ask("w", [seconds.nil? ? 1e9 : seconds.to_f])
    (Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).round
  end
  Kernel.define_singleton_method(:sleep) { |seconds = nil| TOPLEVEL_BINDING.receiver.__send__(:sleep, seconds) }

  # Stopping: loops, blocks and methods count, and ask from time to time whether to go on

  now = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond) }
  looked = granted
  $__left = grant
  # One turn of a loop may take a thousand times as long as one of the loop before: few of them pass between two looks at the clock.
  $__ask = lambda do
    throw stop if stopping[current]
    time = now.()
    grant = (grant / (time - looked + 0.001)).clamp(grant / 4, grant * 4).clamp(1, 500).to_i
    if time - granted >= 5
      nil_function.stackful_ask("t", [])
      time = granted = now.()
    end
    looked = time
    $__left = grant
  end
  count = "(($__left-=1)<0&&$__ask.());"

  # Where to put what: [offset, text]
  marks_of = lambda do |node|
    first = ->(body) { body = body.statements if Prism::BeginNode === body; body && [[body.location.start_offset, count]] }
    around = ->(body) { [[body.location.start_offset, "(" + count], [body.location.end_offset, ")"]] }
    case node
    when Prism::WhileNode, Prism::UntilNode
      body = node.statements
      next [[node.closing_loc.start_offset, count]] if body.nil?
      next first.(body) if node.closing_loc
      node.begin_modifier? ? first.(body.body[0]) : around.(body)
    when Prism::ForNode
      node.statements ? first.(node.statements) : [[node.end_keyword_loc.start_offset, count]]
    when Prism::BlockNode, Prism::LambdaNode
      node.body ? first.(node.body) : [[node.closing_loc.start_offset, " " + count + "nil;"]]
    when Prism::DefNode
      node.body && (node.equal_loc ? around.(node.body) : first.(node.body))
    when Prism::RescueNode, Prism::EnsureNode
      node.statements && first.(node.statements)
    end
  end

  counted = lambda do |source|
    tree = Prism.parse(source)
    next source unless tree.errors.empty?
    marks = []
    left = [tree.value]
    while (node = left.pop)
      marks.concat(marks_of.(node) || [])
      left.concat(node.compact_child_nodes)
    end
    text = source.b
    at = 0
    pieces = marks.sort_by.with_index { |(offset, mark), index| [offset, mark == ")" ? 0 : 1, index] }.flat_map do |offset, mark|
      piece = text.byteslice(at...offset)
      at = offset
      [piece, mark]
    end
    [*pieces, text.byteslice(at..)].join.force_encoding(source.encoding)
  end

  # Modules of the host: what is not in the library of Ruby. Only one script runs each, others wait for it

  nil_function.define_singleton_method(:load_module) do |name|
    state = (modules[name] ||= {})
    sleep 0.001 while state[:strand] && state[:strand] != current
    next false if state[:strand] || state[:is_loaded]
    state[:strand] = current
    begin
      source = begin
        stackful_ask("m", [name])
      rescue HostError
        raise LoadError, "cannot load such file -- #{name}"
      end
      eval(counted.(source), TOPLEVEL_BINDING, name, 1)
      state[:is_loaded] = true
    ensure
      state.delete(:strand)
    end
  end

  library = Kernel.instance_method(:require)
  Kernel.define_method(:require) do |name|
    library.bind_call(self, name)
  rescue LoadError => error
    raise unless has_modules && error.path == name
    nil_function.load_module(name)
  end

  # Orders

  perform = lambda do |kind, text, buffers|
    throw stop if kind == "p"
    first, second = read_value.(text, buffers)
    case kind
    when "e" then eval(counted.(first), TOPLEVEL_BINDING, second, 1)
    when "i" then functions[first].call(*second)
    else first[0...-1].inject(TOPLEVEL_BINDING.receiver) { |at, name| at.__send__(name) }.__send__(first[-1], *second)
    end
  end

  attempt = lambda do |order|
    report.("r", perform.(*order))
  rescue Exception => error
    begin
      report.("x", error, encode_error)
    rescue Exception
      # Its message is code of the script.
      [%(x,{"$":["e",{"name":"Exception","message":"An exception that cannot say what it is"}]}), []]
    end
  end

  serve = lambda do |strand|
    loop do
      order = receive.(strand)
      ended = catch(stop) { attempt.(order) }
      ended ||= ['x,{"$":["e",{"name":"Stop","message":"stopped"}]}', []]
      send.(*ended)
      ended = order = nil
      stopping.delete(strand)
    end
  end

  send.("a0,null", [])
  receive.(0)
end
`;
