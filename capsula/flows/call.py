"""Monitoring a call of a function: the same capsule as a command's; only the caller performs the call."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from traceback import TracebackException
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.core.redaction import Redaction
from capsula.core.representation import represented
from capsula.core.run import Call
from capsula.core.strict import conflicts, item_mistakes
from capsula.core.variables import names_secret
from capsula.effects.surroundings import start, surroundings
from capsula.flows.capsule import Capsule, discretion
from capsula.flows.capture import header, looked, prepared
from capsula.flows.current import Open, Unwatched, enclosing
from capsula.flows.load import load
from capsula.flows.run import AFTER, Ending, Run, ended, fact, opened

_LONGEST_MESSAGE = 4 * 1024
_LONGEST_DETAILS = 64 * 1024

_VALUES = frozenset({"args", "kwargs", "return_value", "exception_info"})
_OURS = str(Path(__file__).parents[1]) + os.sep
_UNCHANGING = frozenset({"cpu", "platform", "python_packages", "system"})
_known: dict[tuple[bool, ...], Fragment] = {}


class Wish(NamedTuple):
    """What a decorator was told."""

    directory: Path | None = None
    """Where the configuration is, absolute; none: above the source file of the function."""
    items: tuple[str, ...] = ()
    include_return_value: bool = False
    strict: bool = False


class Opened(NamedTuple):
    """A call whose capsule is open."""

    plan: Run
    capsule: Capsule
    process: int
    """Only the process that opened a capsule closes it, not one that was forked from it."""
    redaction: Redaction
    """How secrets are marked that the call was given: its return value or its exception may well repeat one."""

    @property
    def open(self) -> Open:
        """What is known of it where it is the innermost call."""
        return Open(self.capsule.directory, self.capsule.header.id, self.capsule.header.parent)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What of its record, so far, is not as it was wanted."""
        return _trouble(self.capsule.faults)


def configured(wish: Wish, call: Call) -> Result[Config, tuple[Fault, ...]]:
    """Return the config of a decorated function, or all that is wrong with it."""
    source = Path(call.source_file).parent if call.source_file else None
    return load(wish.directory, surroundings((sys.executable,)), start=source).bind(
        lambda config: _judged(
            config, (*item_mistakes(config.settings, wish.items), *conflicts(config.settings, wish.items))
        )
    )


def begun(config: Config, wish: Wish, call: Call) -> Result[Opened, tuple[Fault, ...]]:
    """Open a capsule for a call. Under a strict wish any fault is a failure, and the function is not to be called."""
    config = config._replace(surroundings=surroundings((sys.executable,)))
    around = enclosing(config.surroundings.environ)
    plan = Run(config, wish.items, header(config, "fast", around.id if around else None))
    context = joined(prepared(config), _context(config)) if config.settings.monitor.capture else None
    if wish.strict and context and context.faults:
        return Failure(context.faults)
    args, kwargs = _value(call.args), _value(dict(call.kwargs))
    redaction = _of_what_is_given(call, config, args, kwargs)
    before = {
        **_before(call, config, redaction),
        "args": _discreet(args, redaction, call.parameters),
        "kwargs": _discreet(kwargs, redaction, [*call.kwargs]),
    }
    return (
        opened(plan, before, context)
        .alt(_alone)
        .map(lambda capsule: Opened(plan, capsule, os.getpid(), redaction))
        .bind(_refused if wish.strict else Success)
    )


def returned(call: Opened, value: object, run_time: float, *, include: bool) -> tuple[Fault, ...]:
    """Close the capsule of a call that returned; the value is recorded only if it is to be included."""
    answers = {"return_value": _discreet(_value(value), call.redaction)} if include else {}
    return _closed(call, run_time, {**answers, "exception_info": fact(None)}, "finished")


def raised(call: Opened, error: BaseException, run_time: float, *, include: bool) -> tuple[Fault, ...]:
    """Close the capsule of a call that raised."""
    answers = {"return_value": fact(None)} if include else {}
    return _closed(
        call, run_time, {**answers, "exception_info": _discreet(_exception_info(error), call.redaction)}, _status(error)
    )


def cut_short(call: Opened, error: BaseException | None, run_time: float, *, include: bool) -> None:
    """Close the capsule of a call whose closing was interrupted: as it ended, and with nothing that takes time."""
    if os.path.lexists(call.capsule.directory / AFTER):
        return
    unknown = Failure(Fault("interrupted", "a signal came while it was recorded"))
    answers: dict[str, Answer] = {"files": unknown} if call.plan.items else {}
    answers |= {"return_value": unknown} if include else {}
    answers |= {"exception_info": unknown if error else fact(None)}
    plain = call._replace(plan=call.plan._replace(items=()))
    _closed(plain, run_time, answers, _status(error) if error else "finished")


def _refused(call: Opened) -> Result[Opened, tuple[Fault, ...]]:
    """Close the capsule of a call that has faults already; it is not to be."""
    if call.faults:
        return Failure(call.faults + _closed(call, 0.0, {"exception_info": fact(None)}, "refused"))
    return Success(call)


