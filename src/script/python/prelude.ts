/** The script's half, in Python: runs orders, and turns values into what wire.ts has for them. It loads no module that starting does not load anyway. */

import { CHANNELS } from "../program/channel-directory.ts";
import { MODULES } from "./modules-prelude.ts";
import { THREADS } from "./threads-prelude.ts";
import { VALUES } from "./values-prelude.ts";

const MAIN = String.raw`
def _start():
    import sys, posix, _thread, _json, _signal
    from _ast import Expr, Expression
    from opcode import opmap

    FILE = "<stackful>"
    IMPORTING = "<frozen importlib"
    OWN_FILES = (FILE, IMPORTING)
    MODULES = set()  # their files
    AST_ONLY = 0x400
    TOOL = 5
    HANDLER = opmap["PUSH_EXC_INFO"]

    class Local(_thread._local):
        """What each thread has of its own. One that has just begun may be interrupted, too."""

        state = 2  # BUSY
        stopping = False
        number = 0

    # FREE: may wait for the host at any time. ALONE: only where it calls the host; others that went on might be told that a function which it
    # is about to decode is of no use any more. BUSY: not even there.
    FREE, ALONE, BUSY = range(3)
    local = Local()
    functions = {}
    released = []
    reserve = []  # memory for what has to be done when scripts have left none
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

    HostError, Namespace, Parts, encode, encode_all, decode, encode_error = _values(FILE, functions, released, lambda *asked: ask(*asked))

    # Frames

    def report(head, value, encoder=encode):
        """Its text, and the buffers beside it. Nothing is sent yet: whatever goes wrong is an exception of the script."""
        parts = Parts()
        try:
            wire = encoder(value, parts, set())
            return ("%s,%s" % (head, "".join(write_json(wire, 0)))).encode(), parts.buffers
        except BaseException:
            for number in parts.functions:
                functions.pop(number, None)
            raise

    def send(text, buffers):
        put(text, buffers)
        # Not before: what is of no use any more may be in it.
        while released:
            put(b"g%d,null" % released.pop(), ())

    def put(text, buffers):
        if buffers:
            sizes = (0, len(buffers), *map(len, buffers))
            size = 4 * len(sizes) + sum(sizes[2:]) + len(text)
            frame = b"".join((*(part.to_bytes(4, "little") for part in (size, *sizes)), *buffers, text))
        else:
            frame = b"".join(((8 + len(text)).to_bytes(4, "little"), b"\0\0\0\0\0\0\0\0", text))
        written = posix.write(local.file, frame)
        while written < len(frame):
            written += posix.write(local.file, memoryview(frame)[written:])

    def read():
        """A whole frame. If there is no memory for it, it is gone."""
        try:
            first = posix.read(local.file, 4096)
        except MemoryError:
            # Nothing was read.
            reserve.clear()
            first = bytes(memoryview(local.input)[:posix.readv(local.file, (local.input,))])
        have = len(first)
        size = int.from_bytes(first[:4], "little") + 4
        if size == have:
            return first
        try:
            frame = bytearray(size)
        except MemoryError:
            while have < size:
                have += posix.readv(local.file, (local.input,))
            raise
        rest = memoryview(frame)
        rest[:have] = first
        rest = rest[have:]
        while rest:
            rest = rest[posix.readv(local.file, (rest,)):]
        return bytes(frame)

    def receive():
        while True:
            frame = read()
            try:
                order = follow(frame)
            except MemoryError:
                reserve.clear()
                order = follow(frame)
            if order is not None:
                return order

    def follow(frame):
        """The order in it, unless it is one that may come before any other."""
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
            begin(int(number))
        elif kind == "d":
            define(*decode(scan(text, 0)[0], buffers))
        else:
            return kind, text, buffers

    def ask(head, value):
        """Sends what the host has to answer, and waits for that."""
        before = local.state
        if before == BUSY:
            raise RuntimeError("Cannot call a function of the host while another call of it begins or ends")
        text, buffers = report(head, value, encode_all)
        local.state = BUSY
        try:
            send(text, buffers)
            kind, text, buffers = receive()
            if kind == "p":
                stop()
            local.state = ALONE
            value = scan(text, 0)[0]
            if type(value) in (list, dict):
                value = decode(value, buffers)
        finally:
            local.state = before
        if kind == "v":
            return value
        raise value if isinstance(value, BaseException) else HostError(str(value), value=value)

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
        # A handler has to have noted first what it handles; what imports has to give back its locks.
        if local.stopping and code.co_code[offset] != HANDLER and not code.co_filename.startswith(OWN_FILES):
            raise local.stop.with_traceback(None)

    def on_signal(number, frame):
        # Who waits for what another one imports goes on with half of it if that is stopped.
        if local.state == FREE and not is_importing(frame):
            ask("t", ())

    def is_importing(frame):
        while frame is not None and frame.f_code.co_filename not in MODULES:
            if frame.f_code.co_filename.startswith(IMPORTING):
                return True
            frame = frame.f_back
        return False

    def on_unraisable(lost, show=sys.unraisablehook):
        if lost.exc_type is not Stop:
            show(lost)

    OUT_OF_MEMORY = (b'x,{"$":["e",{"name":"MemoryError","message":"out of memory"}]}', ())
    STOPPED = (b'x,{"$":["e",{"name":"Stop","message":"stopped"}]}', ())
    BROKEN = (b'x,{"$":["e",{"name":"SystemError","message":"the script has changed what it is run with"}]}', ())
    RESERVE_BYTES = 1 << 18

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
        callee = functions[first] if kind == "i" else None
        local.state = FREE
        if kind == "e":
            return evaluate(first, second)
        return call(first, second) if kind == "n" else callee(*second)

    def attempt(order):
        try:
            return report("r", perform(*order))
        except BaseException as error:
            if isinstance(error, MemoryError):
                error.__traceback__ = None  # has all that the script had
                reserve.clear()
            try:
                return report("x", error, encode_error)
            except Exception as why:  # an error whose class answers with errors
                return report("x", TypeError("Cannot pass an error to the host: %s" % type(why).__name__), encode_error)

    def run(order):
        try:
            local.state = ALONE
            try:
                return attempt(order)
            finally:
                local.state = BUSY
        except MemoryError:
            return OUT_OF_MEMORY
        except BaseException:
            return STOPPED if local.stopping else BROKEN

    def begin(number):
        try:
            _thread.start_new_thread(serve, (number,))
        except (MemoryError, RuntimeError):
            pass  # the host has noticed

    def open_channel(number):
        local.number = number
        local.input = bytearray(4096)
        local.file = posix.open("${CHANNELS}/%d" % number, posix.O_RDWR)

    def fill_reserve():
        try:
            bytearray(4 * RESERVE_BYTES)  # otherwise it would keep scripts from giving back what they have
            reserve.append(bytearray(RESERVE_BYTES))
        except MemoryError:
            pass

    def serve_order():
        try:
            order = receive()
        except MemoryError:
            order = None
        if not reserve:
            fill_reserve()
        ended = OUT_OF_MEMORY if order is None else run(order)
        order = None
        try:
            send(*ended)
        except MemoryError:
            ended = None
            reserve.clear()
            send(*OUT_OF_MEMORY)

    def serve(number):
        try:
            open_channel(number)
        except MemoryError:
            reserve.clear()
            open_channel(number)
        while True:
            serve_order()
            stopped()

    _threads(local, ask)
    if len(sys.argv) > 2:
        _modules(MODULES, HostError, ask)
    sys.argv[:] = [""]
    for name in list(scripts.__dict__):
        if name not in ("__name__", "__builtins__", "__doc__"):
            delattr(scripts, name)
    scripts.HostError = HostError
    sys.unraisablehook = on_unraisable
    sys.monitoring.use_tool_id(TOOL, "stackful")
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.INSTRUCTION, on_instruction)
    interruption = (_signal.SIGALRM,)
    _signal.signal(_signal.SIGALRM, on_signal)
    functions[0] = interruption  # stays where it is
    open_channel(0)
    reserve.append(bytearray(RESERVE_BYTES))
    send(*report("a%d" % id(interruption), None))
    while True:
        receive()  # orders of others

_start()
`;

export const PRELUDE: string = VALUES + THREADS + MODULES + MAIN;
