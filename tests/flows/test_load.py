"""Finding the configuration, and reading it without surprises."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from returns.result import Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault
from capsula.core.settings import CaptureSettings, Settings
from capsula.flows.load import LARGEST, load

NOBODY = 65534
WITHOUT_CPU = Settings(capture=CaptureSettings(include_cpu=False))

only_for_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")


def around(cwd: Path, environ: Mapping[str, str] | None = None) -> Surroundings:
    return Surroundings(cwd=cwd, environ=environ or {}, argv=(), executable="python")


def told(result: Result[Config, tuple[Fault, ...]]) -> list[str]:
    return [str(mistake) for mistake in result.failure()]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a configuration, and a directory deep in it."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "capsula.toml").write_text("[capture]\ninclude-cpu = false\n")
    return tmp_path


def test_the_search_goes_upwards_and_the_root_is_where_the_file_is(project: Path) -> None:
    here = around(project / "a" / "b")

    config = load(None, here)

    assert config == Success(Config(project, WITHOUT_CPU, here, project / "capsula.toml"))


def test_a_given_directory_is_the_only_one_searched(project: Path) -> None:
    here = around(project)

    config = load(Path("a"), here)

    assert config == Success(Config(project / "a", Settings(), here))


def test_a_given_directory_need_not_be_near(project: Path) -> None:
    here = around(Path("/"))

    assert load(project / "a" / "..", here) == Success(Config(project, WITHOUT_CPU, here, project / "capsula.toml"))


def test_a_search_can_begin_elsewhere_than_in_the_working_directory(project: Path) -> None:
    here = around(Path("/"))

    config = load(None, here, start=project / "a" / "b")

    assert config == Success(Config(project, WITHOUT_CPU, here, project / "capsula.toml"))


def test_a_link_to_a_directory_leads_to_its_real_parents(project: Path) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "link").symlink_to(project / "a" / "b")
    (project / "elsewhere" / "capsula.toml").write_text("")

    config = load(None, around(Path("/")), start=project / "elsewhere" / "link").unwrap()

    assert config.root == project


def test_capsula_toml_wins_in_one_directory(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.capsula]\nzzz = 1\n")

    assert load(None, around(project)).unwrap().file == project / "capsula.toml"


def test_the_nearest_table_in_a_pyproject_wins_over_a_file_further_up(project: Path) -> None:
    (project / "a" / "pyproject.toml").write_text("[tool.capsula]\nvault-directory = 'v'\n")
    here = around(project / "a" / "b")

    config = load(None, here)

    file = project / "a" / "pyproject.toml"
    assert config == Success(Config(project / "a", Settings(vault_directory="v"), here, file))


@pytest.mark.parametrize(
    "content",
    [
        b"[tool.other]\n",
        b"tool = 'capsula'\n",
        b"[project\n# capsula",
        b"\xff\n# capsula",
        b"",
        b"a = " + b"[" * 100_000,
        b"#" * (LARGEST + 1),
    ],
)
def test_a_pyproject_that_is_not_about_capsula_may_hold_anything(project: Path, content: bytes) -> None:
    (project / "a" / "pyproject.toml").write_bytes(content)

    assert load(None, around(project / "a")).unwrap().file == project / "capsula.toml"


def test_a_pyproject_that_is_no_file_does_not_end_the_search(project: Path) -> None:
    (project / "a" / "pyproject.toml").mkdir()
    os.mkfifo(project / "a" / "b" / "pyproject.toml")

    assert load(None, around(project / "a" / "b")).unwrap().file == project / "capsula.toml"


def test_a_broken_pyproject_that_is_about_capsula_is_a_mistake(project: Path) -> None:
    (project / "a" / "pyproject.toml").write_text("[tool.capsula.capture]\ninclude-cpu = \n")

    assert told(load(None, around(project / "a"))) == ["pyproject.toml: line 2, column 15: Invalid value"]


def test_without_a_configuration_the_root_is_the_top_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "repository" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / "worktree").mkdir()
    (tmp_path / "worktree" / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "plain").mkdir()
    places = ["repository/deep/er", "worktree", "plain"]

    configs = [load(None, around(tmp_path / place)) for place in places]

    assert configs == [
        Success(Config(tmp_path / root, Settings(), around(tmp_path / place)))
        for root, place in zip(["repository", "worktree", "plain"], places, strict=True)
    ]


def test_a_given_directory_is_the_root_even_within_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").mkdir()

    assert load(Path("a"), around(tmp_path)) == Success(Config(tmp_path / "a", Settings(), around(tmp_path)))


def test_a_directory_that_cannot_be_used_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    paths = [Path("none"), Path("file"), Path("loop")]

    messages = [told(load(path, around(tmp_path))) for path in paths]

    why = "the directory cannot be used"
    assert messages == [
        [f"{tmp_path}/none: {why}: No such file or directory"],
        [f"{tmp_path}/file: {why}: Not a directory"],
        [f"{tmp_path}/loop: {why}: Too many levels of symbolic links"],
    ]


def test_a_directory_no_file_system_can_name_is_a_mistake(tmp_path: Path) -> None:
    [mistake] = told(load(Path("a\0b"), around(tmp_path)))

    assert mistake.startswith(f"{tmp_path}/a\0b: the directory cannot be used: ")


def test_a_working_directory_that_is_gone_is_a_mistake_unless_there_is_a_configuration_above(tmp_path: Path) -> None:
    gone = around(tmp_path / "gone" / "below")._replace(is_adrift=True)

    alone = load(None, gone)
    (tmp_path / ".git").mkdir()
    in_repository = load(None, gone).unwrap()
    (tmp_path / "capsula.toml").write_text('vault-directory = "kept"')
    configured = load(None, gone).unwrap()

    assert told(alone) == [f"{gone.cwd}: the working directory cannot be used: it was removed, or is closed to you"]
    assert (in_repository.root, in_repository.file) == (tmp_path, None)
    assert (configured.root, configured.vault) == (tmp_path, tmp_path / "kept")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = 1\nb = = 2\n", "line 2, column 5: Invalid value"),
        (b"a = 1\na = 2\n", "line 2, column 6: Cannot overwrite a value"),
        (b"# fine\n# \xe9t\xe9\n", "line 2: not UTF-8"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b".".join([b"a"] * 100_000) + b" = 1", "is nested too deeply"),
        (b"#" * (LARGEST + 1), f"is larger than {LARGEST} bytes"),
    ],
    ids=["syntax", "twice", "latin-1", "deep", "dotted", "large"],
)
def test_a_file_that_cannot_be_read_as_toml_is_one_mistake(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "capsula.toml").write_bytes(content)

    assert told(load(None, around(tmp_path))) == [f"capsula.toml: {reason}"]


def test_a_number_with_too_many_digits_is_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"a = {'1' * 10_000}\n")

    [mistake] = told(load(None, around(tmp_path)))

    assert mistake.startswith("capsula.toml: Exceeds the limit (4300 digits)")


def test_a_byte_order_mark_and_windows_lines_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_bytes(b"\xef\xbb\xbf[capture]\r\ninclude-cpu = false\r\n")

    assert load(None, around(tmp_path)).unwrap().settings == WITHOUT_CPU


def test_what_is_called_like_the_file_and_is_none_is_a_mistake(tmp_path: Path) -> None:
    for name in ["directory", "pipe", "nowhere"]:
        (tmp_path / name).mkdir()
    (tmp_path / "directory" / "capsula.toml").mkdir()
    os.mkfifo(tmp_path / "pipe" / "capsula.toml")
    (tmp_path / "nowhere" / "capsula.toml").symlink_to("none")

    messages = [told(load(Path(name), around(tmp_path))) for name in ["directory", "pipe", "nowhere"]]

    assert messages == [
        ["directory/capsula.toml: Is a directory"],
        ["pipe/capsula.toml: is not a regular file"],
        ["nowhere/capsula.toml: No such file or directory"],
    ]


def test_all_mistakes_are_told_with_file_and_keys(project: Path) -> None:
    (project / "capsula.toml").write_text("vault-directory = '.'\n[capture]\ninclude-cpu = 'false'\n")
    (project / "a" / "pyproject.toml").write_text("[tool.capsula]\nvault_directory = 1\n")

    own = told(load(None, around(project)))
    own_from_afar = told(load(project, around(project / "a")))
    shared = told(load(None, around(project / "a" / "b")))

    assert own == [
        "capsula.toml: capture > include-cpu: expected true or false, found the string 'false'",
        "capsula.toml: vault-directory: '.' is the root directory itself",
    ]
    assert own_from_afar == [f"{project}/{line}" for line in own]
    assert shared == [
        f"{project}/a/pyproject.toml: tool > capsula > vault_directory: unknown key (did you mean 'vault-directory'?)"
    ]


def test_an_absolute_vault_that_holds_the_root_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"vault-directory = '{tmp_path.parent}'\n")

    assert told(load(None, around(tmp_path))) == [
        f"capsula.toml: vault-directory: '{tmp_path.parent}' is a directory that holds the root directory"
    ]


@only_for_root
@pytest.mark.parametrize("name", ["capsula.toml", "pyproject.toml"])
def test_a_configuration_of_another_user_is_refused_unless_its_directory_is_trusted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # so that a relative entry would lead there
    (tmp_path / name).write_text("[tool.capsula]\n" if name == "pyproject.toml" else "")
    os.chown(tmp_path / name, NOBODY, NOBODY)
    trusts = [f"/elsewhere:{tmp_path}/", f"{tmp_path.parent}:{tmp_path}x::."]

    untrusted = told(load(None, around(tmp_path)))
    trusted, mistrusted = [load(None, around(tmp_path, {"CAPSULA_TRUST": trust})) for trust in trusts]

    remedy = f"if you trust it, list its directory, {tmp_path}, in CAPSULA_TRUST"
    assert untrusted == [f"{name}: belongs to another user ({remedy})"]
    assert trusted.unwrap().file == tmp_path / name
    assert told(mistrusted) == untrusted


@only_for_root
def test_a_link_by_another_user_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    (tmp_path / "capsula.toml").symlink_to("mine.toml")
    os.chown(tmp_path / "capsula.toml", NOBODY, NOBODY, follow_symlinks=False)

    [mistake] = told(load(None, around(tmp_path)))

    assert mistake.startswith("capsula.toml: belongs to another user")


@only_for_root
def test_a_pyproject_of_another_user_that_is_not_about_capsula_is_passed_over(project: Path) -> None:
    (project / "a" / "pyproject.toml").write_text("[project]\n")
    os.chown(project / "a" / "pyproject.toml", NOBODY, NOBODY)

    assert load(None, around(project / "a")).unwrap().file == project / "capsula.toml"


@only_for_root
def test_others_accept_what_root_wrote_and_are_told_what_they_may_not_read() -> None:
    with open_directory() as place:
        for name, mode in [("roots", 0o644), ("secret", 0o600)]:
            (place / name).mkdir(mode=0o755)
            (place / name / "capsula.toml").write_text("")
            (place / name / "capsula.toml").chmod(mode)
        (place / "closed").mkdir(mode=0o700)

        with acting_as(NOBODY):
            config = load(Path("roots"), around(place))
            secret, closed = load(Path("secret"), around(place)), load(Path("closed"), around(place))

    assert config.unwrap().file == place / "roots" / "capsula.toml"
    assert told(secret) == ["secret/capsula.toml: Permission denied"]
    assert told(closed) == [f"{place}/closed: the directory cannot be used: Permission denied"]


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter, unlike those of pytest."""
    place = Path(tempfile.mkdtemp()).resolve()
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Take the rights of another user for a while."""
    me = os.geteuid()
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(me)
