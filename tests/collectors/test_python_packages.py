"""Python packages: which interpreter is asked, and what it tells."""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from returns.result import Failure, Success
from uv import find_uv_bin

from capsula.collectors import python_packages
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Remember
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment
from capsula.core.once import once
from capsula.core.settings import Settings
from capsula.effects.asks import started
from capsula.effects.perform import performed
from capsula.engine import collect
from tests.repositories import head, repository
from tests.wheels import environment as environment_of
from tests.wheels import site, wheel

OTHERS = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))


class TestWhatItTells:
    """The answers of real interpreters."""

    def test_the_names_and_versions_are_those_of_the_standard_library(self, tmp_path: Path) -> None:
        distributions = told(collected(surroundings(tmp_path, sys.executable)), "distributions")

        standard = {found.name: found.version for found in importlib.metadata.distributions()}
        assert {name: version_of(facts) for name, facts in distributions.items()} == standard
        assert list(distributions) == sorted(standard, key=lambda name: name.lower().replace("_", "-"))

    def test_an_environment_is_described_by_its_own_interpreter(self, tmp_path: Path) -> None:
        site = environment(tmp_path / "venv")
        metadata(site / "Small_Thing-1.0.dist-info", "Small_Thing", "1.0")
        metadata(site / "Broken-2.0.dist-info", "", "2.0")
        metadata(site / "old-3.0.egg-info", "old", "3.0", file="PKG-INFO")
        (site / "old-2.0.dist-info").mkdir()  # as an installer leaves it that could not remove all
        (site / "single-4.0.egg-info").write_text("Metadata-Version: 1.0\nName: single\nVersion: 4.0\n\nVersion: 5\n")
        python = str(tmp_path / "venv" / "bin" / "python")

        fragment = collected(surroundings(tmp_path, python)).unwrap()

        broken = f"{site / 'Broken-2.0.dist-info'} tells no name and version"
        place = ("distributions", "Broken")
        assert told(Success(fragment), "distributions") == {
            "old": {"version": "3.0"},
            "single": {"version": "4.0"},
            "Small_Thing": {"version": "1.0"},
        }
        assert fragment.faults == (Fault("broken", broken, "install the package again, or remove this", place),)
        described = told(Success(fragment), "interpreter")
        keys = ("executable", "version", "prefix", "base_prefix", "cache_tag", "how", "path")
        assert {key: described[key] for key in keys} == {
            "executable": python,
            "version": sys.version.split()[0],
            "prefix": str(tmp_path / "venv"),
            "base_prefix": sys.base_prefix,
            "cache_tag": sys.implementation.cache_tag,
            "how": "command",
            "path": search_path(python),
        }

    def test_where_a_package_came_from_is_told_without_secrets(self, tmp_path: Path) -> None:
        site = environment(tmp_path / "venv")
        origin(site, "editable", '{"url": "file:///there", "dir_info": {"editable": true}}')
        origin(site, "local", '{"url": "file:///there", "dir_info": {}, "subdirectory": "below"}')
        origin(
            site,
            "repository",
            '{"url": "https://user:secret@host/a@b", "vcs_info":'
            ' {"vcs": "git", "commit_id": "1234", "requested_revision": "main"}}',
        )
        origin(site, "shell", '{"url": "ssh://git@host/a", "vcs_info": {"vcs": "git", "commit_id": "1234"}}')
        origin(
            site, "wheel", '{"url": "https://host/a.whl", "archive_info": {"hash": "x", "hashes": {"sha256": "abc"}}}'
        )
        origin(site, "torn", '{"url": "https://user:sec')
        (tmp_path / "checkout").mkdir()
        metadata(tmp_path / "checkout" / "linked.egg-info", "linked", "1.0", file="PKG-INFO")
        (site / "linked.egg-link").write_text(f"{tmp_path / 'checkout'}\n.")
        (site / "easy-install.pth").write_text(f"{tmp_path / 'checkout'}\n")

        answer = collected(surroundings(tmp_path, str(tmp_path / "venv" / "bin" / "python")))

        assert told(answer, "distributions") == {
            "editable": {"version": "1.0", "url": "file:///there", "editable": True},
            "linked": {
                "version": "1.0",
                "location": str(tmp_path / "checkout"),
                "url": (tmp_path / "checkout").as_uri(),
                "editable": True,
            },
            "local": {"version": "1.0", "url": "file:///there", "subdirectory": "below", "editable": False},
            "repository": {
                "version": "1.0",
                "url": "https://host/a@b",
                "vcs": "git",
                "commit_id": "1234",
                "requested_revision": "main",
            },
            "shell": {"version": "1.0", "url": "ssh://git@host/a", "vcs": "git", "commit_id": "1234"},
            "torn": {"version": "1.0"},
            "wheel": {"version": "1.0", "url": "https://host/a.whl", "hash": "sha256=abc"},
        }
        (fault,) = answer.unwrap().faults
        assert (fault.kind, fault.path) == ("unexpected", ("distributions", "torn", "url"))

    def test_the_first_on_the_path_is_the_one_that_counts(self, tmp_path: Path) -> None:
        site = environment(tmp_path / "venv")
        metadata(site / "some_thing-1.0.dist-info", "some_thing", "1.0")
        metadata(tmp_path / "before" / "Some.Thing-2.0.dist-info", "Some.Thing", "2.0")
        command = (str(tmp_path / "venv" / "bin" / "python"),)
        environ = {"PYTHONPATH": str(tmp_path / "before")}

        seen = collected(surroundings(tmp_path, *command, environ=environ))
        isolated = collected(surroundings(tmp_path, *command, "-I", "run.py", environ=environ))

        location = str(tmp_path / "before")
        assert told(seen, "distributions") == {"Some.Thing": {"version": "2.0", "location": location}}
        assert told(isolated, "distributions") == {"some_thing": {"version": "1.0"}}

    def test_what_shadows_the_library_or_prints_at_the_start_does_no_harm(self, tmp_path: Path) -> None:
        site = environment(tmp_path / "venv")
        (site / "sitecustomize.py").write_text("print('good morning')\nimport atexit\natexit.register(print, 'bye')\n")
        (tmp_path / "path").mkdir()
        for directory in (tmp_path, tmp_path / "path"):
            (directory / "json.py").write_text("raise SystemExit('a module of the user was imported')")
        environ = {"PYTHONPATH": str(tmp_path / "path"), "PYTHONIOENCODING": "utf-16"}

        answer = collected(surroundings(tmp_path, str(tmp_path / "venv" / "bin" / "python"), environ=environ))

        assert told(answer, "distributions") == {}

    def test_nothing_is_written_beside_the_packages(self, tmp_path: Path) -> None:
        site = environment(tmp_path / "venv")
        (site / "sitecustomize.py").write_text("")
        before = sorted(tmp_path.rglob("*")), site.stat().st_mtime_ns

        collected(surroundings(tmp_path, str(tmp_path / "venv" / "bin" / "python"))).unwrap()

        assert (sorted(tmp_path.rglob("*")), site.stat().st_mtime_ns) == before

    @pytest.mark.parametrize("python", OTHERS, ids=lambda python: python.parts[-3])
    def test_other_interpreters_answer_or_say_that_they_are_too_old(self, python: Path, tmp_path: Path) -> None:
        answer = collected(surroundings(tmp_path, str(python), "run.py"))

        name = python.parts[-3]
        if name.startswith("2."):
            reason = f"{python} ended with status 1: SyntaxError: invalid syntax"
            assert answer == Failure(Fault("failed", reason, "only Python 3.6 or later can tell its packages"))
        else:
            assert told(answer, "interpreter")["version"] == name
            assert "pip" in told(answer, "distributions")

    def test_what_is_no_python_is_a_fault(self, tmp_path: Path) -> None:
        liar = program(tmp_path / "python", "#!/bin/sh\necho hello\n")

        answers = [collected(surroundings(tmp_path, name)) for name in (str(liar), "python3.99")]

        remedy = "only Python 3.6 or later can tell its packages"
        assert answers == [
            Failure(Fault("unexpected", "what was asked did not answer as a Python interpreter does", remedy)),
            Failure(Fault("not found", "python3.99: no such program")),
        ]


