"""Beside: what only looks is done by a child of ours, while we do something else.

Where there is one processor only it takes a little longer so, but never for ever, whatever it looks at.
"""

import os
import select
import signal
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import active_count
from typing import BinaryIO, NoReturn, TypeAlias

Serve: TypeAlias = Callable[[Iterator[object]], Iterator[tuple[Hashable, object]]]
"""What an assistant does: it turns what it is told into questions and their answers, in the order of the questions."""


PATIENCE = 15.0
"""Seconds in which an assistant that is not blocked needs the processor for at least a moment."""

_LENGTH = 8
"""Bytes in which the length of an answer is told."""


class Assistant:
    """A child that answers questions, one after the other, while we do something else.

    What is told, asked and answered is any value that ``pickle`` knows. It may be gone at any time.
    """

    def __init__(self, pid: int, questions: int, answers: int, patience: float) -> None:
        self._pid = pid
        self._questions = open(questions, "wb")  # noqa: SIM115  # closed by `dismiss`
        self._answers = open(answers, "rb", buffering=0)  # noqa: SIM115
        self._patience = patience
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
            TimeoutError: it waits itself, for what does not come; it was ended.
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
        """Be done with it: it ends as soon as it wants to know, or to answer, anything more."""
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
        """Wait for something to read, as long as the child does something."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        spent: int | None = None
        while not poll.poll(self._patience * 1000):
            before, spent = spent, _time_spent(self._pid)
            if spent is not None and spent == before:
                self._is_blocked = True
                os.kill(self._pid, signal.SIGKILL)
                self.dismiss()
                raise TimeoutError


def assistant(serve: Serve, patience: float = PATIENCE) -> Assistant | None:
    """Return an assistant, which is to be closed; none where there can be no child."""
    try:
        told, questions = os.pipe()
    except OSError:
        return None

    def answered(answers: BinaryIO) -> None:
        import pickle

        os.close(questions)
        with open(told, "rb") as stream:
            for answer in serve(_values(stream)):
                content = pickle.dumps(answer)
                answers.write(len(content).to_bytes(_LENGTH) + content)
                answers.flush()

    child = _forked(answered)
    os.close(told)
    if child is None:
        os.close(questions)
        return None
    pid, outlet = child
    return Assistant(pid, questions, outlet, patience)


def _values(stream: BinaryIO) -> Iterator[object]:
    import pickle

    with suppress(EOFError):
        while True:
            yield pickle.load(stream)  # noqa: S301  # of the process that we are a child of


def _forked(work: Callable[[BinaryIO], None]) -> tuple[int, int] | None:
    """Return a child that does the work, and where its answers come out; none where threads run, or it cannot be."""
    if active_count() > 1:
        return None
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


def _work(work: Callable[[BinaryIO], None], entrance: int) -> NoReturn:
    """Answer, or end without a word; of us nothing but that is to be done by the child."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(entrance, "wb") as answers:
            work(answers)
    finally:
        os._exit(0)


def _time_spent(pid: int) -> int | None:
    """Return the ticks of the clock in which a process computed; none where that is not told."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return sum(map(int, status.rpartition(")")[2].split()[11:13]))  # the command's name, in parentheses, comes first


def _forgotten(pid: int) -> None:
    with suppress(ChildProcessError):  # whoever started us lets the system forget our children
        os.waitpid(pid, 0)
