/** The part of the script's half that turns values into what wire.ts has for them, in Ruby. */

export const VALUES: string = String.raw`  # Values

  tag = ->(*values) { { "$" => values } }

  encode = decode = encode_error = nil

  encode_text = lambda do |value, parts|
    next value if value.encoding == Encoding::UTF_8 && value.valid_encoding?
    next value.encode("UTF-8") unless value.encoding == Encoding::BINARY || !value.valid_encoding?
    parts.buffers << value.b
    tag.("b", parts.buffers.size - 1)
  end

  encode_float = lambda do |value|
    next tag.("d", value.nan? ? "NaN" : value > 0 ? "Infinity" : "-Infinity") unless value.finite?
    value == 0 && 1 / value < 0 ? tag.("d", "-0") : value
  end

  is_name = ->(key) { key.is_a?(Symbol) || key.is_a?(String) && key.valid_encoding? && (key.encoding != Encoding::BINARY || key.ascii_only?) }

  encode_hash = lambda do |value, parts, path|
    if value.each_key.all?(&is_name)
      fields = value.to_h { |key, part| [key.to_s.encode("UTF-8"), encode.(part, parts, path)] }
      next fields.key?("$") ? tag.("o", fields) : fields
    end
    tag.("m", value.map { |key, part| [encode.(key, parts, path), encode.(part, parts, path)] })
  end

  encode_container = lambda do |value, parts, path|
    raise TypeError, "Cannot pass an object that contains itself to the host" if path.include?(value.__id__)
    path << value.__id__
    wire = case value
      when Array then value.map { |part| encode.(part, parts, path) }
      when Hash then encode_hash.(value, parts, path)
      when Set then tag.("s", value.map { |part| encode.(part, parts, path) })
      when Range
        raise TypeError, "Cannot pass a Range without an end to the host" if value.end.nil? || value.end == Float::INFINITY
        value.map { |part| encode.(part, parts, path) }
      else encode_hash.(value.to_h, parts, path)
    end
    path.pop
    wire
  end

  encode = lambda do |value, parts, path = []|
    case value
    when nil, true, false then value
    when Integer then value.abs < 2**53 ? value : tag.("n", value.to_s)
    when String then encode_text.(value, parts)
    when Symbol then value.name
    when Float then encode_float.(value)
    when host_function then tag.("h", value.host, value.name)
    when Proc, Method
      number = last_function += 1
      functions[number] = value
      parts.functions << number
      tag.("f", number, value.is_a?(Method) ? value.name.name : "proc")
    when Exception then encode_error.(value, parts)
    when Time then tag.("t", value.to_f * 1000)
    when Array, Hash, Set, Range, Struct then encode_container.(value, parts, path)
    else raise TypeError, "Cannot pass a #{value.class} to the host"
    end
  end

  new_host_function = lambda do |number, name|
    made = host_function.new(number, name)
    ObjectSpace.define_finalizer(made, release_later.(number))
    made
  end

  decode_error = lambda do |parts, buffers|
    error = HostError.new(parts["message"], parts["name"], decode.(parts["value"], buffers))
    error.fields = (parts["fields"] || {}).transform_values { |part| decode.(part, buffers) }
    if parts["host"]
      error.instance_variable_set(:@stackful_host, parts["host"])
      ObjectSpace.define_finalizer(error, release_later.(parts["host"]))
    end
    error
  end

  decode_tagged = lambda do |kind, parts, buffers|
    case kind
    when "o" then parts[0].transform_values { |part| decode.(part, buffers) }
    when "d" then { "NaN" => Float::NAN, "Infinity" => Float::INFINITY, "-Infinity" => -Float::INFINITY, "-0" => -0.0 }[parts[0]]
    when "n" then parts[0].to_i
    when "t" then parts[0] && Time.at(parts[0] / 1000.0)
    when "b" then buffers[parts[0]]
    when "m" then parts[0].to_h { |key, part| [decode.(key, buffers), decode.(part, buffers)] }
    when "s" then decode.(parts[0], buffers).to_set
    when "f" then functions[parts[0]]
    when "h" then new_host_function.(parts[0], parts[1])
    when "e" then decode_error.(parts[0], buffers)
    end
  end

  decode = lambda do |wire, buffers|
    case wire
    when Array then wire.map { |part| Array === part || Hash === part ? decode.(part, buffers) : part }
    when Hash
      kind, *parts = wire["$"]
      kind ? decode_tagged.(kind, parts, buffers) : wire.transform_values { |part| decode.(part, buffers) }
    else wire
    end
  end

  # Of what need not be text
  readable = ->(text) { text.to_s.encode("UTF-8", invalid: :replace, undef: :replace).scrub }

  stack_of = lambda do |error|
    lines = (error.backtrace || []).reject { |line| line.start_with?("<stackful>") }
    # What has called the script.
    lines.pop while lines.last&.start_with?("<internal:")
    lines.join("\n")
  end

  encode_error = lambda do |error, parts, behind = nil|
    behind ||= Enumerator.produce(error) { |at| at.cause || raise(StopIteration) }.first(100)
    host = behind.find { |at| at.instance_variable_defined?(:@stackful_host) }
    fields = error.is_a?(HostError) ? error.fields : {}
    about = {
      name: error.is_a?(HostError) ? error.name : error.class.name,
      message: readable.(error.message),
      stack: readable.(stack_of.(error)),
      fields: fields.select { |_, part| [String, Integer, Float, true, false].any? { |kind| kind === part } }
    }
    about[:host] = host.instance_variable_get(:@stackful_host) if host
    about[:cause] = encode_error.(behind[1], parts, behind.drop(1)) if host.nil? && behind.size > 1
    tag.("e", about)
  end
`;
