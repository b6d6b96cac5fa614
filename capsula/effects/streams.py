"""Streams: what a command writes goes on to where it would have gone, byte for byte, and into a log without secrets."""

import fcntl
import os
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from errno import EIO
from itertools import cycle
from math import inf
from pathlib import Path
from stat import S_ISCHR
from threading import Thread
from time import monotonic, sleep

from returns.result import Failure, Result, Success

from capsula.core.content import Sum
from capsula.core.fault import Fault, fault_of
from capsula.core.redaction import Passage, Redaction
from capsula.core.run import Logged
from capsula.effects.hashing import Hashing
from capsula.effects.terminals import StandIn, stand_in

MIB = 1024 * 1024
GRACE = 0.25
"""Seconds that a stream may stay open after the end of the command."""

SOON = 0.001
"""Seconds in which a chunk is passed on."""

STDOUT = 1
STDERR = 2
_NAMES = {STDOUT: "stdout", STDERR: "stderr"}


class Stream:
    """A pipe or a terminal that a command writes to, on its way to a descriptor of ours and to a log."""

    def __init__(
        self,
        name: str,
        descriptors: tuple[int, ...],
        ends: tuple[int, int],
        end: tuple[int, int],
        terminal: StandIn | None = None,
    ) -> None:
        self.name = name
        self.descriptors = descriptors
        """Descriptors of the command that write to it; the bytes go on to our own of the first of these numbers."""
        self.outlet, self.entrance = ends
        """The end that we read, and our copy of the one that the command writes to."""
        self.ended, self.running = end
        """The ends of a pipe: when the second is closed, the command has ended."""
        self.terminal = terminal
        """What the two are the ends of; none for a pipe."""
        self.log: int | None = None
        self.passage = Passage(Redaction())
        """What the bytes go through on their way into the log."""
        self.size = 0
        """Bytes that came so far."""
        self.faults: list[Fault] = []
        self._is_wanted = True
        self._kept = 0
        """Bytes that are in the log."""
        self._hash = Hashing()
        """Of them, taken as they come: to read a long log again would hold up the end."""
        self._is_idle = False
        self._is_over = False

    @property
    def destination(self) -> int:
        """Our own descriptor that the bytes go on to."""
        return self.descriptors[0]

    @property
    def logged(self) -> Logged:
        """What came, and how the log differs from it."""
        log = None if self.faults else Sum(self._kept, self._hash.hexdigest())
        return Logged(self.size, self.passage.unscanned_from, self.passage.digest, log)

    def pump(self) -> None:
        """Pass on and keep what comes until all writers are gone, or until a moment after the command has ended.

        A writer whose reader has left, or whose bytes nobody takes any more, is told as ever: by ``SIGPIPE``.
        """
        try:
            for chunk in self._arrivals():
                self.size += len(chunk)
                self._keep(chunk)
                if not self._has_reader(chunk):
                    break
        finally:
            if self.terminal is not None:
                self.terminal.leave()
            self._is_over = True
            os.close(self.outlet)
            os.close(self.ended)
            self._log(self.passage.rest())
            self._close_log()
            self._hash.close()

    def resize(self) -> bool:
        """Give the command's terminal the size of ours; tell whether that changed it."""
        return self.terminal is not None and self.terminal.resize()

    def is_settled(self) -> bool:
        """Return whether all that was written so far is passed on."""
        return self._is_over or (not _ready([self.outlet], 0) and self._is_idle)

    def close(self) -> None:
        """Close all of it: it is not pumped."""
        if self.terminal is not None:
            self.terminal.leave()
        for descriptor in (self.outlet, self.entrance, self.ended, self.running):
            os.close(descriptor)
        self._close_log()

    def lose(self, kind: str, message: str) -> None:
        """Note that something of the stream was lost."""
        self.faults.append(Fault(kind, f"{self.name}: {message}", path=(self.name,)))

    def _arrivals(self) -> Iterator[memoryview]:
        """Yield what was written, as it comes; each chunk stays as it is while the next one is read."""
        buffers = cycle(memoryview(bytearray(MIB)) for _ in range(2))
        buffer = next(buffers)
        ends, owed, deadline = [self.outlet, self.ended], inf, inf
        while owed > 0 or monotonic() < deadline:
            keyboard = self.terminal.wanted_keyboard if self.terminal is not None and self.ended in ends else None
            self._is_idle = True
            ready = _ready(ends if keyboard is None else [*ends, keyboard], deadline)
            self._is_idle = False  # before something is read: who finds nothing to read asks this next
            if self.ended in ready:  # what a pipe can hold is owed, and its end; of what comes later, what comes soon
                ends.remove(self.ended)
                owed, deadline = MIB + 1, monotonic() + GRACE
            elif not ready:
                break
            elif self.terminal is not None and self.outlet not in ready:
                self.terminal.hand_over()
            elif count := _read(self.outlet, buffer):
                yield buffer[:count] if self.terminal is None else self.terminal.unpacked(buffer[:count])
                owed -= count
                buffer = next(buffers)
            else:
                return
        self.lose("held open", "a process that outlives the command holds it open; what that writes later is lost")

    def _keep(self, chunk: memoryview) -> None:
        if self.log is not None:
            for part in self.passage.fed(chunk):
                self._log(part)

    def _log(self, part: bytes | memoryview) -> None:
        if self.log is None:
            return
        self._hash.update(part)
        written = _written(self.log, memoryview(part))
        if isinstance(written, Failure):
            self.lose(written.failure().kind, f"the log is cut off: {written.failure()}")
            self._close_log()
        self._kept += len(part)

    def _close_log(self) -> None:
        if self.log is not None:
            closed, self.log = _closed(self.log), None
            closed.alt(lambda fault: self.lose(fault.kind, f"the log may be cut off: {fault}"))

    def _has_reader(self, chunk: memoryview) -> bool:
        """Pass the chunk on; tell whether there is still someone who takes the bytes."""
        if self._is_wanted:
            written = _written(self.destination, chunk)
            if isinstance(written, Failure) and written.failure().kind == "unread":
                return False
            if isinstance(written, Failure):
                self.lose(written.failure().kind, f"not passed on: {written.failure()}")
                self._is_wanted = False
        return self._is_wanted or self.log is not None


