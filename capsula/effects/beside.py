"""Beside: what only looks is done by a child of ours, on another processor, while we do something else."""

import marshal
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import active_count
from typing import NoReturn, TypeVar, cast

T = TypeVar("T")


@contextmanager
def beside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Begin a work whose answer is a plain value, as ``marshal`` knows them; yields what waits for the answer.

    The child is gone when this is left. Where there can be none, or it does not answer, the work is done when its
    answer is wanted. Where threads run there is none: a child would find their locks locked for ever.
    """
    child = _forked(work) if active_count() == 1 else None
    if child is None:
        yield work
        return
    pid, outlet = child
    try:
        yield partial(_answer, outlet, work)
    finally:
        os.close(outlet)
        with suppress(ChildProcessError):  # whoever started us lets the system forget our children
            os.waitpid(pid, 0)


def _forked(work: Callable[[], object]) -> tuple[int, int] | None:
    """Return a child that does the work, and where its answer comes out."""
    try:
        outlet, entrance = os.pipe()
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:  # the memory, or the number of processes, is limited
        os.close(outlet)
        return None
    else:
        if pid == 0:
            os.close(outlet)  # or nobody could tell the child that its answer is not wanted
            _work(work, entrance)
        return pid, outlet
    finally:
        os.close(entrance)


def _work(work: Callable[[], object], entrance: int) -> NoReturn:
    """Answer, or end without a word; of us nothing but that is to be done by the child."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(entrance, "wb") as stream:
            stream.write(marshal.dumps(work()))  # type: ignore[arg-type]  # no type tells what is plain all through
    finally:
        os._exit(0)


def _answer(outlet: int, work: Callable[[], T]) -> T:
    with open(outlet, "rb", closefd=False) as stream:
        answer = stream.read()
    try:
        return cast("T", marshal.loads(answer))  # noqa: S302  # of a child of ours
    except (EOFError, ValueError, TypeError):  # it was cut off
        return work()
