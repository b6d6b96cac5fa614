"""Beside: what only looks is done by a child of ours, while we do something else.

Where there is one processor only that takes a little longer, but never for ever, whatever it looks at.
"""

import os
import select
import signal
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import active_count
from time import monotonic
from typing import BinaryIO, NoReturn, TypeAlias

Serve: TypeAlias = Callable[[Iterator[object]], Iterator[tuple[Hashable, object]]]
"""What an assistant does: it turns what it is told into questions and their answers, in the order of the questions."""


PATIENCE = 15.0
"""Seconds in which an assistant that is not blocked needs the processor for at least a moment."""

LIMIT = 600.0
"""Seconds after which an assistant that still computes is given up, too."""

_LENGTH = 8
"""Bytes in which the length of an answer is told."""


class Assistant:
    """A child that answers questions, one after the other, while we do something else.

    What is told, asked and answered is any value that ``pickle`` knows. It may be gone at any time.
    """

    def __init__(self, pid: int, pipes: tuple[int, int, int], patience: float, limit: float) -> None:
        questions, answers, tie = pipes
        self._pid = pid
        self._questions = open(questions, "wb")  # noqa: SIM115  # closed by `dismiss`
        self._answers = open(answers, "rb", buffering=0)  # noqa: SIM115
        self._tie = open(tie, "wb", buffering=0)  # noqa: SIM115
        self._patience = patience
        self._deadline = monotonic() + limit
        self._is_blocked = False
        self._asked: set[Hashable] = set()
        self._known: dict[Hashable, object] = {}

    def tell(self, *values: object) -> None:
        """Tell it what it must know before it can answer."""
        if self._questions.closed:
            return
        import pickle  # while there is something to wait for

        with suppress(OSError):  # it is gone: that it does not answer will show it
            for value in values:
                pickle.dump(value, self._questions)
            self._questions.flush()

    def ask(self, *questions: Hashable) -> None:
        """Have it begin with what will be wanted."""
        self._asked.update(questions)
        self.tell(*questions)

    def answer(self, question: Hashable) -> object:
        """Wait for the answer to a question; None if it has none, or is gone or dismissed.

        Raises:
            TimeoutError: it waits itself, for what does not come, or computes for too long; it was ended.
        """
        import pickle

        if question in self._known:
            return self._known[question]
        if self._is_blocked:
            raise TimeoutError
        if self._answers.closed:
            return None
        if question not in self._asked:
            self.ask(question)
        try:
            while question not in self._known:
                asked, answer = pickle.loads(self._read(int.from_bytes(self._read(_LENGTH))))  # noqa: S301  # our child's
                self._known[asked] = answer
        except EOFError:  # it is gone
            return None
        return self._known[question]

    def dismiss(self) -> None:
        """Be done with it: it ends, whatever it does."""
        self._tie.close()
        self._answers.close()
        with suppress(OSError):
            self._questions.close()

    def close(self) -> None:
        """Dismiss it, and wait until it is gone."""
        self.dismiss()
        if self._pid:
            _forgotten(self._pid)
            self._pid = 0

    def _read(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            self._wait()
            part = self._answers.read(size - len(content))
            if not part:
                raise EOFError
            content += part
        return bytes(content)

    def _wait(self) -> None:
        """Wait for something to read, as long as the child does something, and is not late."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        spent: int | None = None
        while not poll.poll(max(min(self._patience, self._deadline - monotonic()), 0) * 1000):
            before, spent = spent, _time_spent(self._pid)
            if (spent is not None and spent == before) or monotonic() >= self._deadline:
                self._is_blocked = True
                os.kill(self._pid, signal.SIGKILL)
                self.dismiss()
                raise TimeoutError


def assistant(serve: Serve, patience: float = PATIENCE, limit: float = LIMIT) -> Assistant | None:
    """Return an assistant, which is to be closed; none where there can be no child."""
    if active_count() > 1:
        return None
    pipes = _pipes(3)
    if not pipes:
        return None
    (told, questions), (outlet, entrance), (tied, tie) = pipes
    its, ours = (told, entrance, tied), (questions, outlet, tie)
    try:
        pid = os.fork()
    except OSError:  # the memory, or the number of processes, is limited
        _close(*its, *ours)
        return None
    if pid == 0:
        _close(*ours)  # or nobody could tell the child that it is not wanted
        _work(serve, *its)
    _close(*its)
    return Assistant(pid, ours, patience, limit)


def _pipes(count: int) -> list[tuple[int, int]]:
    """Return so many pipes; nothing if there cannot be all of them."""
    pipes: list[tuple[int, int]] = []
    with suppress(OSError):
        pipes.extend(os.pipe() for _ in range(count))
    if len(pipes) == count:
        return pipes
    for ends in pipes:
        _close(*ends)
    return []


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _work(serve: Serve, told: int, entrance: int, tied: int) -> NoReturn:
    """Answer, or end without a word; of us nothing but that is to be done by the child."""
    try:
        import pickle

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _end_with(tied)
        with open(told, "rb") as stream, open(entrance, "wb") as answers:
            for answer in serve(_values(stream)):
                content = pickle.dumps(answer)
                answers.write(len(content).to_bytes(_LENGTH) + content)
                answers.flush()
    finally:
        os._exit(0)


def _end_with(tied: int) -> None:
    """Have this process end once nobody holds the other end of a pipe that nothing is written to.

    It may wait where no other signal, or nobody who would send one, reaches it: whoever started it may be killed.
    """
    from fcntl import F_GETFL, F_SETFL, F_SETOWN, fcntl

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl(tied, F_SETOWN, os.getpid())
    fcntl(tied, F_SETFL, fcntl(tied, F_GETFL) | os.O_ASYNC)
    if select.select([tied], [], [], 0)[0]:  # it is so already
        os._exit(0)


def _values(stream: BinaryIO) -> Iterator[object]:
    import pickle

    with suppress(EOFError):
        while True:
            yield pickle.load(stream)  # noqa: S301  # of the process that we are a child of


def _time_spent(pid: int) -> int | None:
    """Return the ticks of the clock in which a process computed; none where that is not told."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return sum(map(int, status.rpartition(")")[2].split()[11:13]))  # the command's name, in parentheses, comes first


def _forgotten(pid: int) -> None:
    with suppress(ChildProcessError):  # whoever started us lets the system forget our children
        os.waitpid(pid, 0)
