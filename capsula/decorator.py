"""``capsula.monitor``: a capsule for every call of a function, which behaves as if nobody watched."""

import functools
import inspect
import os
import sys
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from pathlib import Path
from time import perf_counter
from types import CodeType
from typing import Any, ParamSpec, TypeVar, overload

from returns.result import Failure, Result, Success

from capsula.api import CapsulaError, warn
from capsula.core.config import Config
from capsula.core.fault import Fault, crash_of
from capsula.core.foreign import safe
from capsula.core.run import Call
from capsula.effects.handlers import Interruptible
from capsula.flows import current
from capsula.flows.call import Opened, Wish, begun, configured, cut_short, raised, returned
from capsula.flows.current import Open

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
    place = None if directory is None else _absolute(Path(directory))
    named = (items,) if isinstance(items, str) else tuple(items)
    wish = Wish(place, named, include_return_value, strict)
    return lambda function: _decorated(function, wish)


def _decorated(function: Any, wish: Wish) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_decorated(function.__func__, wish))
    if isinstance(function, type):  # a function in its place could not be inherited from, nor be asked for instances
        raise TypeError(f"capsula.monitor decorates functions, not classes; decorate {function.__name__}.__init__")
    if not callable(function):
        raise TypeError(f"capsula.monitor decorates functions, not {type(function).__name__} objects")
    recorder = _Recorder(function, wish)
    if _is(inspect.isasyncgenfunction, function):
        wrapper = _async_generator_function(function, recorder)
    elif _is(inspect.iscoroutinefunction, function):
        wrapper = _coroutine_function(function, recorder)
    elif _is(inspect.isgeneratorfunction, function):
        wrapper = _generator_function(function, recorder)
    else:
        wrapper = _function(function, recorder)
    vars(wrapper).update(_methods(function))
    return functools.wraps(function)(wrapper)


def _is(kind: Callable[[object], bool], function: Callable[..., object]) -> bool:
    """Tell whether a function is of a kind, or, of an object that is called, the function that then runs."""
    return kind(function) or kind(type(_within(function)).__call__)


def _methods(function: Callable[..., object]) -> dict[str, object]:
    """Return what a callable object can do besides, as ``cache_clear`` of what ``functools.lru_cache`` returns."""
    names = dict(inspect.getmembers(type(function), inspect.isroutine))
    return {name: getattr(function, name) for name in names if not name.startswith("_")}


def _function(function: Callable[..., object], recorder: "_Recorder") -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        with recorder.recording(args, kwargs) as recording, recording.running, recording.innermost():
            return recording.returned(function(*args, **kwargs))

    return call


