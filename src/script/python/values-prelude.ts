/** The part of the script's half that turns values into what wire.ts has for them, in Python. */

export const VALUES: string = String.raw`
def _values(FILE, functions, released, ask):
    import sys, math

    SAFE = 2 ** 53
    PLAIN = (str, bool, type(None))
    last_function = 0

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

    class Parts:
        """What a value has beside its text: buffers, and functions, by the numbers that they were given."""

        __slots__ = ("buffers", "functions")

        def __init__(self):
            self.buffers = []
            self.functions = []

    # Values

    def tag(kind, *parts):
        return {"$": [kind, *parts]}

    def encode(value, parts, path):
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
            parts.buffers.append(bytes(value))
            return tag("b", len(parts.buffers) - 1)
        if isinstance(value, BaseException):
            return encode_error(value, parts, path)
        if isinstance(value, (str, int, float)):
            return encode(next(base for base in (str, int, float) if isinstance(value, base))(value), parts, path)
        if id(value) in path:
            raise TypeError("Cannot pass an object that contains itself to the host")
        path.add(id(value))
        try:
            return encode_container(value, parts, path)
        finally:
            path.discard(id(value))

    def encode_all(values, parts, path):
        return [part if type(part) in PLAIN else encode(part, parts, path) for part in values]

    def encode_container(value, parts, path):
        nonlocal last_function
        if isinstance(value, (list, tuple, range)):
            return encode_all(value, parts, path)
        if isinstance(value, dict):
            if all(isinstance(key, str) for key in value):
                fields = {key: encode(part, parts, path) for key, part in value.items()}
                return tag("o", fields) if "$" in fields else fields
            return tag("m", [[encode(key, parts, path), encode(part, parts, path)] for key, part in value.items()])
        if isinstance(value, (set, frozenset)):
            return tag("s", [encode(part, parts, path) for part in value])
        if callable(value):
            number = last_function = last_function + 1
            functions[number] = value
            parts.functions.append(number)
            return tag("f", number, getattr(value, "__name__", type(value).__name__))
        if isinstance(value, Namespace):
            return encode(value.__dict__, parts, path)
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

    def decode_error(buffers, name, message, fields=None, host=None, value=None, errors=None, **others):
        error = HostError(message, name, decode(value, buffers))
        if errors is not None:
            error.errors = decode(errors, buffers)
        for key, part in (fields or {}).items():
            setattr(error, key, decode(part, buffers))
        if host is not None:
            error._host = host
        return error

    def encode_error(error, parts, path, behind=None):
        about = {"name": getattr(error, "name", None) if isinstance(error, HostError) else type(error).__name__}
        about["message"] = message_of(error)
        about["stack"] = stack_of(error)
        fields = {}
        for key, part in getattr(error, "__dict__", {}).items():
            if type(part) in (str, bool, int, float) and key not in ("_host", "name", "value"):
                fields[key] = encode(part, parts, path)
        about["fields"] = fields
        behind = causes_of(error) if behind is None else behind
        host = next((at._host for at in behind if isinstance(at, HostError) and hasattr(at, "_host")), None)
        if host is not None:
            about["host"] = host
        elif len(behind) > 1:
            about["cause"] = encode_error(behind[1], parts, path, behind[1:])
        return tag("e", about)

    def causes_of(error):
        """The error itself, that from which it was raised, and so on, as long as they do not come back."""
        causes = []
        while error is not None and len(causes) < 100 and not any(at is error for at in causes):
            causes.append(error)
            error = error.__cause__
        return causes

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

    return HostError, Namespace, Parts, encode, encode_all, decode, encode_error
`;
