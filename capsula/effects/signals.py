"""Signals: what reaches us alone is passed on to the command, once; what it got by itself is not repeated.

Control-C, hangup and resize reach the whole process group, and so the command, which is left in ours. Control-Z, too:
whether to stop is for the command to say, and we follow when what it wrote until then is shown. A command that has made
a group of its own, as an interactive shell does, gets there what ours got, and the terminal back when it goes on.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from capsula.effects.terminals import bring_to_foreground, foreground

if TYPE_CHECKING:
    from resource import struct_rusage

Signals: TypeAlias = frozenset[signal.Signals]
End: TypeAlias = "tuple[int, struct_rusage]"
"""A wait status, and the resources that were used."""

ENDING: Signals = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
OWN: Signals = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU),
        *(signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ),
        *(signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP),
    }
)
"""What is ours: it cannot be held back, is no news to the command, or tells of our own faults."""
FROM_TERMINALS: Signals = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH})
OF_JOBS: Signals = frozenset({signal.SIGTSTP, signal.SIGCONT})
"""What is passed on where it can be held back, too: we are not to stop before the command did."""
OF_GROUPS: Signals = FROM_TERMINALS | OF_JOBS | {signal.SIGHUP}
"""What the kernel sends to groups, and not to us for what we did."""
OF_LEADERS: Signals = frozenset({signal.SIGHUP, signal.SIGCONT})
"""What the kernel sends, when a terminal hangs up, to the leader of its session alone: that may be us."""
PASSED_ON: Signals = frozenset(signal.valid_signals()) - OWN - OF_JOBS

_IGNORED_BY_PYTHON: Signals = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""What it ignores from its start, whatever its caller did."""
_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "fish", "ksh", "ksh93", "mksh", "rbash", "sh", "yash", "zsh"})
"""Programs that leave what they ignore so in all that they start; others, as Python itself, may not."""

LOOK_AGAIN = 1.0
"""Seconds until we look for the command's end though no signal told of it: a foreign thread may have taken that."""
GROUP_DELAY = 0.02
"""Seconds that a signal to the group may take to reach all of it."""
REDRAWN = 0.02
"""Seconds after which a program that heard of a new size waits for the next news: it may not hear what comes before."""


class Attention(Protocol):
    """What we do about signals while a command runs."""

    mask: frozenset[int]
    """The signals that are blocked for the command, as they were for us."""
    ignores_children: bool
    """Whether the command is to ignore ``SIGCHLD``, as we did: who waits for it cannot."""

    def wait(self, pid: int, resize: Callable[[], bool], settle: Callable[[], None]) -> End:
        """Wait for the command's end, passing signals on.

        ``resize`` tells whether its terminal changed its size; ``settle`` waits until what it wrote is passed on.
        """

    def is_interrupted(self) -> bool:
        """Return whether we were asked to end, after the command did."""

    def make_room(self) -> bool:
        """Leave a process of ours to the command, where there are no more; tell whether there was one."""


def attention() -> AbstractContextManager[Attention]:
    """Return what this platform and thread allow: only the main thread can pass signals on."""
    if threading.current_thread() is not threading.main_thread():
        return _unattended()
    return _held() if hasattr(signal, "sigtimedwait") else _handled()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a signal that asks us to end do nothing in here, after the command: it was meant for that, or comes too late.

    Control-backslash still ends us.
    """
    is_main = threading.current_thread() is threading.main_thread()
    late = ENDING - {signal.SIGQUIT} if is_main else frozenset()
    before = {number: signal.signal(number, lambda *_: None) for number in late}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heed_children() -> None:
    """Learn from now on how our children end: where ``SIGCHLD`` is ignored the kernel reaps them, and nobody can.

    It is for a process of our own. The commands that it runs ignore the signal all the same.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _ignored_by_caller.add(signal.SIGCHLD)


def defaulted() -> Signals:
    """Return what a command is not to ignore though we do: all that Python does, but for what our caller did, too.

    What that was cannot be asked any more; a shell that still is our parent shows it.
    """
    caller = os.getppid()
    try:
        program = Path(f"/proc/{caller}/exe").readlink().name
        ignored = _signals("SigIgn", caller) if program in _SHELLS else 0
    except OSError:  # it is gone, or another user's
        return _IGNORED_BY_PYTHON
    return frozenset(number for number in _IGNORED_BY_PYTHON if not _has(ignored, number))


