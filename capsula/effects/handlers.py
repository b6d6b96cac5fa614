"""Signal handlers of the program: what they raise while Capsula works is the program's, and no trouble of Capsula's."""

import _signal  # type: ignore[import-not-found]  # the public one takes long, and takes ValueError for its own
import ctypes
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


class Interruptible:
    """A context in which Capsula works, and stops as soon as a handler raises: what it raised leaves the context.

    Whatever takes exceptions for trouble of its own on the way, ``TimeoutError`` being one of the operating system's,
    does not meet it. Handlers run at once, as ever; to the system nothing changes.
    """

    __slots__ = ("_is_calling", "_is_over", "_raised", "_theirs")

    def __init__(self) -> None:
        self._is_calling = False
        self._is_over = False
        self._raised: BaseException | None = None
        self._theirs: dict[int, tuple[Handler, Handler]] = {}

    def __enter__(self) -> None:
        try:
            for number, handler in _handlers():
                ours = partial(self._called, handler)
                self._theirs[number] = handler, ours
                _exchange(number, ours)
        except BaseException as error:
            if type(error) is ValueError and error.args == _REFUSAL:
                self._theirs.clear()
                return
            self.__exit__()  # it is of a handler
            raise
        if self._raised:
            self.__exit__()

    def __exit__(self, *left: object) -> None:
        self._give_back()
        if self._raised:
            context = self._raised.__context__
            try:
                raise self._raised
            finally:
                self._raised.__context__ = context
                self._raised = None

    def _called(self, handler: Handler, number: int, frame: FrameType | None) -> object:
        is_ours = frame is not None and frame.f_globals is globals()
        if self._is_over or (self._is_calling and not is_ours):  # what it raises in another handler is met by that
            return handler(number, frame)
        is_first, self._is_calling = self._raised is None, True
        try:
            return handler(number, frame)
        except _Interruption:  # of a signal in between, which has told
            raise
        except BaseException as error:
            self._raised = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
        finally:
            self._is_calling = False
        if is_first and not is_ours:  # who leaves already shall not be stopped
            raise _Interruption
        return None

    def _give_back(self) -> None:
        self._is_over = True
        try:
            while self._theirs:
                number, (handler, ours) = next(iter(self._theirs.items()))
                if _signal.getsignal(number) is ours:
                    _exchange(number, handler)
                del self._theirs[number]
        except BaseException:  # of a handler that has its place again
            self._give_back()
            raise


class _Interruption(BaseException):
    """Nobody takes it for anything, but lets it pass."""


def _handlers() -> list[tuple[int, Handler]]:
    """Return the handlers that the program has brought along, each with its signal."""
    found = ((number, _signal.getsignal(number)) for number in range(1, signal.NSIG))
    return [(number, it) for number, it in found if callable(it) and it is not signal.default_int_handler]


def _exchange(number: int, handler: Handler) -> None:
    """Give a signal to another handler of Python's; how the system delivers it, and to whom, stays as it is."""
    action = ctypes.create_string_buffer(_LARGEST_ACTION)
    _sigaction(number, None, action)
    _signal.signal(number, handler)
    _sigaction(number, action, None)


_REFUSAL = ("signal only works in main thread of the main interpreter",)
"""What is said where no handler runs; by its kind alone it could be what a handler raises."""
_sigaction = ctypes.CDLL(None).sigaction
_LARGEST_ACTION = 1024
"""Bytes of a ``struct sigaction``, and more."""