class TestContent:
    """Digests tell what is installed, not who installed it; and they are computed once."""

    @pytest.fixture
    def thing(self, tmp_path: Path) -> Path:
        files = {"thing/__init__.py": "ONE = 1\n", 'thing/odd, "name".txt': "odd\n", "thing_plugin.py": ""}
        return wheel(tmp_path / "wheels", "thing", "1.0", files, scripts={"thing": "thing:run"})

    def test_twins_of_two_installers_are_equal(self, thing: Path, tmp_path: Path) -> None:
        by_pip = environment_of(tmp_path / "pip", thing)
        by_uv = environment_of(tmp_path / "uv")
        subprocess.run([find_uv_bin(), "-q", "pip", "install", "--offline", "--python", by_uv, thing], check=True)
        subprocess.run([by_pip, "-c", "import thing"], check=True)  # and so compiles it

        digests = [digest(tmp_path, program, "thing") for program in (by_pip, by_uv)]

        assert digests[0] == digests[1]
        assert len(digests[0]) == 64

    def test_other_content_of_one_version_has_another_digest(self, thing: Path, tmp_path: Path) -> None:
        other = wheel(tmp_path / "other", "thing", "1.0", {"thing/__init__.py": "ONE = 2\n"})
        first, second = environment_of(tmp_path / "first", thing), environment_of(tmp_path / "second", other)

        assert digest(tmp_path, first, "thing") != digest(tmp_path, second, "thing")

    def test_what_lists_no_hashes_has_no_digest(self, tmp_path: Path) -> None:
        folder = environment(tmp_path / "venv")
        metadata(folder / "without-1.0.dist-info", "without", "1.0")
        (metadata(folder / "bare-1.0.dist-info", "bare", "1.0") / "RECORD").write_text("bare.py,,\n")
        (metadata(folder / "torn-1.0.dist-info", "torn", "1.0") / "RECORD").write_bytes(b'"torn\xff,\0')

        answer = collected(surroundings(tmp_path, str(tmp_path / "venv" / "bin" / "python")))

        assert told(answer, "distributions") == {key: {"version": "1.0"} for key in ("bare", "torn", "without")}

    def test_a_second_look_reads_no_record(self, thing: Path, tmp_path: Path) -> None:
        program = environment_of(tmp_path / "venv", thing)
        record = settled(site(program) / "thing-1.0.dist-info" / "RECORD")
        asking = surroundings(tmp_path, str(program), environ={"XDG_CACHE_HOME": str(tmp_path / "cache")})

        first = collected(asking).unwrap()
        performed(digests(first), tmp_path)
        second = collected(asking).unwrap()
        (memory,) = (tmp_path / "cache" / "capsula" / "digests").iterdir()
        known = json.loads(memory.read_text())
        memory.write_text(json.dumps({place: [stamp, "remembered"] for place, (stamp, _) in known.items()}))
        third = collected(asking).unwrap()

        assert len(digests(first)) == 1
        assert known.keys() == {str(record.parent)}
        assert (second.facts, digests(second)) == (first.facts, [])
        assert '"remembered"' in json.dumps(third.facts)

    def test_a_changed_record_is_read_again(self, thing: Path, tmp_path: Path) -> None:
        program = environment_of(tmp_path / "venv", thing)
        record = settled(site(program) / "thing-1.0.dist-info" / "RECORD")
        asking = surroundings(tmp_path, str(program), environ={"XDG_CACHE_HOME": str(tmp_path / "cache")})
        first = collected(asking).unwrap()
        performed(first.effects, tmp_path)
        times = record.stat().st_atime_ns, record.stat().st_mtime_ns
        record.write_text(record.read_text().replace("thing_plugin", "thing_plugim"))
        os.utime(record, ns=times)

        second = collected(asking).unwrap()

        assert told(Success(first), "distributions") != told(Success(second), "distributions")

    @pytest.mark.parametrize("content", [b"\xff", b"[]", b"{", b'{"a": 1}', b'{"a": ["b", 2]}', None])
    def test_a_broken_memory_does_no_harm_and_is_mended(
        self, content: bytes | None, thing: Path, tmp_path: Path
    ) -> None:
        program = environment_of(tmp_path / "venv", thing)
        settled(site(program) / "thing-1.0.dist-info" / "RECORD")
        asking = surroundings(tmp_path, str(program), environ={"XDG_CACHE_HOME": str(tmp_path / "cache")})
        (effect,) = digests(collected(asking).unwrap())
        effect.file.parent.mkdir(parents=True)
        if content is None:
            effect.file.mkdir()
        else:
            effect.file.write_bytes(content)

        fragment = collected(asking).unwrap()

        assert digests(fragment) == [effect]
        assert "digest" in str(told(Success(fragment), "distributions"))

    def test_the_memory_of_another_user_is_not_believed(self, thing: Path, tmp_path: Path) -> None:
        if os.geteuid():
            pytest.skip("needs: root")
        program = environment_of(tmp_path / "venv", thing)
        settled(site(program) / "thing-1.0.dist-info" / "RECORD")
        asking = surroundings(tmp_path, str(program), environ={"XDG_CACHE_HOME": str(tmp_path / "cache")})
        first = collected(asking).unwrap()
        performed(first.effects, tmp_path)
        for memory in (tmp_path / "cache" / "capsula").glob("*/*"):
            os.chown(memory, 12345, 12345)

        second = collected(asking).unwrap()

        assert (second.facts, digests(second)) == (first.facts, digests(first))

    def test_an_answer_is_remembered_and_nobody_is_asked_again(self, tmp_path: Path) -> None:
        asking = surroundings(tmp_path, sys.executable, environ=cached(tmp_path))
        first = remembering(collected(asking))

        questions = python_packages.asks(Config(tmp_path, Settings(), asking))
        second = collected(asking).unwrap()

        assert (questions, second.facts, second.effects) == ((), first.facts, ())

    def test_what_is_not_asked_is_told_even_if_another_run_has_it_forgotten_meanwhile(self, tmp_path: Path) -> None:
        asking = surroundings(tmp_path, sys.executable, environ=cached(tmp_path))
        first = remembering(collected(asking))
        config = Config(tmp_path, Settings(), asking, reader=once())

        questions = python_packages.asks(config)
        (memory,) = tmp_path.rglob("interpreters/*.json")
        memory.unlink()
        fragment = collect({"python_packages": python_packages.collect}, config)

        assert (questions, fragment.facts, fragment.faults) == ((), {"python_packages": first.facts}, ())

    @pytest.mark.parametrize("changed", ["package", "metadata", "link", "configuration", "variable"])
    def test_an_answer_holds_no_longer_than_what_it_was_learned_from(self, changed: str, tmp_path: Path) -> None:
        packages = environment(tmp_path / "environment")
        python = tmp_path / "environment" / "bin" / "python"
        metadata, link = packages / "thing-1.dist-info" / "METADATA", packages / "known.pth"
        for file, text in ((metadata, "Name: thing\nVersion: 1\n"), (link, "")):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        settled(link)
        asking = surroundings(tmp_path, str(python), environ=cached(tmp_path))
        remembering(collected(asking))
        known = python_packages.asks(Config(tmp_path, Settings(), asking))
        match changed:
            case "package":
                (packages / "other-2.dist-info").mkdir()
            case "metadata":
                metadata.write_text("Name: thing\nVersion: 2\n")
            case "link":
                link.write_text(f"{tmp_path}\n")
            case "configuration":
                (tmp_path / "environment" / "pyvenv.cfg").touch()
            case "variable":
                asking = asking._replace(environ={**asking.environ, "PYTHONPATH": str(tmp_path)})

        questions = python_packages.asks(Config(tmp_path, Settings(), asking))

        assert (known, [question.argv[0] for question in questions]) == ((), [str(python)])

    def test_a_script_that_finds_the_interpreter_is_asked_each_time(self, tmp_path: Path) -> None:
        python = program(tmp_path / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        asking = surroundings(tmp_path, str(python), environ=cached(tmp_path))
        remembering(collected(asking))

        questions = python_packages.asks(Config(tmp_path, Settings(), asking))

        assert len(questions) == 1

    def test_a_cache_that_cannot_be_written_costs_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("no directory")

        answers = performed([Remember(tmp_path / "cache" / "capsula" / "digests" / "a.json", b"{}")], tmp_path)

        assert answers == [((), Success(Fragment()))]

    def test_without_a_home_nothing_is_remembered(self, thing: Path, tmp_path: Path) -> None:
        program = environment_of(tmp_path / "venv", thing)

        assert collected(surroundings(tmp_path, str(program))).unwrap().effects == ()

    def test_a_link_to_a_source_is_told_with_its_files_and_the_state_of_its_repository(self, tmp_path: Path) -> None:
        source = repository(tmp_path / "source", {"linked.py": b""})
        (source / "new.py").touch()
        folder = environment(tmp_path / "venv")
        place = metadata(folder / "linked-1.0.dist-info", "linked", "1.0")
        (place / "direct_url.json").write_text(json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}}))
        (place / "entry_points.txt").write_text("[console_scripts]\nlinked = linked:run\n")
        (folder / "linked.pth").write_text(f"{source}\n")
        (place / "RECORD").write_text("linked.pth,sha256=abc,1\n../../bin/linked.py,,\nlinked-1.0.dist-info/RECORD,,\n")
        asking = surroundings(tmp_path, str(tmp_path / "venv" / "bin" / "python"))

        elsewhere = told(collected(asking), "distributions")
        at_home = told(collected(asking._replace(cwd=source)), "distributions")

        facts = {
            "version": "1.0",
            "files": {
                "linked.pth": f"{source}\n",
                "linked-1.0.dist-info/entry_points.txt": "[console_scripts]\nlinked = linked:run\n",
            },
            "url": source.as_uri(),
            "editable": True,
        }
        state = {"path": str(source), "sha": head(source)}
        assert elsewhere == {"linked": {**facts, "repository": {**state, "dirty": True}}}
        assert at_home == {"linked": {**facts, "repository": state}}