_ignored_by_caller: set[signal.Signals] = set()
"""What is the default here, and not for the command."""


class _Unattended:
    ignores_children = False

    def __init__(self, mask: frozenset[int]) -> None:
        self.mask = mask

    def wait(self, pid: int, resize: Callable[[], bool], settle: Callable[[], None]) -> End:  # noqa: ARG002
        _, status, used = os.wait4(pid, 0)
        return status, used

    def is_interrupted(self) -> bool:
        return False

    def make_room(self) -> bool:
        return False


@contextmanager
def _unattended() -> Iterator[Attention]:
    yield _Unattended(_mask())


class _Held:
    """Signals are held back and read one by one, with who sent them."""

    def __init__(
        self, mask: frozenset[int], held: frozenset[int], canary: "_Canary", *, ignores_children: bool
    ) -> None:
        self.mask = mask
        self.ignores_children = ignores_children
        self.held = held
        self.canary = canary
        self.is_to_stop = False
        """Whether the command was asked to stop, and not to go on since."""
        self.is_stopping = False
        """Whether it has no choice then, and did not stop yet."""

    def wait(self, pid: int, resize: Callable[[], bool], settle: Callable[[], None]) -> End:
        while True:
            told = signal.sigtimedwait(self.held, LOOK_AGAIN)
            if told is not None and told.si_signo != signal.SIGCHLD:
                self._pass_on(told, pid, resize)
            changed, status, used = os.wait4(pid, os.WNOHANG | os.WUNTRACED)
            if changed and os.WIFSTOPPED(status):
                self._follow(os.WSTOPSIG(status), pid, settle)
            elif changed:
                if self.is_stopping:  # its end came first: what it wrote waits with the rest of its job
                    signal.raise_signal(signal.SIGTSTP)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_JOBS - self.mask)  # nobody is left to follow
                if foreground() == pid:  # it could not give the terminal back, and we would stop when we write there
                    bring_to_foreground(os.getpgrp())
                return status, used

    def is_interrupted(self) -> bool:
        return bool(signal.sigpending() & ENDING)

    def make_room(self) -> bool:
        was_there = self.canary.pid is not None
        self.canary.leave()
        return was_there

    def _follow(self, number: int, pid: int, settle: Callable[[], None]) -> None:
        """Stop as the command did, so that its shell learns of it, unless somebody stopped just that one."""
        self.is_stopping = False
        is_to_stop = self.is_to_stop or signal.SIGTSTP in signal.sigpending()
        had_terminal = _leads_a_group(pid) and foreground() == pid
        if number == signal.SIGTSTP or is_to_stop or had_terminal:
            settle()
            if signal.SIGCONT not in signal.sigpending():
                signal.raise_signal(number)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})  # here we stop
                signal.pthread_sigmask(signal.SIG_BLOCK, self.held)
                if had_terminal and foreground() == os.getpgrp():
                    bring_to_foreground(pid)

    def _pass_on(self, told: signal.struct_siginfo, pid: int, resize: Callable[[], bool]) -> None:
        if told.si_signo in OF_JOBS:
            self.is_to_stop = told.si_signo == signal.SIGTSTP
            self.is_stopping = self.is_to_stop and told.si_pid != pid and _stops(pid)
        if told.si_signo == signal.SIGWINCH and resize():
            time.sleep(REDRAWN)
            os.kill(0, signal.SIGWINCH)  # whoever of the group was quicker than us saw the old size
        elif told.si_pid not in {pid, os.getpid()}:
            is_of_group = self._is_of_group(told)
            if not is_of_group:
                _send(pid, told.si_signo)
            elif _leads_a_group(pid) and (told.si_code <= 0 or told.si_signo in OF_GROUPS):
                _send(-pid, told.si_signo)

    def _is_of_group(self, told: signal.struct_siginfo) -> bool:
        """Return whether all of our group got the signal, or we by our own doing; if not, it was meant for us alone."""
        if told.si_signo == signal.SIGALRM and told.si_code > 0:
            return False  # who sets an alarm and then executes us means the command, and only we have it
        is_of_kernel = told.si_code > 0 and told.si_signo not in OF_LEADERS
        return is_of_kernel or self.canary.got(told.si_signo)


