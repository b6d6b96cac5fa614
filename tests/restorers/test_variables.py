"""The environment of a replay: what was recorded is set, and what was not is never passed over in silence."""

from pathlib import Path

from capsula.core.step import Phase, Step
from capsula.restorers.variables import Variables, restored, unrecorded


def test_recorded_values_are_set_and_the_hosts_own_stay_the_hosts() -> None:
    recorded = {"values": {"OMP_NUM_THREADS": "2", "HOME": "/there"}, "digests": {"PATH": "p"}}

    variables = restored(recorded, {"PYTHONHASHSEED": "7"}, {"HOME": "/here", "OTHER": "x"}, {}, allowed=None)

    environ = {"HOME": "/here", "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    assert variables == Variables(environ, differing=(), missing=(), dropped=(), hosts=frozenset({"HOME"}))
    details = ("OMP_NUM_THREADS=2", "PYTHONHASHSEED=7", "as they are here: HOME")
    assert variables.step == Step(Phase.VARIABLES, "set the environment", "exact", "", details)


def test_an_unrecorded_value_that_is_the_same_here_is_taken_over() -> None:
    variables = restored({"digests": {"MY_ENV": "d"}}, {}, {"MY_ENV": "v"}, {"MY_ENV": "d"}, allowed=None)

    hosts = frozenset({"MY_ENV"})
    assert variables == Variables({"MY_ENV": "v"}, differing=(), missing=(), dropped=(), hosts=hosts)


def test_an_unrecorded_value_that_is_another_or_none_here_is_told() -> None:
    recorded = {"digests": {"MY_ENV": "d", "MY_OTHER": "e"}}

    variables = restored(recorded, {}, {"MY_ENV": "v"}, {"MY_ENV": "x"}, allowed=None)

    hosts = frozenset({"MY_ENV"})
    assert variables == Variables(
        {"MY_ENV": "v"}, differing=("MY_ENV",), missing=("MY_OTHER",), dropped=(), hosts=hosts
    )
    assert variables.step.fidelity == "approximate"
    assert all(name in variables.step.why for name in ("MY_ENV", "MY_OTHER"))


def test_what_differs_between_terminals_is_nobodys_concern() -> None:
    variables = restored({"digests": {"SSH_TTY": "d", "SHLVL": "e"}}, {}, {"SHLVL": "1"}, {"SHLVL": "x"}, allowed=None)

    assert variables == Variables({}, differing=(), missing=(), dropped=())


def test_a_capsule_of_somebody_else_injects_nothing() -> None:
    recorded = {"values": {"LD_LIBRARY_PATH": "/evil", "PYTHONPATH": "/evil", "TZ": "UTC"}}

    foreign = restored(recorded, {}, {}, {}, allowed=())
    own = restored(recorded, {}, {}, {}, allowed=None)

    assert foreign == Variables({"TZ": "UTC"}, (), (), dropped=("LD_LIBRARY_PATH", "PYTHONPATH"))
    assert own.environ == recorded["values"]


def test_inside_of_an_environment_its_programs_come_first_and_values_of_here_are_not_told() -> None:
    variables = restored({"digests": {"TOKEN": "d"}}, {}, {"PATH": "/bin", "TOKEN": "secret"}, {}, allowed=None)

    inside = variables.within(Path("/env"))

    assert inside.environ == {"PATH": "/env/bin:/bin", "VIRTUAL_ENV": "/env", "TOKEN": "secret"}
    assert inside.step.details == ("PATH=/env/bin:/bin", "VIRTUAL_ENV=/env", "as they are here: TOKEN")
    assert variables.within(None) == variables


def test_a_mark_is_no_value() -> None:
    mark = "[redacted named 0123456789abcdef]"

    gone = restored({"values": {"API_TOKEN": mark}}, {}, {}, {}, allowed=None)
    here = restored({"values": {"API_TOKEN": mark}}, {}, {"API_TOKEN": "mine"}, {}, allowed=None)
    listed = unrecorded({"API_TOKEN": mark}, {"API_TOKEN": "mine"}, allowed=None)

    assert gone == Variables({}, differing=(), missing=("API_TOKEN",), dropped=())
    assert [it.environ for it in (here, listed)] == [{"API_TOKEN": "mine"}] * 2


def test_a_replay_is_not_told_of_the_capsule_around_it() -> None:
    here = {"CAPSULA_CAPSULE_DIR": "/mine", "LANG": "C", "HOME": "/home/me"}

    variables = unrecorded({"LANG": "de", "HOME": "/there"}, here, allowed=None)

    assert variables.environ == {"LANG": "de", "HOME": "/home/me"}