def opened(
    stdout_log: Path | None, stderr_log: Path | None, redaction: Redaction
) -> tuple[tuple[Stream, ...], tuple[Fault, ...]]:
    """Open a stream for our standard output and one for our standard error, and their logs, new files of mode 0600.

    One that is closed gets no stream, nor does one that is to have no log: the command writes to ours. If both are one
    file or pipe they share a stream, so that their order is kept.
    Where no stream can be opened, for want of descriptors, the command is to write to ours: that costs a fault.
    """
    paths = {number: log for number, log in ((STDOUT, stdout_log), (STDERR, stderr_log)) if log is not None}
    laid = _laid([number for number in paths if is_ours(number)])
    streams = tuple(answer.unwrap() for answer in laid.values() if isinstance(answer, Success))
    logs = {number: _new_file(log) for number, log in paths.items()}
    for stream in streams:
        stream.passage = Passage(redaction)
        match logs.pop(stream.destination):
            case Success(log):
                stream.log = log
            case Failure(fault):
                stream.lose(fault.kind, f"not recorded: {fault}")
    for unused in logs.values():
        unused.bind(_closed)
    refused = {name: answer.failure() for name, answer in laid.items() if isinstance(answer, Failure)}
    return streams, tuple(
        Fault(fault.kind, f"{name}: not recorded: {fault}", path=(name,)) for name, fault in refused.items()
    )


@contextmanager
def pumping(streams: Sequence[Stream], is_interrupted: Callable[[], bool]) -> Iterator[Sequence[Stream]]:
    """Pump the streams of a command that is started in here; leaving says that it ended, and waits for what is coming.

    Yields those that are pumped: where there is no room for a thread, the command has our own descriptor instead.
    When ``is_interrupted`` says so, a destination that takes nothing is waited for no longer.
    """
    pumps = {stream: pump for stream in streams if (pump := _pump(stream))}
    try:
        yield tuple(pumps)
    finally:
        for stream in pumps:
            os.close(stream.running)
        for stream, pump in pumps.items():
            pump.join(GRACE)
            while pump.is_alive() and not is_interrupted():
                pump.join(GRACE)
            if pump.is_alive():
                stream.lose("cut off", "interrupted before all of it was passed on")