def _judged(config: Config, mistakes: tuple[Fault, ...]) -> Result[Config, tuple[Fault, ...]]:
    return Failure(mistakes) if mistakes else Success(config)


def _context(config: Config) -> Fragment:
    """Return the context; what cannot change while the process lives is looked at once."""
    capture = config.settings.capture
    key = (capture.include_cpu, capture.include_python_packages, capture.include_system)
    if key not in _known or config.settings.monitor.recapture == "all":
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


def _before(call: Call, config: Config, redaction: Redaction) -> dict[str, Answer]:
    started = start()
    directory = os.path.relpath(config.surroundings.cwd, config.root)
    command = redaction.json({**started, "directory": directory}) if started else None
    return {
        "source_file": fact(call.source_file),
        "source_line": fact(call.source_line),
        "function_name": fact(call.name),
        "qualified_name": fact(call.qualified_name),
        "command": fact(command),
    }


def _of_what_is_given(call: Call, config: Config, args: Answer, kwargs: Answer) -> Redaction:
    """Return how secrets are marked: those that the program was given, and those that names tell in the arguments."""
    words, named = (answer.value_or(Fragment()).facts for answer in (args, kwargs))
    by_name = dict(zip(call.parameters, words, strict=False)) if isinstance(words, list) else {}
    by_name |= named if isinstance(named, dict) else {}
    return discretion(config, {**by_name, "args": words, "argv": sys.orig_argv})


def _discreet(answer: Answer, redaction: Redaction, names: Sequence[str] = ()) -> Answer:
    """Return an answer without secrets; an argument that is one by the name of its parameter goes with all it holds."""
    return answer.map(lambda it: it._replace(facts=redaction.json(_unnamed(it.facts, redaction, names))))


def _unnamed(told: Json, redaction: Redaction, names: Sequence[str]) -> Json:
    if not isinstance(told, (list, dict)) or not any(map(names_secret, names)):
        return told
    if isinstance(told, dict):
        return {name: redaction.named(value, name) for name, value in told.items()}
    named = [redaction.named(value, name) for value, name in zip(told, names, strict=False)]
    return [*named, *told[len(named) :]]


def _value(value: object) -> Answer:
    with Unwatched():
        return Success(represented(value))


def _closed(call: Opened, run_time: float, answers: dict[str, Answer], status: str) -> tuple[Fault, ...]:
    """Close the capsule of a call, and return what has gone wrong since it was opened."""
    if os.getpid() != call.process:
        return ()
    ending = Ending(datetime.now().astimezone(), run_time, status, answers)
    closing = ended(call.plan, call.capsule, ending)
    if isinstance(closing, Success):
        return _trouble(closing.unwrap().faults[len(call.capsule.faults) :])
    return (closing.failure(),)


def _trouble(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return the faults that are not about values of the user's, which need not be JSON, or short."""
    return tuple(fault for fault in faults if not _VALUES.intersection(fault.path[:1]))


def _exception_info(error: BaseException) -> Answer:
    """Return what is known of an exception, whose own methods may raise as well."""
    with Unwatched():
        told = _told(error)
        answers: dict[str, Answer] = {
            "error_type": fact(type(error).__name__),
            "error_message": told.bind(_message),
            "error_details": told.bind(_details),
        }
    return Success(gather(answers))


def _told(error: BaseException) -> Result[TracebackException, Fault]:
    try:
        return Success(TracebackException.from_exception(error))
    except (Exception, SystemExit) as trouble:  # whatever its own methods raise
        return Failure(_untellable(trouble))


def _message(told: TracebackException) -> Answer:
    return fact(str.__getitem__(str(told), slice(_LONGEST_MESSAGE)))  # whatever class its text is of


def _details(told: TracebackException) -> Answer:
    told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
    try:
        text = "".join(told.format())
    except Exception as trouble:  # whatever its own methods have answered with
        return Failure(_untellable(trouble))
    return fact(text[-_LONGEST_DETAILS:])


def _untellable(trouble: BaseException) -> Fault:
    return Fault("unrepresentable", f"telling it raised {type(trouble).__name__}")


def _status(error: BaseException) -> str:
    cancellation = getattr(sys.modules.get("asyncio"), "CancelledError", ())  # who has not imported it cancels nothing
    kind = type(error)  # what isinstance asks for besides, a __class__, may lie
    if issubclass(kind, (KeyboardInterrupt, cancellation)):
        return "interrupted"
    if issubclass(kind, GeneratorExit):  # closed before it was exhausted, which is its user's right
        return "finished"
    return "finished" if issubclass(kind, SystemExit) and _is_success(error) else "failed"


def _is_success(error: BaseException) -> bool:
    code = vars(SystemExit)["code"].__get__(error)
    return code is None or (type(code) in {int, bool} and not code)


def _alone(fault: Fault) -> tuple[Fault, ...]:
    return (fault,)