def _coroutine_function(
    function: Callable[..., Coroutine[Any, Any, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    @functools.wraps(function)
    async def awaited(begun: _Begun, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        with closing(begun), recorder.recording(args, kwargs) as recording, recording.running:
            return recording.returned(await _Steps(begun.steps.__await__(), recording))

    def call(*args: object, **kwargs: object) -> object:
        # Wrong arguments are an error here, as without us: servers tell an application from its factory by that.
        return awaited(_Begun(function(*args, **kwargs)), args, kwargs)

    return _marked_as_coroutine_function(call)


class _Begun:
    """What was called, and is closed whether somebody goes on with it or not: Python warns of what is around it."""

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def close(self) -> None:
        if isinstance(self.steps, Coroutine):  # and nothing else that can be awaited
            self.steps.close()

    __del__ = close


def _marked_as_coroutine_function(call: Callable[..., object]) -> Callable[..., object]:
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(call)
    return _marked(call, inspect.CO_COROUTINE)


def _marked(call: Callable[..., object], kind: int) -> Callable[..., object]:
    """Return a function that, by the flags of its code, is taken for one of the kind whose objects it returns."""
    code = call.__code__.replace(co_flags=call.__code__.co_flags | kind)
    return types.FunctionType(code, globals(), closure=call.__closure__)


def _generator_function(
    function: Callable[..., Generator[object, object, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    @functools.wraps(function)
    def recorded(
        generator: Generator[object, object, object], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Generator[object, object, object]:
        with recorder.recording(args, kwargs) as recording:
            steps = _Steps(generator, recording)
            step: Callable[[], object] = steps.__next__
            while True:
                # What goes in and out must not live longer than it would, so nothing here holds on to it.
                try:
                    with recording.running:
                        held = [step()]
                except StopIteration as stop:
                    return recording.returned(stop.value)
                finally:
                    del step
                try:
                    step = functools.partial(steps.send, (yield held.pop()))
                except BaseException as error:
                    step = functools.partial(steps.throw, error)

    def call(*args: object, **kwargs: object) -> object:
        return recorded(function(*args, **kwargs), args, kwargs)

    code = _code_of(function)
    if code and code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        recorded = types.coroutine(recorded)
        return _marked(call, inspect.CO_GENERATOR | inspect.CO_ITERABLE_COROUTINE)
    return _marked(call, inspect.CO_GENERATOR)


def _async_generator_function(
    function: Callable[..., AsyncGenerator[object, object]], recorder: "_Recorder"
) -> Callable[..., object]:
    @functools.wraps(function)
    async def recorded(
        generator: AsyncGenerator[object, object], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> AsyncGenerator[object, object]:
        with recorder.recording(args, kwargs) as recording:
            step = _first_step(generator)
            while True:
                steps = _Steps(step.__await__(), recording)
                try:
                    with recording.running:
                        held = [await steps]
                except StopAsyncIteration:
                    return
                finally:
                    steps.release()
                    del step
                try:
                    step = generator.asend((yield held.pop()))
                except BaseException as error:
                    step = generator.athrow(error)

    def call(*args: object, **kwargs: object) -> object:
        return recorded(function(*args, **kwargs), args, kwargs)

    return _marked(call, inspect.CO_ASYNC_GENERATOR)


def _first_step(generator: AsyncGenerator[object, object]) -> Awaitable[object]:
    """Begin with a generator unknown to the event loop: it is closed by the one around it, and by no one else."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Steps:
    """A generator, or a coroutine's: during each of its steps, and not in between, its call is the innermost one."""

    def __init__(self, steps: Any, recording: "_Recording") -> None:
        self._steps = steps
        self._recording = recording

    def __await__(self) -> "_Steps":
        return self

    def __iter__(self) -> "_Steps":
        return self

    def __next__(self) -> object:
        with self._recording.innermost():
            return self._steps.__next__()

    def send(self, value: object) -> object:
        with self._recording.innermost():
            return self._steps.send(value)

    def throw(self, *error: Any) -> object:
        try:
            with self._recording.innermost():
                return self._steps.throw(*error)
        finally:
            del error  # this frame is in its traceback

    def close(self) -> None:
        with self._recording.innermost():
            self._steps.close()

    def release(self) -> None:
        """Let go of the generator, which may hold an exception that was thrown in, and that of a frame from here."""
        self._steps = None


class _Recorder:
    """Opens a capsule for each call of one function; its settings are loaded once."""

    def __init__(self, function: Callable[..., object], wish: Wish) -> None:
        self.wish = wish
        self._place = _place_of(function)
        self._config: Result[Config, tuple[Fault, ...]] | None = None

    def recording(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> "_Recording":
        """Open a capsule for a call, or tell why there is none."""
        recording = _Recording(None, self.wish, None)
        if current.is_unwatched():
            return recording
        try:
            with Interruptible():
                answer = self._begun(args, kwargs)
                if isinstance(answer, Success):
                    recording = _Recording(answer.unwrap(), self.wish, answer.unwrap().open)
                    warn(answer.unwrap().faults, stacklevel=_CALLER)
                elif self.wish.strict:
                    raise CapsulaError(answer.failure())
                else:
                    recording = _Recording(None, self.wish, None if sys.is_finalizing() else current.spare())
                    warn(answer.failure(), stacklevel=_CALLER)
        except BaseException as error:  # an interrupt may come at any moment
            recording.__exit__(type(error), error, None)
            raise
        return recording

    def _begun(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Result[Opened, tuple[Fault, ...]]:
        if sys.is_finalizing():
            return Failure((_TOO_LATE,))
        try:
            call = self._place._replace(args=args, kwargs=kwargs)
            if not isinstance(self._config, Success):
                self._config = configured(self.wish, call)
            return self._config.bind(lambda config: begun(config, self.wish, call))
        except Exception as bug:  # of Capsula: it must not become the user's
            return Failure((_bug(bug),))


class _Recording:
    """Around one call: its capsule is open from entering to leaving, and tells how it was left."""

    def __init__(self, opened: Opened | None, wish: Wish, innermost: Open | None) -> None:
        self._opened = opened
        self._innermost = innermost
        self.running: AbstractContextManager[None] = current.Running(opened.open) if opened else nullcontext()
        self._wish = wish
        self._value: object = None
        self._begun = perf_counter()

    def returned(self, value: V) -> V:
        """Take note of what the call returns, and return it."""
        self._value = value
        return value

    def innermost(self) -> AbstractContextManager[None]:
        """Return what makes this call the innermost one."""
        return current.Innermost(self._innermost) if self._innermost else nullcontext()

    def __enter__(self) -> "_Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not self._opened:
            return
        run_time = perf_counter() - self._begun
        try:
            with Interruptible():
                warn(self._closed(self._opened, error, run_time), stacklevel=_CALLER)
        except BaseException:  # an interrupt may come at any moment, and is what counts
            with suppress(Exception):
                cut_short(self._opened, error, run_time, include=self._wish.include_return_value)
            raise

    def _closed(self, opened: Opened, error: BaseException | None, run_time: float) -> tuple[Fault, ...]:
        if sys.is_finalizing():
            return (_TOO_LATE,)
        include = self._wish.include_return_value
        try:
            if error is None:
                return returned(opened, self._value, run_time, include=include)
            return raised(opened, error, run_time, include=include)
        except Exception as bug:  # of Capsula: it must not become the user's
            return (_bug(bug),)


def _place_of(function: Callable[..., object]) -> Call:
    named = _within(function)
    name = getattr(named, "__name__", type(named).__name__)
    qualified = getattr(named, "__qualname__", type(named).__qualname__)
    code = _code_of(function)
    source = _absolute(Path(code.co_filename)) if code else None
    return Call(
        name=name,
        qualified_name=f"{getattr(named, '__module__', None) or '?'}.{qualified}",
        source_file=str(source) if source and os.path.isfile(source) else None,  # it never raises
        source_line=code.co_firstlineno if code else None,
        parameters=_parameters(function),
    )


def _parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the positional parameters that are left to who calls a function, if it tells."""
    if isinstance(function, functools.partial):
        return _parameters(function.func)[len(function.args) :]
    code, bare = _code_of(function), inspect.unwrap(function)
    if code is None:
        return ()
    is_bound = isinstance(function, types.MethodType) or isinstance(bare, types.MethodType)
    is_object = not hasattr(bare, "__code__")
    return code.co_varnames[is_bound or is_object : code.co_argcount]


def _code_of(function: Callable[..., object]) -> CodeType | None:
    bare = inspect.unwrap(_within(function))
    code = getattr(bare, "__code__", None) or getattr(type(bare).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _within(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function that a partial one calls in the end."""
    return _within(function.func) if isinstance(function, functools.partial) else function


def _absolute(path: Path) -> Path:
    """Return a path as seen from the working directory, or as it is where there is none any more."""
    return safe(exceptions=(OSError,))(path.absolute)().value_or(path)


def _bug(bug: Exception) -> Fault:
    return crash_of(bug, "this is a bug of Capsula; please report it")


_TOO_LATE = Fault("too late", "Python shuts down, and a call could not be recorded any more")
"""Modules go in any order then: what is called may crash with all of Python."""
