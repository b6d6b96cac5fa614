"""Terminals: a stand-in for ours that a command writes to, and that looks and behaves like it.

What is written goes through the stand-in, which processes none of it; keys come from the real terminal, as ever, but
for who reads them where they write, as a pager does.
"""

import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, fault_of

Modes: TypeAlias = tuple[int, ...]
"""What ``termios.tcgetattr`` answers, in a row: four words of flags, two speeds, and the characters."""

SETTLED = 0.02
"""Seconds after which a program that sets modes has looked whether they were taken."""
UNTAKEN = 0.01
"""Seconds after which nobody waits for a key at the real terminal, who would have taken it."""
CHUNK = 1024
"""Keys that are passed on at once: the stand-in has room for them."""

_OFLAG, _LFLAG = 1, 3
_FLAGS = 4
_NUMBERS = 6

_TELLING = getattr(termios, "EXTPROC", 0o200000) if sys.platform == "linux" else 0
"""The flag of a terminal that wakes the reader of its other end, who reads packets, when modes are set."""
_TOLD = 0x40
"""What the head of such a packet says then: the kernel's ``TIOCPKT_IOCTL``."""

_APART: Modes = (0, ~termios.OPOST, 0, _TELLING, 0, 0, *bytes(termios.NCCS))
"""A mask of what a stand-in has in its own way: how output is processed, but not whether; that is for the command."""
_NOTHING: Modes = tuple(0 for _ in _APART)


class StandIn:
    """A terminal that a command writes to, and ours, which is given what modes the command sets."""

    def __init__(self, terminal: int, ends: tuple[int, int], head: int, modes: tuple[Modes, Modes]) -> None:
        self.terminal = terminal
        """Ours."""
        self.outlet, self.entrance = ends
        """The end that we read, and the one that the command writes to."""
        self.head = head
        """Bytes before what was written in each packet that is read: one, or none where nobody tells of modes."""
        self._first, self._seen = modes
        """The modes of ours at the start, and of the stand-in as last seen."""
        self._touched = _NOTHING
        """A mask of what the command has set so far; the rest of our modes is not ours to change."""
        self._keyboard: int | None = None
        """Where keys come from that nobody takes; none if the stand-in has no use for them."""

    def listen(self) -> None:
        """Be for reading keys too."""
        self._keyboard = _keyboard(self.terminal)

    def unpacked(self, packet: memoryview) -> memoryview:
        """Return what was written, of what was read from the outlet; modes that were set go ahead of it."""
        is_told = self.head > 0 and packet[0] & _TOLD > 0
        if is_told or self.head == 0:
            self._follow(is_told)
        self._take_back()
        return packet[self.head :]

    @property
    def wanted_keyboard(self) -> int | None:
        """Return where keys come from, while a program may wait for single ones at the stand-in."""
        return None if self._seen[_LFLAG] & termios.ICANON else self._keyboard

    def hand_over(self) -> None:
        """Pass on the keys that were typed, unless a reader of the real terminal takes them in a moment."""
        if self._keyboard is None:
            return
        sleep(UNTAKEN)
        try:
            modes_of(self._keyboard)  # fails once it hung up; to read is to get nothing then, as where no key is left
            os.write(self.outlet, os.read(self._keyboard, CHUNK))
        except BlockingIOError:
            pass
        except (OSError, termios.error):
            self._close_keyboard()

    def leave(self) -> None:
        """Leave ours in the modes that the command gave it."""
        self._take_back()
        self._close_keyboard()

    def resize(self) -> bool:
        """Give the stand-in the size of ours; tell whether that changed it."""
        return _copy_size(self.terminal, self.outlet)

    def _follow(self, is_told: bool) -> None:
        """Give ours the modes that the command gave the stand-in: one key without Enter, no echo.

        What is told to be set is set, seen before or not: while we were stopped, ours may have changed.
        """
        with suppress(termios.error):  # one of them is gone
            theirs = modes_of(self.outlet)
            if is_told or theirs != self._seen:
                fresh = _merged(_difference(self._seen, theirs), _NOTHING, _APART)
                self._touched = tuple(old | new for old, new in zip(self._touched, fresh, strict=True))
                self._seen = theirs
                ours = modes_of(self.terminal)
                wanted = _merged(ours, theirs, self._touched)
                if wanted != ours:
                    _set(self.terminal, wanted)
                if theirs != _apart(theirs):
                    sleep(SETTLED)
                    _set(self.outlet, _apart(modes_of(self.outlet)))

    def _take_back(self) -> None:
        """Free ours of what only the stand-in may have, if a program read it there and set it here."""
        with suppress(termios.error):
            if termios.tcgetattr(self.terminal)[_LFLAG] & ~self._first[_LFLAG] & _TELLING:
                _set(self.terminal, _merged(modes_of(self.terminal), self._first, _APART))

    def _close_keyboard(self) -> None:
        if self._keyboard is not None:
            os.close(self._keyboard)
            self._keyboard = None


