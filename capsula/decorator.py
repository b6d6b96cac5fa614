"""``capsula.monitor``: a capsule for every call of a function, which behaves as if nobody watched."""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from types import CodeType
from typing import Any, ParamSpec, TypeVar, overload

from attrs import evolve
from returns.result import Failure, Result, Success

from capsula.api import CapsulaError, warn
from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.run import Call
from capsula.flows import current
from capsula.flows.call import Opened, Wish, begun, configured, raised, returned

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

_CALLER = 4
"""Frames from ``warn`` up to who called the function."""


@overload
def monitor(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def monitor(
    directory: Path | str | None = None,
    *,
    items: Sequence[str] = (),
    include_return_value: bool = False,
    strict: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def monitor(
    directory: Path | str | Callable[..., Any] | None = None,
    *,
    items: Sequence[str] = (),
    include_return_value: bool = False,
    strict: bool = False,
) -> Callable[..., Any]:
    """Make a capsule for every call of the decorated function.

    The function may be plain, ``async``, a generator, a method, a class method or a static method. It keeps its
    signature, its name and its documentation, and returns or raises what it does without.

    Args:
        directory: Where the configuration is; left out: above the source file of the function.
        items: Names of ``[monitor.item.NAME]`` whose files are kept after the call.
        include_return_value: Whether to record what the function returns.
        strict: Raise ``CapsulaError`` instead of calling the function if not all can be recorded. Left out, trouble
            with the record is one ``CapsulaWarning`` at the call, and the function is called.

    Example:
        >>> import capsula
        >>> @capsula.monitor(items=["training"], include_return_value=True)
        ... def train(epochs: int) -> float: ...
    """
    if callable(directory) or isinstance(directory, (classmethod, staticmethod)):
        decorated: Callable[..., Any] = _decorated(directory, Wish())
        return decorated
    # Relative directories are seen from where the function was decorated, wherever it is called later.
    place = None if directory is None else Path(directory).absolute()
    named = (items,) if isinstance(items, str) else tuple(items)
    wish = Wish(place, named, include_return_value, strict)
    return lambda function: _decorated(function, wish)


def _decorated(function: Any, wish: Wish) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_decorated(function.__func__, wish))
    recorder = _Recorder(function, wish)
    if inspect.isasyncgenfunction(function):
        wrapper = _async_generator_function(function, recorder)
    elif inspect.iscoroutinefunction(function):
        wrapper = _coroutine_function(function, recorder)
    elif inspect.isgeneratorfunction(function):
        wrapper = _generator_function(function, recorder)
    else:
        wrapper = _function(function, recorder)
    return functools.wraps(function)(wrapper)


def _function(function: Callable[..., object], recorder: "_Recorder") -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        with recorder.recording(args, kwargs) as recording, recording.innermost():
            return recording.returned(function(*args, **kwargs))

    return call


def _coroutine_function(
    function: Callable[..., Coroutine[Any, Any, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    async def call(*args: object, **kwargs: object) -> object:
        with recorder.recording(args, kwargs) as recording, recording.innermost():
            return recording.returned(await function(*args, **kwargs))

    return call


def _generator_function(
    function: Callable[..., Generator[object, object, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> Generator[object, object, object]:
        with recorder.recording(args, kwargs) as recording:
            generator = function(*args, **kwargs)
            step: Callable[[Any], object] = generator.send
            sent: object = None
            while True:
                # Between two steps it is the caller that runs, which is not inside of this call.
                with recording.innermost():
                    try:
                        value = step(sent)
                    except StopIteration as stop:
                        return recording.returned(stop.value)
                try:
                    step, sent = generator.send, (yield value)
                except GeneratorExit:
                    with recording.innermost():
                        generator.close()
                    raise
                except BaseException as error:
                    step, sent = generator.throw, error

    return call


def _async_generator_function(
    function: Callable[..., AsyncGenerator[object, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    async def call(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        with recorder.recording(args, kwargs) as recording:
            generator = function(*args, **kwargs)
            step: Callable[[Any], Awaitable[object]] = generator.asend
            sent: object = None
            while True:
                with recording.innermost():
                    try:
                        value = await step(sent)
                    except StopAsyncIteration:
                        return
                try:
                    step, sent = generator.asend, (yield value)
                except GeneratorExit:
                    with recording.innermost():
                        await generator.aclose()
                    raise
                except BaseException as error:
                    step, sent = generator.athrow, error

    return call


class _Recorder:
    """Opens a capsule for each call of one function; its settings are loaded once."""

    def __init__(self, function: Callable[..., object], wish: Wish) -> None:
        self.wish = wish
        self._place = _place_of(function)
        self._config: Result[Config, tuple[Fault, ...]] | None = None

    def recording(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> "_Recording":
        """Open a capsule for a call, or tell why there is none."""
        call = evolve(self._place, args=args, kwargs=kwargs)
        answer = self._begun(call)
        if isinstance(answer, Success):
            opened = answer.unwrap()
            warn(opened.capsule.faults if self.wish.strict else (), stacklevel=_CALLER)
            return _Recording(opened, self.wish)
        if self.wish.strict:
            raise CapsulaError(answer.failure())
        warn(answer.failure(), stacklevel=_CALLER)
        return _Recording(None, self.wish)

    def _begun(self, call: Call) -> Result[Opened, tuple[Fault, ...]]:
        try:
            if not isinstance(self._config, Success):
                self._config = configured(self.wish, call)
            return self._config.bind(lambda config: begun(config, self.wish, call))
        except Exception as bug:  # of Capsula: it must not become the user's
            return Failure((_bug(bug),))


class _Recording:
    """Around one call: its capsule is open from entering to leaving, and tells how it was left."""

    def __init__(self, opened: Opened | None, wish: Wish) -> None:
        self._opened = opened
        self._wish = wish
        self._value: object = None
        self._begun = perf_counter()

    def returned(self, value: V) -> V:
        """Take note of what the call returns, and return it."""
        self._value = value
        return value

    def innermost(self) -> AbstractContextManager[None]:
        """Return what makes this call the innermost one."""
        return current.innermost(self._opened.open) if self._opened else nullcontext()

    def __enter__(self) -> "_Recording":
        if self._opened:
            current.opened(self._opened.open)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._opened:
            run_time = perf_counter() - self._begun
            current.closed(self._opened.open)
            warn(self._closed(self._opened, error, run_time), stacklevel=_CALLER)

    def _closed(self, opened: Opened, error: BaseException | None, run_time: float) -> tuple[Fault, ...]:
        include = self._wish.include_return_value
        try:
            if error is None:
                return returned(opened, self._value, run_time, include=include)
            return raised(opened, error, run_time, include=include)
        except Exception as bug:  # of Capsula: it must not become the user's
            return (_bug(bug),)


def _place_of(function: Callable[..., object]) -> Call:
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    within = getattr(function, "__qualname__", name)
    source = Path(code.co_filename).absolute() if isinstance(code, CodeType) else None
    return Call(
        name=name,
        qualified_name=f"{getattr(function, '__module__', None) or '?'}.{within}",
        source_file=str(source) if source and source.is_file() else None,
        source_line=code.co_firstlineno if isinstance(code, CodeType) else None,
    )


def _bug(bug: Exception) -> Fault:
    return Fault("crashed", f"{type(bug).__name__}: {bug}", "this is a bug of Capsula; please report it")
