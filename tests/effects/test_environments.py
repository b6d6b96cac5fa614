"""Environments: built from wheels made by hand, by both installers, and used only when they are whole."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from attrs import evolve
from returns.result import Failure

from capsula.collectors import python_packages
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Json
from capsula.core.settings import Settings
from capsula.effects.asks import started
from capsula.effects.environments import MARK, Environment, Order, built, foreseen, is_as_it_was
from capsula.effects.installers import installer
from capsula.restorers.building import Installer, Pip, Prospect
from capsula.restorers.python_packages import Difference, Link, Own, Pin, Python, Recipe, recipe
from tests.wheels import environment, site, wheel

STRANGER = 65_432
HERE = Python(sys.version.split()[0], sys.implementation.name)

BUILD = """
import json, sys
from pathlib import Path
from capsula.core.config import Surroundings
from capsula.effects.environments import Order, built
from capsula.restorers.building import Pip
from capsula.restorers.python_packages import Pin, Python, Recipe
place, wheels, digest, environ, by_pip = json.loads(sys.argv[1])
recipe = Recipe(Python(sys.version.split()[0], sys.implementation.name), (Pin("thing", "1.0", digest),))
here = Surroundings(Path(place).parent, environ, (), sys.executable)
order = Order(recipe, Path(place), here, True, (Path(wheels),), installer=Pip(sys.executable) if by_pip else None)
print(built(order).unwrap().is_new)
"""


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    files = {"thing/__init__.py": "def run():\n    import sys\n    print('ran', sys.argv[1:])\n"}
    return wheel(tmp_path / "wheels", "thing", "1.0", files, scripts={"thing": "thing:run"})


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """An order of nothing, offline, for a user who has nothing."""
    place = tmp_path / "environments"
    return Order(Recipe(HERE), place, surroundings(tmp_path), offline=True, wheels=(tmp_path / "wheels",))


@pytest.fixture(params=["uv", pytest.param("pip", marks=pytest.mark.slow)])
def by(request: pytest.FixtureRequest, tmp_path: Path) -> Installer:
    chosen = installer(surroundings(tmp_path)) if request.param == "uv" else Pip(sys.executable)
    assert chosen.name == request.param
    return chosen


def belongs_to_another(place: Path) -> None:
    place.mkdir()
    os.chown(place, STRANGER, -1)


def is_below_anothers(place: Path) -> None:
    os.chown(place.parent, STRANGER, -1)


def leads_to_anothers(place: Path) -> None:
    belongs_to_another(place.with_name("elsewhere"))
    place.symlink_to("elsewhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
@pytest.mark.parametrize("flaw", [belongs_to_another, is_below_anothers, leads_to_anothers])
def test_where_another_user_could_put_what_is_run_nothing_is_built(flaw: Callable[[Path], None], order: Order) -> None:
    flaw(order.place)
    planted = order.place / "planted"
    planted.mkdir(parents=True)

    refused = built(order).failure()

    assert (refused.kind, refused.message.endswith("belongs to another user")) == ("unsafe", True)
    assert [*order.place.iterdir()] == [planted]


@pytest.mark.parametrize("name", ["python3", "../../usr/bin/python3", "python3\n"])
def test_no_program_that_a_capsule_names_is_run_to_see_what_it_is(name: str, tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'canary'}'\n")
    program.chmod(0o755)
    named = {"interpreter": {"executable": f"{tmp_path}/{name}"}}
    climbing = {"interpreter": {"executable": f"/usr/bin/../..{program}"}}

    told = [is_as_it_was(it, surroundings(tmp_path)) for it in (named, climbing)]

    assert (told, (tmp_path / "canary").exists()) == ([False, False], False)


def test_what_was_recorded_is_built_again_and_then_found(
    thing: Path, by: Installer, order: Order, tmp_path: Path
) -> None:
    recorded = environment(tmp_path / "recorded", thing, wheel(tmp_path / "wheels", "Other_Thing", "2.0", {"o.py": ""}))
    wanted = recipe(facts(recorded), {}).unwrap()
    shutil.rmtree(tmp_path / "recorded")
    order = evolve(order, recipe=wanted, installer=by)

    first = built(order).unwrap()
    second = built(order).unwrap()

    assert [pin.requirement for pin in wanted.pins] == ["Other_Thing==2.0", "thing==1.0"]
    assert (first.why, first.differences, first.is_new) == ((), (), True)
    assert second == evolve(first, is_new=False)
    assert facts_of(first) == {name: {"version": pin.version, "digest": pin.digest} for name, pin in by_name(wanted)}
    assert output(first.directory / "bin" / "thing", "a") == "ran ['a']\n"


def test_every_package_that_cannot_be_had_is_named_and_nothing_is_left(
    thing: Path, by: Installer, order: Order
) -> None:
    wanted = Recipe(HERE, (Pin("gone", "1.0"), Pin("thing", "1.0"), Pin("lost", "3.0")))

    answer = built(evolve(order, recipe=wanted, installer=by))

    assert isinstance(answer, Failure)
    fault = answer.failure()
    assert (fault.kind, fault.message.partition(" (")[0]) == (
        "unavailable",
        "these 2 packages cannot be had: gone==1.0, lost==3.0",
    )
    assert [path.suffix for path in order.place.iterdir()] == [".lock"]


def test_the_same_version_with_other_content_is_told_each_time(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0", digest="another"),)))

    told = [built(order).unwrap() for _ in range(2)]

    content = Difference("thing", "content", "1.0", "1.0")
    assert [(each.differences, each.is_new) for each in told] == [((content,), True), ((content,), False)]
    assert str(content) == "thing 1.0 has other content"


def test_where_a_file_that_was_installed_is_gone_the_same_version_will_do(thing: Path, order: Order) -> None:
    gone = Pin("thing", "1.0", origin=(order.place / "gone" / thing.name).as_uri())

    assert built(evolve(order, recipe=Recipe(HERE, (gone,)))).unwrap().differences == ()


def test_an_environment_that_was_changed_is_built_anew(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    first = built(order).unwrap()
    shutil.rmtree(site(first.program) / "thing-1.0.dist-info")

    second = built(order).unwrap()

    assert second == evolve(first, directory=second.directory)
    assert (site(second.program) / "thing-1.0.dist-info").is_dir()


def test_a_module_that_was_edited_behind_all_dates_is_noticed(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    module = site(built(order).unwrap().program) / "thing" / "__init__.py"
    text, state = module.read_text(), module.stat()
    module.write_text(text.replace("ran", "RAN"))
    os.utime(module, ns=(state.st_atime_ns, state.st_mtime_ns))

    again = built(order).unwrap()

    assert (again.is_new, again.differences) == (True, ())
    assert output(again.directory / "bin" / "thing") == "ran []\n"


@pytest.mark.parametrize("name", ["sitecustomize.py", "evil.pth", "thing/extra.py", "thing/__init__.pyc"])
def test_a_file_that_was_added_is_noticed(name: str, thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    (site(built(order).unwrap().program) / name).write_text("")

    assert built(order).unwrap().is_new


def test_an_edit_reaches_no_other_environment(thing: Path, order: Order) -> None:
    one = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    other = evolve(one, place=order.place.with_name("others"))
    with open(site(built(one).unwrap().program) / "thing" / "__init__.py", "a") as module:
        module.write("raise SystemExit('edited')\n")

    assert output(built(other).unwrap().directory / "bin" / "thing") == "ran []\n"


def test_what_is_not_as_its_own_record_says_is_told(order: Order, tmp_path: Path) -> None:
    whole = wheel(tmp_path / "true", "thing", "1.0", {"thing.py": "VALUE = 1\n"})
    forged = tmp_path / "wheels" / whole.name
    forged.parent.mkdir()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"VALUE = 1", b"VALUE = 2"))
    recorded = facts(environment(tmp_path / "recorded", whole))

    answer = built(evolve(order, recipe=recipe(recorded, {}).unwrap())).unwrap()

    assert answer.differences == (Difference("thing", "content", "1.0", "1.0"),)


def test_an_environment_that_is_in_use_is_left_to_its_user(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    used, unused = built(order).unwrap(), []
    (site(used.program) / "edit.py").write_text("")
    unused.append(built(order).unwrap())
    (site(unused[0].program) / "edit.py").write_text("")
    gone = unused.pop().directory

    last = built(order).unwrap()

    assert used.directory.is_dir()
    assert not gone.exists()
    assert last.directory not in (used.directory, gone)


def test_environments_that_nobody_used_for_long_are_removed_and_those_in_use_never(thing: Path, order: Order) -> None:
    orders = [evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0", digest=str(each)),))) for each in range(3)]
    places = [built(each).unwrap().directory for each in orders[:2]]
    used = built(orders[0]).unwrap()
    for place in places:
        os.utime(place / MARK, (0, 0))

    built(orders[2]).unwrap()

    assert [place.exists() for place in places] == [True, False]
    assert used.directory == places[0]


def test_what_is_foreseen_is_what_is_built(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))

    before = foreseen(order)
    environment = built(order).unwrap()
    after = foreseen(order)

    assert (before.is_built, before.directory, before.lacking) == (False, environment.directory, ())
    assert before.base == after.base
    assert after == Prospect(order.by, environment.directory, before.base, is_built=True)


def test_what_cannot_be_had_offline_is_foreseen(thing: Path, by: Installer, order: Order) -> None:
    wanted = Recipe(HERE, (Pin("gone", "1.0"), Pin("thing", "1.0"), Pin("lost", "3.0")))

    prospect = foreseen(evolve(order, recipe=wanted, installer=by))

    assert prospect.lacking == ("gone==1.0", "lost==3.0")
    assert not order.place.exists()


def test_a_python_that_is_nowhere_is_foreseen(order: Order) -> None:
    assert foreseen(evolve(order, recipe=Recipe(Python("3.99.1", "cpython")))).base is None


def test_an_environment_that_was_only_run_is_not_built_anew(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    first = built(order).unwrap()
    subprocess.run([first.program, "-c", "import thing"], check=True)

    assert not built(order).unwrap().is_new


@pytest.mark.parametrize("mark", [b"", b"{}", b"\xff", b'{"stamp": "", "differences": [{"x": 1}]}'])
def test_a_broken_mark_is_no_mark(mark: bytes, thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    (built(order).unwrap().directory / MARK).write_bytes(mark)

    assert built(order).unwrap().is_new


def test_the_python_of_an_environment_may_vanish(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    first = built(order).unwrap()
    first.program.unlink()
    first.program.symlink_to("/nowhere/python")

    second = built(order).unwrap()

    assert second == evolve(first, directory=second.directory)


def test_what_a_killed_builder_left_is_never_used(thing: Path, order: Order, tmp_path: Path) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)))
    with building(order, tmp_path / "wheels", by_pip=True) as builder:
        appeared(builder, order.place, "*/bin/python")
        builder.kill()
    (left,) = (path for path in order.place.iterdir() if path.is_dir())

    environment = built(order).unwrap()

    assert (environment.is_new, environment.differences) == (True, ())
    assert not left.exists()


def test_of_two_builders_one_builds_and_both_use_it(thing: Path, order: Order, tmp_path: Path) -> None:
    with building(order, tmp_path / "wheels") as one, building(order, tmp_path / "wheels") as other:
        told = sorted(builder.communicate()[0] for builder in (one, other))

    assert told == [b"False\n", b"True\n"]


@pytest.mark.slow
def test_a_builder_does_not_wait_for_ever(thing: Path, order: Order, tmp_path: Path) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)), time_limit=0.2)
    with building(order, tmp_path / "wheels", by_pip=True) as builder:
        appeared(builder, order.place, "*/pyvenv.cfg")

        answer = built(order)

    assert answer.failure().kind == "busy"


def test_a_link_leads_to_where_its_source_stands_now(order: Order, tmp_path: Path) -> None:
    source = tmp_path / "now" / "source"
    source.mkdir(parents=True)
    (source / "linked.py").write_text("class Main:\n    @staticmethod\n    def run():\n        print('here')\n")
    scripts = (
        "[other]\nx = y:z\n\n[console_scripts]\nlinked = linked:Main.run [extra]\nbad name = a:b\n\n[a]\nb = c:d\n"
    )
    recorded: Json = {
        "interpreter": {"version": HERE.version, "implementation": HERE.implementation},
        "distributions": {
            "Linked-One": {
                "version": "1.0",
                "editable": True,
                "url": "file:///then/source",
                "files": {"linked.pth": "/then/source\n", "Linked_One-1.0.dist-info/entry_points.txt": scripts},
            }
        },
    }
    wanted = recipe(recorded, {"/then": tmp_path / "now"}).unwrap()

    environment = built(evolve(order, recipe=wanted)).unwrap()

    assert environment.differences == ()
    assert {path.name for path in (environment.directory / "bin").iterdir()} >= {"linked", "python"}
    assert output(environment.directory / "bin" / "linked") == "here\n"
    question = "import importlib.metadata as m, linked; print(m.version('linked-one'), linked.__file__)"
    assert output(environment.program, "-c", question) == f"1.0 {source / 'linked.py'}\n"
    again = recipe(facts(environment.program), {str(tmp_path / "now"): tmp_path / "now"}).unwrap()
    assert [(link.name, link.source, sorted(link.files)) for link in again.links] == [
        ("Linked-One", source, ["Linked_One-1.0.dist-info/entry_points.txt", "linked.pth"])
    ]


def test_a_package_that_stands_elsewhere_is_found_and_known_for_a_link(order: Order, tmp_path: Path) -> None:
    package = tmp_path / "running" / "capsula"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    lent = Link("capsula", "1.0", {}, package.parent, package)

    environment = built(evolve(order, recipe=Recipe(HERE, links=(lent,)))).unwrap()

    assert environment.differences == ()
    assert output(environment.program, "-I", "-c", "import capsula; print(capsula.__path__[0])") == (
        f"{site(environment.program) / 'capsula'}\n"
    )
    assert recipe(facts(environment.program), {}, Own("1.0", package)).unwrap().links == (lent,)


def test_another_patch_version_is_told(thing: Path, order: Order) -> None:
    recorded = evolve(HERE, version=f"{HERE.version}9")
    order = evolve(order, recipe=Recipe(recorded, (Pin("thing", "1.0"),)))

    told = [built(order).unwrap() for _ in range(2)]

    why = (f"Python {HERE.version} stands in for {recorded.version}, which is not on this machine",)
    assert [(each.why, each.is_new) for each in told] == [(why, True), (why, False)]


def test_without_a_python_of_its_kind_nothing_is_built(order: Order) -> None:
    answer = built(evolve(order, recipe=Recipe(Python("3.99.1", "cpython"))))

    assert answer.map(lambda _: "").failure().kind == "unavailable"
    assert not order.place.exists()


def test_what_the_user_forbids_or_turns_does_not_reach_the_installer(thing: Path, by: Installer, order: Order) -> None:
    turning = {
        "PIP_TARGET": "/nowhere",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "UV_PYTHON": "3.99",
        "UV_SYSTEM_PYTHON": "1",
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/nowhere",
        "VIRTUAL_ENV": "/nowhere",
    }
    around = order.surroundings._replace(environ={**order.surroundings.environ, **turning})
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)), installer=by, surroundings=around)

    assert built(order).unwrap().differences == ()


@pytest.mark.parametrize(("version", "flags"), [("3.6.15", "m"), ("3.8.18", ""), ("3.13.0", "")])
def test_an_environment_of_another_python_is_of_that_python(
    version: str, flags: str, thing: Path, order: Order
) -> None:
    root = Path.home() / ".pyenv"
    if not (root / "versions" / version).is_dir():
        pytest.skip(f"needs: Python {version}")
    python = Python(version, "cpython", flags)
    around = order.surroundings._replace(environ={**order.surroundings.environ, "PYENV_ROOT": str(root)})

    environment = built(evolve(order, recipe=Recipe(python, (Pin("thing", "1.0"),)), surroundings=around)).unwrap()

    assert (environment.why, environment.differences) == ((), ())
    assert output(environment.program, "--version") == f"Python {version}\n"
    assert output(environment.directory / "bin" / "thing") == "ran []\n"


def test_an_installer_that_is_late_is_ended(thing: Path, order: Order) -> None:
    order = evolve(order, recipe=Recipe(HERE, (Pin("thing", "1.0"),)), installer=Pip(sys.executable), time_limit=0.1)

    assert built(order).failure().kind == "timeout"


def surroundings(tmp_path: Path) -> Surroundings:
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(tmp_path)}
    return Surroundings(tmp_path, environ, (), sys.executable)


def facts(program: Path) -> Json:
    asking = Surroundings(program.parent, {"PATH": os.defpath}, (str(program), "-I", "-"), sys.executable)
    config = Config(program.parent, Settings(), asking)
    with started(python_packages.asks(config), asking.environ, asking.cwd) as answers:
        return python_packages.collect(config._replace(answers=answers)).unwrap().facts


def facts_of(environment: Environment) -> Json:
    told = facts(environment.program)
    assert isinstance(told, dict)
    distributions: Json = told["distributions"]
    return distributions


def by_name(wanted: Recipe) -> Iterator[tuple[str, Pin]]:
    return ((pin.name, pin) for pin in wanted.pins)


def output(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, env={"PATH": os.defpath}).stdout


class building(subprocess.Popen[bytes]):  # noqa: N801
    """A process that builds an environment with the thing in it."""

    def __init__(self, order: Order, wheels: Path, *, by_pip: bool = False) -> None:
        told = [str(order.place), str(wheels), "", dict(order.surroundings.environ), by_pip]
        super().__init__([sys.executable, "-c", BUILD, json.dumps(told)], stdout=subprocess.PIPE)


def appeared(builder: building, place: Path, pattern: str) -> None:
    late = monotonic() + 60
    while not any(place.glob(pattern)):
        assert builder.poll() is None
        assert monotonic() < late
        sleep(0.01)
