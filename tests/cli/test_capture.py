"""``capsula capture``, run as a person does."""

import hashlib
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.repositories import git, repository
from tests.running import PLAIN, behind, capsula, capsules, document, faults, files, only_capsule


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit and a configuration that captures little."""
    return repository(tmp_path / "project", {"capsula.toml": PLAIN.encode(), "code.py": b"print(1)\n"})


def configure(project: Path, text: str) -> None:
    (project / "capsula.toml").write_text(text)


def test_what_fails_costs_only_itself_and_a_line_on_standard_error(project: Path) -> None:
    configure(
        project,
        f"""
{PLAIN}
environment-variables = ["HOME", "UNSET_VARIABLE"]
[capture.files]
"missing.csv" = {{ hash = "sha256", copy = true }}
"code.py" = {{ hash = "sha256" }}
[capture.git.repositories]
code = "."
elsewhere = ".."
""",
    )

    done = capsula("capture", cwd=project, HOME="/home/user")

    context = document(only_capsule(project), "context.json")
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["capsula"] * 3
    assert faults(context) == [
        (("environment_variables", "UNSET_VARIABLE"), "unset"),
        (("git", "elsewhere"), "not a repository"),
        (("files", "missing.csv"), "missing"),
    ]
    assert context["capsula"]["status"] == "partial"
    assert context["environment_variables"] == {"HOME": "/home/user"}
    assert context["files"]["code.py"]["file_hash"] == hashlib.sha256(b"print(1)\n").hexdigest()
    assert list(context["git"]) == ["code"]


def test_under_strict_a_fault_is_exit_status_1(project: Path) -> None:
    configure(project, f'{PLAIN}environment-variables = ["UNSET_VARIABLE"]')

    done = capsula("capture", "--strict", cwd=project)

    assert (done.returncode, len(capsules(project))) == (1, 1)
    assert done.stderr == "capsula: environment_variables > UNSET_VARIABLE: UNSET_VARIABLE is not set\n"


def test_under_strict_a_whole_capture_is_exit_status_0(project: Path) -> None:
    done = capsula("capture", "--strict", cwd=project)

    assert (done.returncode, done.stderr) == (0, "")


def test_pre_capture_commands_run_in_order_in_the_root_without_input(project: Path) -> None:
    (project / "below").mkdir()
    configure(
        project,
        f"""
{PLAIN}
pre-capture-commands = ["pwd > told.txt", "cat >> told.txt && echo end >> told.txt"]
[capture.files]
"told.txt" = {{ hash = "md5", move = true }}
""",
    )

    done = capsula("capture", cwd=project / "below")

    capsule = only_capsule(project)
    told = f"{project}\nend\n".encode()
    assert (done.returncode, done.stderr) == (0, "")
    assert (capsule / "told.txt").read_bytes() == told
    assert not (project / "told.txt").exists()
    context = document(capsule, "context.json")
    assert context["files"]["told.txt"]["file_hash"] == hashlib.md5(told).hexdigest()
    assert [entry["exit_code"] for entry in context["pre_capture_commands"].values()] == [0, 0]


def test_a_pre_capture_command_that_fails_stops_the_capture(project: Path) -> None:
    configure(project, f'{PLAIN}pre-capture-commands = ["echo because; exit 4", "touch second"]')

    done = capsula("capture", cwd=project)

    assert done.returncode == 1
    assert "`echo because; exit 4` ended with status 4" in done.stderr
    assert "because" in done.stderr
    assert not (project / "second").exists()
    assert not (project / "vault").exists()


def test_whoever_ignores_children_learns_of_a_pre_capture_command_that_fails(project: Path) -> None:
    configure(project, f'{PLAIN}pre-capture-commands = ["exit 4"]')

    done = behind(("env", "--ignore-signal=CHLD"), "capture", cwd=project)

    assert (done.returncode, capsules(project)) == (1, [])
    assert "`exit 4` ended with status 4" in done.stderr


def test_a_pre_capture_command_that_takes_too_long_stops_the_capture(project: Path) -> None:
    configure(project, f'{PLAIN}pre-capture-commands = ["sleep 100"]\npre-capture-time-limit = 0.2')

    done = capsula("capture", cwd=project)

    assert done.returncode == 1
    assert "`sleep 100` did not end within 0.2 s" in done.stderr
    assert not (project / "vault").exists()


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("md5", hashlib.md5(b"data").hexdigest()),
        ("sha1", hashlib.sha1(b"data").hexdigest()),
        ("sha256", hashlib.sha256(b"data").hexdigest()),
        ("sha3", hashlib.sha3_256(b"data").hexdigest()),
    ],
)
@pytest.mark.parametrize("wish", ["", ", copy = true", ", move = true"])
def test_a_hash_is_of_the_named_algorithm(project: Path, algorithm: str, digest: str, wish: str) -> None:
    (project / "data.bin").write_bytes(b"data")
    configure(project, f'{PLAIN}[capture.files]\n"data.bin" = {{ hash = "{algorithm}"{wish} }}')

    capsula("capture", cwd=project)

    capsule = only_capsule(project)
    entry = document(capsule, "context.json")["files"]["data.bin"]
    assert (entry["hash_algorithm"], entry["file_hash"], entry["size"]) == (algorithm, digest, 4)
    assert (capsule / "data.bin").exists() == bool(wish)
    assert (project / "data.bin").exists() == ("move" not in wish)


@pytest.mark.parametrize("wish", ["{}", "{ copy = true }", "{ move = true }"])
def test_without_a_hash_both_keys_are_null(project: Path, wish: str) -> None:
    (project / "data.bin").write_bytes(b"data")
    configure(project, f'{PLAIN}[capture.files]\n"data.bin" = {wish}')

    capsula("capture", cwd=project)

    entry = document(only_capsule(project), "context.json")["files"]["data.bin"]
    assert (entry["hash_algorithm"], entry["file_hash"]) == (None, None)


def test_files_of_one_name_are_kept_apart(project: Path) -> None:
    for folder in ("a", "b", "../outside"):
        (project / folder).mkdir()
        (project / folder / "result.csv").write_text(folder)
    configure(
        project,
        f"""
{PLAIN}
[capture.files]
"a/result.csv" = {{ move = true }}
"b" = {{ move = true }}
"../outside/result.csv" = {{ copy = true }}
""",
    )

    done = capsula("capture", cwd=project)

    capsule = only_capsule(project)
    outside = (project / "../outside").resolve().relative_to("/")
    assert done.returncode == 0
    kept = {"a/result.csv", "b/result.csv", f"outside/{outside}/result.csv"}
    assert files(capsule) == {"context.json", "project.diff", *kept}
    assert [(capsule / path).read_text() for path in sorted(kept)] == ["a", "b", "../outside"]


def test_files_named_like_a_record_are_kept_apart_from_it(project: Path) -> None:
    for name in ("context.json", "Stdout.log", "project.diff", "files"):
        (project / name).write_text(f"the user's {name}")
    listed = "\n".join(
        f'"{name}" = {{ move = true }}' for name in ("context.json", "Stdout.log", "project.diff", "files")
    )
    configure(project, f"{PLAIN}[capture.files]\n{listed}")

    done = capsula("capture", cwd=project)

    capsule = only_capsule(project)
    kept = {f"files/{name}": f"the user's {name}" for name in ("context.json", "Stdout.log", "project.diff", "files")}
    assert done.returncode == 0
    assert files(capsule) == {"context.json", "project.diff", *kept}
    assert {name: (capsule / name).read_text() for name in kept} == kept
    entries = document(capsule, "context.json")["files"]
    assert [entry["kept_as"] for entry in entries.values()] == list(kept)


def test_a_file_that_git_tracks_is_copied_instead_of_moved_and_said_so(project: Path) -> None:
    configure(project, f'{PLAIN}[capture.files]\n"code.py" = {{ move = true }}')

    done = capsula("capture", cwd=project)

    assert done.returncode == 0
    assert (project / "code.py").read_text() == "print(1)\n"
    assert (only_capsule(project) / "code.py").read_text() == "print(1)\n"
    assert "is tracked by git, and was copied instead of moved" in done.stderr
    assert faults(document(only_capsule(project), "context.json")) == [(("files", "code.py", "moved"), "copied")]


def test_move_with_copy_is_refused_before_anything_runs(project: Path) -> None:
    configure(
        project, f'{PLAIN}pre-capture-commands = ["touch ran"]\n[capture.files]\nx = {{ move = true, copy = true }}'
    )

    done = capsula("capture", cwd=project)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("capsula: capsula.toml: capture > files > x: ")
    assert not (project / "ran").exists()
    assert not (project / "vault").exists()


def test_all_mistakes_are_told_at_once_with_file_place_and_suggestion(project: Path) -> None:
    configure(project, 'valt-directory = "v"\n[capture]\ninclude-cpu = "no"\n[capture.files]\nx = { hash = "sha265" }')

    done = capsula("capture", cwd=project)

    places = sorted(line.split(": ")[2] for line in done.stderr.splitlines())
    assert done.returncode == 2
    assert places == ["capture > files > x > hash", "capture > include-cpu", "valt-directory"]
    assert all(line.startswith("capsula: capsula.toml: ") for line in done.stderr.splitlines())
    assert "vault-directory" in done.stderr
    assert "sha256" in done.stderr


@pytest.mark.parametrize("template", ["../%Y", "/tmp/%Y", "a/../../b", ""])
def test_a_template_that_would_leave_the_vault_is_refused(project: Path, template: str) -> None:
    configure(project, f'capsule-template = "{template}"\n{PLAIN}')

    done = capsula("capture", cwd=project)

    assert done.returncode == 2
    assert done.stderr.startswith("capsula: capsula.toml: capsule-template: ")
    assert not (project / "vault").exists()


def test_a_name_that_is_none_on_other_systems_is_told_and_used(project: Path) -> None:
    configure(project, f'capsule-template = "at %H:%M"\n{PLAIN}')

    done = capsula("capture", "--strict", cwd=project)

    name = only_capsule(project).name
    flaw = "holds ':', which other systems do not allow in names, or tools take for something else"
    assert (done.returncode, name[:3], name[5]) == (0, "at ", ":")
    assert done.stderr == f"capsula: the name {name!r} {flaw} (see `capsule-template`)\n"
    assert faults(document(only_capsule(project), "context.json")) == []


def test_without_cpu_and_packages_there_are_no_facts_of_them(project: Path) -> None:
    capsula("capture", cwd=project)

    context = document(only_capsule(project), "context.json")
    assert sorted(context) == [
        "capsula",
        "cwd",
        "environment_variables",
        "files",
        "git",
        "platform",
        "root_directory",
    ]


def test_the_root_is_where_the_configuration_is_and_the_cwd_where_one_stands(project: Path) -> None:
    below = project / "deep" / "below"
    below.mkdir(parents=True)

    capsula("capture", cwd=below)

    context = document(only_capsule(project), "context.json")
    assert (context["root_directory"], context["cwd"]) == (str(project), str(below))


@pytest.mark.parametrize("words", [("-C", "project", "capture"), ("capture", "--directory", "project")])
def test_the_directory_of_the_configuration_can_be_told(project: Path, words: tuple[str, ...]) -> None:
    done = capsula(*words, cwd=project.parent)

    context = document(only_capsule(project), "context.json")
    assert done.returncode == 0
    assert (context["root_directory"], context["cwd"]) == (str(project), str(project.parent))


def test_a_directory_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = capsula("-C", "nowhere", "capture", cwd=tmp_path)

    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_the_log_tells_what_is_done_on_standard_error_alone(project: Path) -> None:
    quiet = capsula("capture", cwd=project)
    told = capsula("-l", "info", "capture", cwd=project)

    assert quiet.stderr == ""
    assert "collected" in told.stderr
    assert len(told.stdout.splitlines()) == 1


def test_an_unknown_log_level_is_a_mistake(project: Path) -> None:
    done = capsula("-l", "loud", "capture", cwd=project)

    assert (done.returncode, "loud" in done.stderr) == (2, True)


def test_an_account_for_programs_is_json_on_standard_output(project: Path) -> None:
    done = capsula("capture", "--json", cwd=project)

    capsule = only_capsule(project)
    account = json.loads(done.stdout)
    identity = document(capsule, "context.json")["capsula"]["id"]
    assert account == {
        "directory": str(capsule),
        "name": capsule.name,
        "memorable": account["memorable"],
        "id": identity,
        "faults": [],
    }


def test_captures_at_the_same_moment_are_whole_and_have_different_names(project: Path) -> None:
    configure(
        project, f'capsule-template = "same"\n{PLAIN}[capture.files]\n"code.py" = {{ hash = "sha256", copy = true }}'
    )

    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: capsula("capture", cwd=project), range(20)))

    made = capsules(project)
    assert [each.returncode for each in done] == [0] * 20
    assert len(made) == 20
    assert {frozenset(files(capsule)) for capsule in made} == {frozenset({"context.json", "project.diff", "code.py"})}
    assert len({document(capsule, "context.json")["capsula"]["id"] for capsule in made}) == 20
    assert {document(capsule, "context.json")["capsula"]["status"] for capsule in made} == {"complete"}


def test_the_vault_is_private_and_no_business_of_git(project: Path) -> None:
    before = git(project, "status", "--porcelain=v2", "--untracked-files=all")

    capsula("capture", cwd=project)

    vault = project / "vault"
    modes = {path: path.stat().st_mode & 0o777 for path in (vault, *vault.rglob("*"))}
    assert git(project, "status", "--porcelain=v2", "--untracked-files=all") == before
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_capsules_do_not_grow_from_capture_to_capture(project: Path) -> None:
    (project / "untracked.txt").write_text("new")
    configure(project, f'{PLAIN}[capture.files]\n"." = {{ hash = "sha256", copy = true }}')

    for _ in range(10):
        capsula("capture", cwd=project)

    first, *_, last = capsules(project)
    assert files(first) == files(last) >= {"untracked.txt", "code.py", "capsula.toml"}
    untracked = document(last, "context.json")["git"]["project"]["untracked"]
    assert untracked == ["untracked.txt"]


def test_where_no_capsule_can_be_written_nothing_is_moved(project: Path) -> None:
    (project / "data.bin").write_bytes(b"data")
    (project / "blocked").write_text("a file where the vault should be")
    configure(project, f'vault-directory = "blocked"\n{PLAIN}[capture.files]\n"data.bin" = {{ move = true }}')

    done = capsula("capture", cwd=project)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert str(project / "blocked") in done.stderr
    assert (project / "data.bin").read_bytes() == b"data"


def test_modules_of_the_working_directory_are_not_imported(project: Path) -> None:
    for name in ("json", "attrs", "cpuinfo", "platform"):
        (project / f"{name}.py").write_text("raise SystemExit('imported')")
    program = Path(sys.executable).parent / "capsula"

    done = capsula("monitor", str(program), "capture", cwd=project)

    assert (done.returncode, "imported" in done.stderr) == (0, False)


def test_capsules_of_the_same_large_source_share_it(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text("[capture]\ninclude-cpu = false\ninclude-python-packages = false\n")
    (tmp_path / "data.bin").write_bytes(random.Random(1).randbytes(200_000))

    for _ in range(2):
        capsula("capture", cwd=tmp_path)
    (tmp_path / "data.bin").write_bytes(random.Random(2).randbytes(200_000))
    capsula("capture", cwd=tmp_path)

    one, two, other = ((capsule / ".capsula/source").glob("*.tar.gz") for capsule in capsules(tmp_path))
    files = [next(archive).stat() for archive in (one, two, other)]
    assert [file.st_ino == files[0].st_ino for file in files] == [True, True, False]
    assert all(file.st_size > 200_000 for file in files)
    assert all(
        capsula("verify", "--integrity", capsule.name, cwd=tmp_path).returncode == 0 for capsule in capsules(tmp_path)
    )
