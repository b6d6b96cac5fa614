"""Foreign code: what it raises is an answer, and holds on to nothing."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from returns.result import Failure, Result, Success

P = ParamSpec("P")
V = TypeVar("V")
E = TypeVar("E", bound=Exception)


def safe(*, exceptions: tuple[type[E], ...]) -> Callable[[Callable[P, V]], Callable[P, Result[V, E]]]:
    """Have a function answer with what it returns, or with one of these exceptions, as that of ``returns`` does.

    It comes without its traceback, and alone: its frames lead to all above, and whoever keeps it in a variable would
    keep what is in theirs, a decorated function's arguments too, until the garbage is collected.
    """

    def decorated(function: Callable[P, V]) -> Callable[P, Result[V, E]]:
        @wraps(function)
        def tried(*args: P.args, **kwargs: P.kwargs) -> Result[V, E]:
            try:
                return Success(function(*args, **kwargs))
            except exceptions as error:
                error.__cause__ = error.__context__ = None
                return Failure(error.with_traceback(None))

        return tried

    return decorated