def digest(cwd: Path, program: Path, name: str) -> str:
    facts = told(collected(surroundings(cwd, str(program))), "distributions")[name]
    assert isinstance(facts, Mapping)
    return str(facts["digest"])


def cached(directory: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(directory / "cache")}


def digests(fragment: Fragment) -> list[Remember]:
    effects = [effect for effect in fragment.effects if isinstance(effect, Remember)]
    return [effect for effect in effects if effect.file.parent.name == "digests"]


def remembering(answer: Answer) -> Fragment:
    """Return what was told, once what it is to be remembered by is written."""
    fragment = answer.unwrap()
    performed(fragment.effects, Path(os.devnull))
    return fragment


def settled(record: Path) -> Path:
    """Return a file once its state is older than the time in which a file may change without showing it."""
    while time.time() - record.stat().st_ctime <= 1:
        time.sleep(0.05)
    return record


def surroundings(cwd: Path, *argv: str, environ: Mapping[str, str] | None = None) -> Surroundings:
    return Surroundings(cwd, {"PATH": str(cwd / "nothing"), **(environ or {})}, argv, sys.executable)


def collected(asking: Surroundings) -> Answer:
    config = Config(asking.cwd, Settings(), asking)
    with started(python_packages.asks(config), asking.environ, asking.cwd) as answers:
        return python_packages.collect(config._replace(answers=answers))


def told(answer: Answer, part: str) -> Mapping[str, Json]:
    facts = answer.map(lambda fragment: fragment.facts).unwrap()
    assert isinstance(facts, Mapping)
    told = facts[part]
    assert isinstance(told, Mapping)
    return told


def version_of(facts: Json) -> Json:
    assert isinstance(facts, Mapping)
    return facts["version"]


def program(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def environment(directory: Path) -> Path:
    """Make a virtual environment without any package, and return its site directory."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    (site,) = directory.glob("lib/python*/site-packages")
    return site


def search_path(python: str) -> list[str]:
    """Return where this interpreter looks for modules, besides the working directory."""
    command = [python, "-c", "import sys; print(*sys.path[1:], sep='\\n')"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def metadata(place: Path, name: str, version: str, file: str = "METADATA") -> Path:
    place.mkdir(parents=True)
    (place / file).write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: of the description\n"
    )
    return place


def origin(site: Path, name: str, direct_url: str) -> None:
    place = metadata(site / f"{name}-1.0.dist-info", name, "1.0")
    (place / "direct_url.json").write_text(direct_url)
