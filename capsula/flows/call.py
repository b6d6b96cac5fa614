"""Monitoring a call of a function: the same capsule as a command's; only the caller performs the call."""

import os
import sys
from datetime import datetime
from pathlib import Path

from attrs import evolve, frozen
from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment, joined
from capsula.core.representation import represented
from capsula.core.run import Call
from capsula.core.strict import item_mistakes
from capsula.effects.surroundings import surroundings
from capsula.flows.capsule import Capsule
from capsula.flows.capture import header, looked, prepared
from capsula.flows.current import Open, current
from capsula.flows.load import load
from capsula.flows.run import Ending, Run, ended, fact, opened

_LONGEST_MESSAGE = 4 * 1024
_LONGEST_DETAILS = 64 * 1024

_UNCHANGING = frozenset({"cpu", "platform", "python_packages"})
_known: dict[tuple[bool, bool], Fragment] = {}


@frozen
class Wish:
    """What a decorator was told."""

    directory: Path | None = None
    """Where the configuration is, absolute; none: above the source file of the function."""
    items: tuple[str, ...] = ()
    include_return_value: bool = False
    strict: bool = False


@frozen
class Opened:
    """A call whose capsule is open."""

    plan: Run
    capsule: Capsule
    process: int
    """Only the process that opened a capsule closes it, not one that was forked from it."""

    @property
    def open(self) -> Open:
        """What is known of it where it is the innermost call."""
        return Open(self.capsule.directory, self.capsule.header.id)


def configured(wish: Wish, call: Call) -> Result[Config, tuple[Fault, ...]]:
    """Return the config of a decorated function, or all that is wrong with it."""
    source = Path(call.source_file).parent if call.source_file else None
    return load(wish.directory, surroundings((sys.executable,)), start=source).bind(
        lambda config: _judged(config, item_mistakes(config.settings, wish.items))
    )


def begun(config: Config, wish: Wish, call: Call) -> Result[Opened, tuple[Fault, ...]]:
    """Open a capsule for a call. Under a strict wish any fault is a failure, and the function is not to be called."""
    config = evolve(config, surroundings=surroundings((sys.executable,)))
    around = current(config.surroundings.environ)
    plan = Run(config, wish.items, header(config, "fast", around.id if around else None))
    context = joined(prepared(config), _context(config)) if config.settings.monitor.capture else None
    if wish.strict and context and context.faults:
        return Failure(context.faults)
    return opened(plan, _before(call), context).alt(_alone).map(lambda capsule: Opened(plan, capsule, os.getpid()))


def returned(call: Opened, value: object, run_time: float, *, include: bool) -> tuple[Fault, ...]:
    """Close the capsule of a call that returned; the value is recorded only if it is to be included."""
    answers = {"return_value": Success(represented(value))} if include else {}
    return _closed(call, run_time, {**answers, "exception_info": fact(None)}, "finished")


def raised(call: Opened, error: BaseException, run_time: float, *, include: bool) -> tuple[Fault, ...]:
    """Close the capsule of a call that raised."""
    answers = {"return_value": fact(None)} if include else {}
    return _closed(call, run_time, {**answers, "exception_info": _exception_info(error)}, _status(error))


def _judged(config: Config, mistakes: tuple[Fault, ...]) -> Result[Config, tuple[Fault, ...]]:
    return Failure(mistakes) if mistakes else Success(config)


def _context(config: Config) -> Fragment:
    """Return the context; what cannot change while the process lives is looked at once."""
    capture = config.settings.capture
    key = (capture.include_cpu, capture.include_python_packages)
    if key not in _known:
        fragment = looked(config)
        _known[key] = _only(fragment, _UNCHANGING)
        return fragment
    return joined(looked(config, without=_UNCHANGING), _known[key])


def _only(fragment: Fragment, names: frozenset[str]) -> Fragment:
    facts = fragment.facts if isinstance(fragment.facts, dict) else {}
    return Fragment(
        {name: value for name, value in facts.items() if name in names},
        faults=tuple(fault for fault in fragment.faults if fault.path[0] in names),
    )


def _before(call: Call) -> dict[str, Answer]:
    return {
        "source_file": fact(call.source_file),
        "source_line": fact(call.source_line),
        "function_name": fact(call.name),
        "qualified_name": fact(call.qualified_name),
        "args": Success(represented(call.args)),
        "kwargs": Success(represented(dict(call.kwargs))),
    }


def _closed(call: Opened, run_time: float, answers: dict[str, Answer], status: str) -> tuple[Fault, ...]:
    if os.getpid() != call.process:
        return ()
    ending = Ending(datetime.now().astimezone(), run_time, status, answers)
    closing = ended(call.plan, call.capsule, ending)
    return () if isinstance(closing, Success) else (closing.failure(),)


def _exception_info(error: BaseException) -> Answer:
    from traceback import TracebackException

    told = TracebackException.from_exception(error)
    if told.stack:
        del told.stack[0]  # the frame of Capsula, around the call
    facts = {
        "error_type": type(error).__name__,
        "error_message": str(told)[:_LONGEST_MESSAGE],
        "error_details": "".join(told.format())[-_LONGEST_DETAILS:],
    }
    return fact(facts)


def _status(error: BaseException) -> str:
    match error:
        case KeyboardInterrupt():
            return "interrupted"
        case GeneratorExit():  # closed before it was exhausted, which is its user's right
            return "finished"
        case SystemExit(code=None | 0):
            return "finished"
        case _:
            return "failed"


def _alone(fault: Fault) -> tuple[Fault, ...]:
    return (fault,)