def _pump(stream: Stream) -> Thread | None:
    pump = Thread(target=stream.pump, daemon=True)
    try:
        pump.start()
    except RuntimeError as error:  # the memory, or the number of threads, is limited
        stream.lose("failed", str(error))
        stream.close()
        return None
    return pump


def settle(streams: Sequence[Stream]) -> None:
    """Wait, a moment at most, until all that was written so far is passed on."""
    deadline = monotonic() + GRACE
    while monotonic() < deadline and not all(stream.is_settled() for stream in streams):
        sleep(SOON)


def is_ours(descriptor: int) -> bool:
    """Return whether the descriptor was open when we started: Python lets nothing that it opens itself be inherited."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def _laid(numbers: Sequence[int]) -> Mapping[str, Result[Stream, Fault]]:
    if len(numbers) == len(_NAMES) and _are_one_file(*numbers):
        shared = _stream("stdout", *numbers)
        return {"stdout": shared} if isinstance(shared, Success) else {"stdout": shared, "stderr": shared}
    return {_NAMES[number]: _stream(_NAMES[number], number) for number in numbers}


def _stream(name: str, *descriptors: int) -> Result[Stream, Fault]:
    """Return a stream through a terminal where we have one and one can be made, else through a pipe."""
    try:
        end = os.pipe()
    except OSError as error:
        return Failure(fault_of(error))
    terminal = stand_in(descriptors[0], takes_keys=descriptors[0] == STDERR) if os.isatty(descriptors[0]) else None
    if isinstance(terminal, Success):
        ends = terminal.unwrap()
        return Success(Stream(name, descriptors, (ends.outlet, ends.entrance), end, ends))
    try:
        return Success(Stream(name, descriptors, _pipe(), end))
    except OSError as error:
        for descriptor in end:
            os.close(descriptor)
        return Failure(fault_of(error))


def _are_one_file(one: int, other: int) -> bool:
    status = os.fstat(one)
    return os.path.samestat(status, os.fstat(other)) and not S_ISCHR(status.st_mode)


def _pipe() -> tuple[int, int]:
    outlet, entrance = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user's pipes may hold no more
            fcntl.fcntl(entrance, fcntl.F_SETPIPE_SZ, MIB)
    return outlet, entrance


def _new_file(path: Path) -> Result[int, Fault]:
    try:
        return Success(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        return Failure(fault_of(error, str(path)))


def _closed(log: int) -> Result[None, Fault]:
    """Close a log; a disk behind a network may say only now that it is full."""
    try:
        os.close(log)
    except OSError as error:
        return Failure(fault_of(error))
    return Success(None)


def _ready(descriptors: Sequence[int], deadline: float) -> list[int]:
    """Wait until one of the descriptors has something, or until the deadline."""
    arrival = select.poll()
    for descriptor in descriptors:
        arrival.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in arrival.poll(_milliseconds_until(deadline))]


def _read(descriptor: int, buffer: memoryview) -> int:
    try:
        return os.readv(descriptor, [buffer])
    except OSError as error:
        if error.errno != EIO:  # a terminal that nobody holds any more
            raise
        return 0


def _written(descriptor: int, chunk: memoryview) -> Result[None, Fault]:
    while chunk:
        try:
            chunk = chunk[os.write(descriptor, chunk) :]
        except BlockingIOError:
            _wait_for_room(descriptor)
        except BrokenPipeError as error:
            return Failure(Fault("unread", str(error)))
        except OSError as error:
            return Failure(fault_of(error))
    return Success(None)


def _wait_for_room(descriptor: int) -> None:
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    room.poll()


def _milliseconds_until(deadline: float) -> float | None:
    return None if deadline == inf else max(0.0, deadline - monotonic()) * 1000
