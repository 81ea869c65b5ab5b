/**
 * The part of the script's half that has threads wait for each other, in Python: where that was built without threads all have one number,
 * and its locks do not wait but look again and again, while nobody else can go on.
 */

export const THREADS: string = String.raw`
def _threads(local, ask):
    import _thread, time

    def sleep(seconds):
        if not seconds >= 0:  # nor what is no number
            raise ValueError("sleep length must be non-negative")
        ask("w", (seconds,))

    allocate_lock = _thread.allocate_lock

    class Lock:
        __slots__ = ("_lock", "release", "locked", "__weakref__")

        def __init__(self):
            self._lock = allocate_lock()
            self.release = self._lock.release
            self.locked = self._lock.locked

        def acquire(self, blocking=True, timeout=-1):
            if self._lock.acquire(False):
                return True
            if not blocking:
                return False
            end = None if timeout < 0 else time.monotonic() + timeout
            pause = 0.001
            while not self._lock.acquire(False):
                if end is not None:
                    pause = min(pause, end - time.monotonic())
                    if pause <= 0:
                        return False
                sleep(pause)
                pause = min(2 * pause, 0.016)
            return True

        def __enter__(self):
            return self.acquire()

        def __exit__(self, *error):
            self.release()

    class RLock:
        __slots__ = ("_lock", "_owner", "_count", "__weakref__")

        def __init__(self):
            self._lock = Lock()
            self._owner = None
            self._count = 0

        def acquire(self, blocking=True, timeout=-1):
            if self._owner != local.number:
                if not self._lock.acquire(blocking, timeout):
                    return False
                self._owner = local.number
            self._count += 1
            return True

        def release(self):
            if self._owner != local.number:
                raise RuntimeError("cannot release un-acquired lock")
            self._count -= 1
            if self._count == 0:
                self._owner = None
                self._lock.release()

        def __enter__(self):
            return self.acquire()

        def __exit__(self, *error):
            self.release()

        # For threading.Condition

        def _is_owned(self):
            return self._owner == local.number

        def _release_save(self):
            count, self._count, self._owner = self._count, 0, None
            self._lock.release()
            return count

        def _acquire_restore(self, count):
            self._lock.acquire()
            self._owner, self._count = local.number, count

        def _recursion_count(self):
            return self._count if self._is_owned() else 0

    time.sleep = sleep
    _thread.get_ident = lambda: local.number
    _thread.allocate_lock = _thread.allocate = Lock
    _thread.RLock = RLock
`;