def stand_in(terminal: int, takes_keys: bool) -> Result[StandIn, Fault]:
    """Return a new terminal that is set as the given one; with ``takes_keys`` it is for reading them too."""
    try:
        outlet, entrance = os.openpty()
    except OSError as error:
        return Failure(fault_of(error, "a terminal for the command"))
    try:
        first = modes_of(terminal)
        _set(entrance, _apart(first))
        seen = modes_of(outlet)
    except termios.error as error:
        os.close(outlet)
        os.close(entrance)
        return Failure(Fault("failed", str(error)))
    _copy_size(terminal, outlet)
    it = StandIn(terminal, (outlet, entrance), _packing(outlet), (first, seen))
    if takes_keys:
        it.listen()
    return Success(it)


def modes_of(terminal: int) -> Modes:
    """Return the modes of a terminal; raise ``termios.error`` if it is gone."""
    *numbers, characters = termios.tcgetattr(terminal)
    return (*numbers, *(one if isinstance(one, int) else ord(one) for one in characters))


def foreground() -> int | None:
    """Return the process group that the keys of our terminal are for; None without a terminal."""
    with suppress(OSError), _controlling() as terminal:
        return os.tcgetpgrp(terminal)
    return None


def bring_to_foreground(group: int) -> None:
    """Let the keys of our terminal be for a process group, whoever has them now."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # what stops who is not in the foreground
    with suppress(OSError), _controlling() as terminal:
        os.tcsetpgrp(terminal, group)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _controlling() -> Iterator[int]:
    terminal = os.open("/dev/tty", os.O_RDWR)
    try:
        yield terminal
    finally:
        os.close(terminal)


def _set(terminal: int, modes: Modes) -> None:
    numbers, characters = modes[:_NUMBERS], modes[_NUMBERS:]
    attributes: list[int | list[int]] = [*numbers, list(characters)]
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _apart(modes: Modes) -> Modes:
    """Return the modes as a stand-in has them: it processes nothing, and tells."""
    own = (0, 0, 0, _TELLING, *modes[_FLAGS:])
    return _merged(modes, own, _APART)


def _merged(modes: Modes, others: Modes, mask: Modes) -> Modes:
    return tuple(one & ~bits | other & bits for one, other, bits in zip(modes, others, mask, strict=True))


def _difference(one: Modes, other: Modes) -> Modes:
    """Return a mask: of flags the bits, of the rest all or nothing."""
    flags = tuple(a ^ b for a, b in zip(one[:_FLAGS], other[:_FLAGS], strict=True))
    return flags + tuple(-(a != b) for a, b in zip(one[_FLAGS:], other[_FLAGS:], strict=True))


def _copy_size(source: int, target: int) -> bool:
    with suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size != fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            fcntl.ioctl(target, termios.TIOCSWINSZ, size)
            return True
    return False


def _packing(outlet: int) -> int:
    """Have packets read from the outlet, if these can tell of modes; return the size of their head."""
    if _TELLING:
        with suppress(OSError):
            fcntl.ioctl(outlet, termios.TIOCPKT, struct.pack("i", 1))
            return 1
    return 0


def _keyboard(terminal: int) -> int | None:
    """Return the terminal, opened anew: that we do not wait there is nobody else's concern."""
    with suppress(OSError):
        return os.open(os.ttyname(terminal), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    return None
