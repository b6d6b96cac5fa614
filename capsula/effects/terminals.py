"""Terminals: a stand-in for ours that a command writes to, and that looks and behaves like it.

Only what is written goes through the stand-in, which processes none of it; keys come from the real terminal, as ever.
"""

import fcntl
import os
import termios
from contextlib import suppress
from typing import Any, TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, fault_of

Modes: TypeAlias = list[Any]
"""What ``termios.tcgetattr`` answers: five numbers and speeds, and a list of characters."""

_OFLAG = 1


def stand_in(terminal: int) -> Result[tuple[int, int], Fault]:
    """Return the outlet and the entrance of a new terminal that is set as the given one."""
    try:
        outlet, entrance = os.openpty()
    except OSError as error:
        return Failure(fault_of(error, "a terminal for the command"))
    with suppress(termios.error):
        modes = termios.tcgetattr(terminal)
        modes[_OFLAG] &= ~termios.OPOST
        termios.tcsetattr(entrance, termios.TCSANOW, modes)
    copy_size(terminal, outlet)
    return Success((outlet, entrance))


def copy_size(source: int, target: int) -> bool:
    """Give a terminal the size of another, in characters and in pixels; tell whether that changed it."""
    with suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size != fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            fcntl.ioctl(target, termios.TIOCSWINSZ, size)
            return True
    return False


def modes_of(terminal: int) -> Modes | None:
    """Return the modes of a terminal; none if it is gone."""
    with suppress(termios.error):
        return termios.tcgetattr(terminal)
    return None


def copy_modes(modes: Modes, terminal: int) -> None:
    """Give the real terminal the modes that a program gave the stand-in: one key without Enter, no echo."""
    with suppress(termios.error):
        processing = termios.tcgetattr(terminal)[_OFLAG] & termios.OPOST
        rest = modes[_OFLAG] & ~termios.OPOST
        termios.tcsetattr(terminal, termios.TCSANOW, [*modes[:_OFLAG], rest | processing, *modes[_OFLAG + 1 :]])
