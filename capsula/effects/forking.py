"""Forking: what ``posix_spawn`` cannot, to start a program that ignores ``SIGCHLD`` while we do not."""

import os
import signal
import warnings
from collections.abc import Collection, Iterable, Mapping

from capsula.effects.signals import Signals, defaulted


def forked(
    path: str,
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    copied: Iterable[tuple[int, int]],
    mask: Collection[int],
) -> int:
    """Execute a program in a process of its own, and return the process id; what fails raises ``OSError``.

    Args:
        path: The program.
        argv: Its arguments, its name first.
        environ: All of its environment.
        copied: Descriptors, each with the number that it is to have there.
        mask: The signals that are blocked there.
    """
    report, reporting = os.pipe()
    reset = defaulted()  # as long as our parent is our caller
    try:
        pid = _fork()
        if not pid:
            try:
                _listen_no_more(reset)
                for ours, theirs in copied:
                    os.dup2(ours, theirs)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.execve(path, argv, environ)  # noqa: S606 - a shell is none of our business
            except OSError as error:
                os.write(reporting, bytes((error.errno or 0,)))
            finally:
                os._exit(_FAILED)
    finally:
        os.close(reporting)
        with open(report, "rb", buffering=0) as refused:
            number = refused.read(1)  # none: with the execution the pipe is closed
    if number:
        os.waitpid(pid, 0)
        raise OSError(number[0], os.strerror(number[0]))
    return pid


_FAILED = 125


def _fork() -> int:
    """Fork beside our threads, of which newer Pythons warn: the child takes no lock, and is soon another program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _listen_no_more(reset: Signals) -> None:
    """Handle no signal, which would be ours to hear once it is not blocked, and ignore what is to be ignored."""
    handled = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
    for number in handled | reset:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