@contextmanager
def _held() -> Iterator[Attention]:
    held = PASSED_ON | OF_JOBS | {signal.SIGCHLD}
    ignored = signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, held))
    canary = _Canary()
    try:
        canary.hatch()
        yield _Held(mask, held, canary, ignores_children=ignored or signal.SIGCHLD in _ignored_by_caller)
    finally:
        canary.leave()
        while signal.sigtimedwait(held, 0) is not None:
            pass  # meant for a command that has ended
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


class _Canary:
    """A sibling of the command that blocks every signal: what is pending there was sent to the whole group.

    It reads from a pipe that we hold, so that it ends with us, however we end. Where it cannot be, without ``/bin/sh``,
    ``/proc`` or room for one more process, a signal that another process sends to the group reaches the command twice.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self.leash: int | None = None

    def got(self, number: int) -> bool:
        if not self._is_pending(number):
            time.sleep(GROUP_DELAY)
            if not self._is_pending(number):
                return False
        self.leave()  # a pending signal stays so: the next one needs a fresh canary
        self.hatch()
        return True

    def hatch(self) -> None:
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        with suppress(OSError):
            end, self.leash = os.pipe()
            try:
                self.pid = os.posix_spawn(
                    "/bin/sh",
                    ["sh", "-c", "read _"],
                    {},
                    file_actions=[(os.POSIX_SPAWN_DUP2, end, 0), *quiet],
                    setsigmask=signal.valid_signals(),
                )
            finally:
                os.close(end)

    def leave(self) -> None:
        if self.leash is not None:
            os.close(self.leash)
            self.leash = None
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None

    def _is_pending(self, number: int) -> bool:
        try:
            return self.pid is not None and _has(_signals("ShdPnd", self.pid), number)
        except OSError:
            return False


class _Handled:
    """Signals are handled where they come; without word of who sent them, those of terminals count as the group's."""

    ignores_children = False

    def __init__(self, mask: frozenset[int]) -> None:
        self.mask = mask
        self.pid: int | None = None
        self.is_late = False
        self.resize: Callable[[], bool] = bool

    def wait(self, pid: int, resize: Callable[[], bool], settle: Callable[[], None]) -> End:  # noqa: ARG002
        self.pid, self.resize = pid, resize
        _, status, used = os.wait4(pid, 0)
        self.pid = None
        return status, used

    def is_interrupted(self) -> bool:
        return self.is_late

    def make_room(self) -> bool:
        return False

    def hear(self, number: int, _: FrameType | None) -> None:
        if self.pid is None or not self._pass_on(number, self.pid):
            self.is_late = self.is_late or number in ENDING

    def _pass_on(self, number: int, pid: int) -> bool:
        """Send a signal to the command, unless its terminal does; tell whether it is still there, as far as we know."""
        is_told = number in FROM_TERMINALS and not (number == signal.SIGWINCH and self.resize())
        return is_told or _send(pid, number)


@contextmanager
def _handled() -> Iterator[Attention]:
    listening = _Handled(_mask())
    before = {number: signal.signal(number, listening.hear) for number in PASSED_ON}
    try:
        yield listening
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mask() -> frozenset[int]:
    return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def _signals(field: str, pid: int) -> int:
    """Return a set of signals as the system tells it of a process, a bit for each, or raise ``OSError``."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")  # a program may have any name
    return int(dict(line.split(":", 1) for line in status.splitlines())[field], 16)


def _has(signals: int, number: int) -> bool:
    return bool(signals >> (number - 1) & 1)


def _stops(pid: int) -> bool:
    """Return whether a process does not block, ignore or handle being asked to stop; not, where nobody tells."""
    try:
        return not any(_has(_signals(field, pid), signal.SIGTSTP) for field in ("SigBlk", "SigIgn", "SigCgt"))
    except OSError:
        return False


def _leads_a_group(pid: int) -> bool:
    """Return whether the command, which has not been waited for, is in ours no longer."""
    return os.getpgid(pid) == pid


def _send(pid: int, number: int) -> bool:
    """Send a signal to a process, or by a negative number to a group; tell whether it is there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # one that runs as another user now is not ours to tell
        pass
    return True
