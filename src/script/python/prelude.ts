/** The script's half, in Python: runs orders, and turns values into what wire.ts has for them. It loads no module that starting does not load anyway. */

import { CHANNELS } from "../program/channel-directory.ts";

export const PRELUDE: string = String.raw`
def _start():
    import sys, posix, _thread, _json, _signal, time, math
    from _ast import Expr, Expression
    from opcode import opmap

    FILE = "<stackful>"
    AST_ONLY = 0x400
    SAFE = 2 ** 53
    TOOL = 5
    HANDLER = opmap["PUSH_EXC_INFO"]
    PLAIN = (str, bool, type(None))

    class Local(_thread._local):
        """What each thread has of its own. One that has just begun may be interrupted, too."""

        busy = True
        stopping = False
        number = 0

    local = Local()
    functions = {}
    last_function = 0
    released = []
    stopping = 0
    scripts = sys.modules["__main__"]

    class Stop(BaseException):
        pass

    class Context:
        strict = False
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = None
        memo = {}

    scan = _json.make_scanner(Context())
    write_json = _json.make_encoder(None, None, _json.encode_basestring_ascii, None, ":", ",", False, False, False)

    class HostError(Exception):
        """What a function of the host has thrown: name, message, and its fields as attributes."""

        def __init__(self, message="", name="HostError", value=None):
            super().__init__(message)
            self.name = name
            self.value = value

        def __del__(self):
            if hasattr(self, "_host"):
                released.append(self._host)

    class HostFunction:
        __slots__ = ("_host", "__name__")

        def __init__(self, host, name):
            self._host = host
            self.__name__ = name

        def __call__(self, *args, **fields):
            if fields:
                args += (fields,)
            return ask("c%d" % self._host, args)

        def __repr__(self):
            return "<function %s of the host>" % self.__name__

        def __del__(self):
            released.append(self._host)

    class Namespace:
        pass

    # Values

    def tag(kind, *parts):
        return {"$": [kind, *parts]}

    def encode(value, buffers, path):
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is int:
            return value if -SAFE < value < SAFE else tag("n", str(value))
        if kind is float:
            if not math.isfinite(value):
                return tag("d", "NaN" if value != value else "Infinity" if value > 0 else "-Infinity")
            return tag("d", "-0") if value == 0 and math.copysign(1, value) < 0 else value
        if kind is HostFunction:
            return tag("h", value._host, value.__name__)
        if isinstance(value, (bytes, bytearray, memoryview)):
            buffers.append(bytes(value))
            return tag("b", len(buffers) - 1)
        if isinstance(value, BaseException):
            return encode_error(value, buffers)
        if isinstance(value, (str, int, float)):
            return encode(next(base for base in (str, int, float) if isinstance(value, base))(value), buffers, path)
        if id(value) in path:
            raise TypeError("Cannot pass an object that contains itself to the host")
        path.add(id(value))
        try:
            return encode_container(value, buffers, path)
        finally:
            path.discard(id(value))

    def encode_container(value, buffers, path):
        nonlocal last_function
        if isinstance(value, (list, tuple, range)):
            return [part if type(part) in PLAIN else encode(part, buffers, path) for part in value]
        if isinstance(value, dict):
            if all(type(key) is str for key in value):
                fields = {key: encode(part, buffers, path) for key, part in value.items()}
                return tag("o", fields) if "$" in fields else fields
            return tag("m", [[encode(key, buffers, path), encode(part, buffers, path)] for key, part in value.items()])
        if isinstance(value, (set, frozenset)):
            return tag("s", [encode(part, buffers, path) for part in value])
        if callable(value):
            last_function += 1
            functions[last_function] = value
            return tag("f", last_function, getattr(value, "__name__", type(value).__name__))
        if isinstance(value, Namespace):
            return encode(value.__dict__, buffers, path)
        date = getattr(sys.modules.get("datetime"), "datetime", None)
        if date is not None and isinstance(value, date):
            return tag("t", value.timestamp() * 1000)
        raise TypeError("Cannot pass a %s to the host" % type(value).__name__)

    def decode(wire, buffers):
        if type(wire) is list:
            return [decode(part, buffers) if type(part) in (list, dict) else part for part in wire]
        if type(wire) is not dict:
            return wire
        if "$" in wire:
            kind, *parts = wire["$"]
            return DECODERS[kind](buffers, *parts)
        return {key: decode(part, buffers) for key, part in wire.items()}

    def decode_fields(buffers, fields):
        return {key: decode(part, buffers) for key, part in fields.items()}

    def decode_date(buffers, ms):
        import datetime
        return None if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)

    DECODERS = {
        "o": decode_fields,
        "u": lambda buffers: None,
        "d": lambda buffers, text: float(text.replace("Infinity", "inf")),
        "n": lambda buffers, text: int(text),
        "t": decode_date,
        "b": lambda buffers, index: buffers[index],
        "m": lambda buffers, entries: {decode(key, buffers): decode(part, buffers) for key, part in entries},
        "s": lambda buffers, parts: set(decode(parts, buffers)),
        "f": lambda buffers, number, name: functions[number],
        "h": lambda buffers, number, name: HostFunction(number, name),
        "e": lambda buffers, parts: decode_error(buffers, **parts),
    }

    # Errors

    def decode_error(buffers, name, message, stack=None, fields=None, host=None, value=None):
        error = HostError(message, name, decode(value, buffers))
        for key, part in (fields or {}).items():
            setattr(error, key, decode(part, buffers))
        if host is not None:
            error._host = host
        return error

    def encode_error(error, buffers):
        parts = {"name": getattr(error, "name", None) if isinstance(error, HostError) else type(error).__name__}
        parts["message"] = message_of(error)
        parts["stack"] = stack_of(error)
        fields = {}
        for key, part in getattr(error, "__dict__", {}).items():
            if type(part) in (str, bool, int, float) and key not in ("_host", "name", "value"):
                fields[key] = encode(part, buffers, set())
        parts["fields"] = fields
        at = error
        while at is not None and not hasattr(at, "_host"):
            at = at.__cause__
        if at is not None:
            parts["host"] = at._host
        return tag("e", parts)

    def message_of(error):
        try:
            text = str(error)
        except Exception:
            text = ""
        return text or ("out of memory" if isinstance(error, MemoryError) else "")

    def stack_of(error):
        lines = []
        at = error.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            if code.co_filename != FILE:
                lines.append('  File "%s", line %s, in %s' % (code.co_filename, at.tb_lineno, code.co_name))
            at = at.tb_next
        return "\n".join(lines)

    # Frames

    def send(head, wire, buffers):
        while released:
            put(b"g%d,null" % released.pop(), ())
        put(("%s,%s" % (head, "".join(write_json(wire, 0)))).encode(), buffers)

    def put(text, buffers):
        sizes = (0, len(buffers), *map(len, buffers))
        parts = [part.to_bytes(4, "little") for part in sizes]
        frame = b"".join((*parts, *buffers, text))
        frame = len(frame).to_bytes(4, "little") + frame
        written = posix.write(local.file, frame)
        while written < len(frame):
            frame = frame[written:]
            written = posix.write(local.file, frame)

    def receive():
        while True:
            frame = posix.read(local.file, 65536)
            size = int.from_bytes(frame[:4], "little") + 4
            if len(frame) < size:
                pieces = [frame]
                have = len(frame)
                while have < size:
                    pieces.append(posix.read(local.file, min(size - have, 1 << 20)))
                    have += len(pieces[-1])
                frame = b"".join(pieces)
            count = int.from_bytes(frame[8:12], "little")
            at = 12 + 4 * count
            buffers = []
            for index in range(count):
                end = at + int.from_bytes(frame[12 + 4 * index:16 + 4 * index], "little")
                buffers.append(frame[at:end])
                at = end
            head, _, text = frame[at:].decode().partition(",")
            kind, number = head[:1], head[1:]
            if kind == "g":
                functions.pop(int(number), None)
            elif kind == "s":
                _thread.start_new_thread(serve, (int(number),))
            elif kind == "d":
                define(*decode(scan(text, 0)[0], buffers))
            else:
                return kind, text, buffers

    def ask(head, value):
        """Sends what the host has to answer, and waits for that."""
        if local.busy:
            raise RuntimeError("Cannot call a function of the host while another call of it begins or ends")
        buffers = []
        wire = [part if type(part) in PLAIN else encode(part, buffers, set()) for part in value]
        local.busy = True
        try:
            send(head, wire, buffers)
            kind, text, buffers = receive()
        finally:
            local.busy = False
        if kind == "v":
            value = scan(text, 0)[0]
            return decode(value, buffers) if type(value) in (list, dict) else value
        if kind == "p":
            stop()
        error = decode(scan(text, 0)[0], buffers)
        raise error if isinstance(error, BaseException) else HostError(str(error), value=error)

    # Stopping: whatever the script would do next is to end, too

    def stop():
        nonlocal stopping
        if not local.stopping:
            local.stopping = True
            local.stop = Stop()  # one for all, which are not noted as reasons of each other
            stopping += 1
            if stopping == 1:
                sys.monitoring.set_events(TOOL, sys.monitoring.events.INSTRUCTION)
        raise local.stop.with_traceback(None)

    def stopped():
        nonlocal stopping
        if local.stopping:
            local.stopping = False
            stopping -= 1
            if stopping == 0:
                sys.monitoring.set_events(TOOL, 0)

    def on_instruction(code, offset):
        # A handler has to have noted first what it handles.
        if local.stopping and code.co_filename != FILE and code.co_code[offset] != HANDLER:
            raise local.stop.with_traceback(None)

    def on_signal(number, frame):
        # What imports holds a lock that knows no threads.
        if not local.busy and not frame.f_code.co_filename.startswith("<frozen importlib"):
            ask("t", ())

    def on_unraisable(lost, show=sys.unraisablehook):
        if lost.exc_type is not Stop:
            show(lost)

    OUT_OF_MEMORY = ("x", tag("e", {"name": "MemoryError", "message": "out of memory"}), ())
    STOPPED = ("x", tag("e", {"name": "Stop", "message": "stopped"}), ())

    # Orders

    def define(path, callee):
        at = scripts
        for name in path[:-1]:
            if not hasattr(at, name):
                setattr(at, name, Namespace())
            at = getattr(at, name)
        setattr(at, path[-1], callee)

    def evaluate(source, name):
        tree = compile(source, name, "exec", AST_ONLY, True)
        last = tree.body.pop() if tree.body and type(tree.body[-1]) is Expr else None
        exec(compile(tree, name, "exec", 0, True), scripts.__dict__)
        if last is not None:
            return eval(compile(Expression(last.value), name, "eval", 0, True), scripts.__dict__)

    def call(path, args):
        if not hasattr(scripts, path[0]):
            raise NameError("name '%s' is not defined" % path[0])
        at = scripts
        for name in path:
            at = getattr(at, name)
        return at(*args)

    def perform(kind, text, buffers):
        if kind == "p":
            stop()
        first, second = decode(scan(text, 0)[0], buffers)
        if kind == "e":
            return evaluate(first, second)
        return call(first, second) if kind == "n" else functions[first](*second)

    def attempt(order):
        buffers = []
        try:
            return "r", encode(perform(*order), buffers, set()), buffers
        except BaseException as error:
            if isinstance(error, MemoryError):
                error.__traceback__ = None  # has all that the script had
            buffers = []
            return "x", encode_error(error, buffers), buffers

    def run(order):
        try:
            local.busy = False
            try:
                return attempt(order)
            finally:
                local.busy = True
        except MemoryError:
            return OUT_OF_MEMORY
        except BaseException:
            return STOPPED

    def serve(number):
        local.number = number
        local.file = posix.open("${CHANNELS}/%d" % number, posix.O_RDWR)
        while True:
            report = run(receive())
            send(*report)
            report = None
            stopped()

    def sleep(seconds):
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        ask("w", (seconds,))

    time.sleep = sleep
    # Where it was built without threads they all have one number, and would not wait for what another one is importing.
    _thread.get_ident = lambda: local.number
    for name in list(scripts.__dict__):
        if name not in ("__name__", "__builtins__", "__doc__"):
            delattr(scripts, name)
    scripts.HostError = HostError
    sys.unraisablehook = on_unraisable
    sys.monitoring.use_tool_id(TOOL, "stackful")
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.INSTRUCTION, on_instruction)
    interruption = (_signal.SIGALRM,)
    _signal.signal(_signal.SIGALRM, on_signal)
    local.file = posix.open("${CHANNELS}/0", posix.O_RDWR)
    functions[0] = interruption  # stays where it is
    send("a%d" % id(interruption), None, ())
    while True:
        run(receive())

_start()
`;
