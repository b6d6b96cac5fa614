"""The step that builds an environment: what it names is what will be run, and no less is told than what blocks it."""

from pathlib import Path

from attrs import evolve

from capsula.core.step import Phase, Step
from capsula.restorers.building import Found, Pip, Prospect, Uv, step
from capsula.restorers.python_packages import Difference, Link, Pin, Python, Recipe, Shortfall

PYTHON = Python("3.11.7", "cpython", "", "linux-x86_64", "3.11.7 (main)")
BASE = Found("/opt/bin/python3.11", PYTHON)
PLACE = Path("/cache/env-1")
WANTED = Recipe(
    PYTHON,
    (Pin("six", "1.17.0"), Pin("mine", "1", "", "file:///now/mine")),
    (Link("here", "2", {}, Path("/now/here")),),
)


def test_every_command_file_and_address_is_named() -> None:
    prospect = Prospect(Uv("/bin/uv"), PLACE, BASE, addresses=("https://index/simple",), lacking=("six==1.17.0",))

    install = (
        "/bin/uv pip install --no-deps --quiet --no-progress --link-mode=copy --python /cache/env-1/bin/python"
        " --offline --no-build --requirement /cache/env-1/.requirements.txt"
    )
    assert step(WANTED, prospect) == Step(
        Phase.ENVIRONMENT,
        "build an environment of Python 3.11.7 and 3 packages with uv",
        details=(
            "interpreter /opt/bin/python3.11: 3.11.7 (main)",
            "run /bin/uv venv --quiet --no-project --offline --python /opt/bin/python3.11 /cache/env-1",
            "write /cache/env-1/.requirements.txt",
            "install six==1.17.0",
            "install mine @ file:///now/mine (built of a directory, which runs code of it)",
            f"run {install}",
            "or else run it without --offline",
            "or else run it without --offline --no-build",
            "fetch six==1.17.0; what has no wheel is built from its source, which runs code of it",
            "ask https://index/simple",
            "link here 2 to its source",
        ),
    )


def test_what_was_built_before_is_used_and_what_it_lacks_is_told() -> None:
    differing = (Difference("six", "content", "1.17.0", "1.17.0"),)
    told = step(WANTED, Prospect(Uv("/bin/uv"), PLACE, BASE, is_built=True, differences=differing))

    title = "use the environment of Python 3.11.7 and 3 packages that was built before"
    details = ("interpreter /opt/bin/python3.11: 3.11.7 (main)", "in /cache/env-1")
    assert told == Step(Phase.ENVIRONMENT, title, "approximate", "six 1.17.0 has other content", details)


def test_another_version_of_python_is_not_taken_without_a_word_of_the_user() -> None:
    near = evolve(BASE, python=evolve(PYTHON, version="3.11.9"), why=("Python 3.11.9 stands in for 3.11.7",))
    prospect = Prospect(Uv("/bin/uv"), PLACE, near)

    asked, agreed = step(WANTED, prospect), step(WANTED, prospect, anyway=True)

    remedy = "install it, as by: uv python install 3.11.7; or take /opt/bin/python3.11 in its place by --anyway"
    assert (asked.fidelity, asked.why) == ("needs", f"Python 3.11.9 stands in for 3.11.7; {remedy}")
    assert (agreed.fidelity, agreed.why) == ("approximate", "Python 3.11.9 stands in for 3.11.7")


def test_another_build_of_the_same_version_is_approximate() -> None:
    told = step(WANTED, Prospect(Uv("/bin/uv"), PLACE, evolve(BASE, why=("this is another build",))))

    assert (told.fidelity, told.why) == ("approximate", "this is another build")


def test_without_any_python_of_its_kind_the_step_needs_one_even_so() -> None:
    told = step(WANTED, Prospect(Uv("/bin/uv"), Path("/cache"), None), anyway=True)

    remedy = "install it, as by: uv python install 3.11.7; or use the environment that is here by --no-rebuild"
    why = f"no Python 3.11.7, nor one that is near it, is on this machine; {remedy}"
    assert (told.fidelity, told.why, told.details) == ("needs", why, ())


def test_what_is_not_on_this_machine_blocks_offline_alone() -> None:
    online = Prospect(Pip("/bin/python"), PLACE, BASE, lacking=("six==1.17.0",))
    offline = online._replace(offline=True)

    told = step(WANTED, offline)

    assert step(WANTED, online).fidelity == "exact"
    assert told.fidelity == "needs"
    assert told.why == (
        "not on this machine: six==1.17.0; install uv, which keeps what it fetched, or leave out --offline"
    )
    assert not any(word in line for line in told.details for word in ("or else", "ask", "fetch"))


def test_the_worst_of_all_that_is_wrong_counts_and_all_is_told() -> None:
    short = (Shortfall("a", "approximate", "one"), Shortfall("b", "needs", "two"))

    told = step(evolve(WANTED, shortfalls=short), Prospect(Uv("/bin/uv"), PLACE, BASE))

    assert (told.fidelity, told.why) == ("needs", "a: one; b: two")


def test_a_pip_that_python_does_not_bring_is_that_of_capsula() -> None:
    pip, without = Pip("/bin/python"), evolve(BASE, brings_pip=False)

    brought, foreign = (pip.installing(PLACE, base, "cached", (Path("/wheels"),)) for base in (BASE, without))

    assert (len(pip.making(PLACE, BASE)), len(pip.making(PLACE, without))) == (2, 1)
    assert brought[:3] == ("/cache/env-1/bin/python", "-I", "-c")
    assert foreign[:7] == ("/bin/python", "-I", "-m", "pip", "--python", "/cache/env-1/bin/python", "install")
    assert "--find-links=/wheels" in brought
    assert "--no-index" in foreign
