"""Trouble with the record of a run is told, and costs the record: the command runs, and ends, as without us."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from capsula.flows.monitor import REFUSED
from tests.effects.wrapping import Terminal, powerless
from tests.running import (
    PATIENCE,
    PLAIN,
    behind,
    capsula,
    capsules,
    configure,
    document,
    environment,
    faults,
    files,
    only_capsule,
)
from tests.wheels import installed

LONG = "x" * 300
"""A name that no file can have."""


def test_a_signal_that_comes_after_the_commands_end_costs_no_record(project: Path) -> None:
    configure(project, '[monitor.item.big.files]\n"big" = { hash = "sha256" }\n')
    late = "(while kill -0 $$; do :; done; sleep 0.1; kill -INT $PPID; kill -TERM $PPID; kill -HUP $PPID)"

    done = capsula("monitor", "-i", "big", "sh", "-c", f"truncate -s 300M big; {late} >late 2>&1 & exit 7", cwd=project)

    assert (done.returncode, done.stderr) == (7, "")
    assert document(only_capsule(project), "post-run-info.json")["capsula"]["status"] == "failed"


def test_a_signal_that_comes_with_the_last_output_costs_no_record(project: Path) -> None:
    late = "(while kill -0 $$; do :; done 2>/dev/null; kill -TERM $PPID; sleep 1)"

    done = capsula("monitor", "sh", "-c", f"{late} & exit 7", cwd=project)

    assert done.returncode == 7
    assert document(only_capsule(project), "post-run-info.json")["capsula"]["status"] == "failed"


def test_a_record_without_end_can_be_broken_off(project: Path) -> None:
    configure(project, '[monitor.item.big.files]\n"big" = { hash = "sha256" }\n')
    late = "(while kill -0 $$; do :; done; while kill -QUIT $PPID; do sleep 0.1; done)"
    command = f"ulimit -c 0; truncate -s 100G big; {late} >late 2>&1 & exit 7"

    done = behind(
        ("sh", "-c", 'ulimit -c 0; exec "$@"', "sh"), "monitor", "-i", "big", "sh", "-c", command, cwd=project
    )

    assert (done.returncode, done.stderr) == (-signal.SIGQUIT, "")
    assert not (only_capsule(project) / "post-run-info.json").exists()


@pytest.mark.parametrize("other", ["mkfifo", "mkdir", "ln -s /dev/zero", "true"])
def test_a_log_that_the_command_replaces_is_lost_and_never_waited_for(project: Path, other: str) -> None:
    log = '"$CAPSULA_CAPSULE_DIR/stdout.log"'

    done = capsula("monitor", "sh", "-c", f"echo out; rm {log}; {other} {log}; exit 3", cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert (done.stdout, done.returncode, after["exit_code"]) == ("out\n", 3, 3)
    assert [place for place, _ in faults(after)][:1] == [("stdout",)]


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ("mkfifo pipe; ln -s pipe link", []),
        ("mkdir .capsula/records; mkfifo .capsula/records/1.jsonl", [(("records", "1.jsonl"), "not a file")]),
        ("mkdir -p folder/below; chmod 000 folder", [((), "forbidden")]),
    ],
)
def test_what_a_command_leaves_in_its_capsule_does_not_cost_the_end_of_its_run(
    project: Path, left: str, told: list[tuple[tuple[str, ...], str]]
) -> None:
    command = ("sh", "-c", f'cd "$CAPSULA_CAPSULE_DIR"; {left}; exit 3')

    done = behind(powerless(), "monitor", *command, cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert (done.returncode, after["capsula"]["status"], faults(after)) == (3, "failed", told)


def test_where_no_capsule_can_be_made_the_command_runs_all_the_same(project: Path) -> None:
    (project / "blocked").write_text("")
    (project / "capsula.toml").write_text('vault-directory = "blocked"\n' + PLAIN)

    done = capsula("monitor", "sh", "-c", "echo out; exit 5", cwd=project)

    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("out\n", 5, 1)
    assert str(project / "blocked") in done.stderr


def test_where_no_capsule_can_be_made_strict_does_not_run_the_command(project: Path) -> None:
    (project / "blocked").write_text("")
    (project / "capsula.toml").write_text('vault-directory = "blocked"\n' + PLAIN)

    done = capsula("monitor", "--strict", "touch", "ran", cwd=project)

    assert (done.returncode, "ran" in files(project)) == (125, False)


def test_where_devices_have_no_names_the_command_runs(project: Path) -> None:
    hidden = 'mount -t tmpfs tmpfs /dev || exit 99; exec "$@"'

    done = behind(("unshare", "-m", "sh", "-c", hidden, "sh"), "monitor", "sh", "-c", "echo out; exit 3", cwd=project)

    if "unshare:" in done.stderr or done.returncode == 99:
        pytest.skip("needs: root")
    assert (done.stdout, done.returncode) == ("out\n", 3)
    assert document(only_capsule(project), "pre-run-info.json")["command"]["stdin"] == "device"


@pytest.mark.parametrize(
    ("limits", "trouble"),
    [
        *((f"ulimit -n {descriptors}", "Too many open files") for descriptors in (6, 8, 10, 12)),
        ("ulimit -s 4000000; ulimit -v 3000000", "can't start new thread"),
    ],
)
def test_what_the_system_has_too_little_of_costs_the_record_and_not_the_run(
    project: Path, limits: str, trouble: str
) -> None:
    front = ("sh", "-c", f'{limits}; exec "$@"', "sh")

    done = behind(front, "monitor", "sh", "-c", "echo out; exit 3", cwd=project)

    told = ["recorded" in line and trouble in line for line in done.stderr.splitlines()]
    assert (done.stdout, told, done.returncode) == ("out\n", [True], 3)


def test_a_facet_that_fails_does_not_stop_the_command(project: Path) -> None:
    configure(project, 'environment-variables = ["UNSET_VARIABLE"]\n')

    done = capsula("monitor", "sh", "-c", "echo out; exit 5", cwd=project)

    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("out\n", 5, 1)
    assert "UNSET_VARIABLE" in done.stderr


def test_a_fault_is_not_told_to_who_wants_it_quiet(project: Path) -> None:
    configure(project, 'environment-variables = ["UNSET_VARIABLE"]\n')

    done = capsula("--quiet", "monitor", "sh", "-c", "exit 5", cwd=project)

    assert (done.returncode, done.stderr) == (5, "")
    assert faults(document(only_capsule(project), "context.json")) != []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("monitor", "sh", "-c", "exit 5"), 5),
        (("monitor", "nothing-of-that-name"), 127),
        (("monitor", "--no-such-option", "true"), 125),
        (("-l", "info", "monitor", "sh", "-c", "exit 5"), 5),
        (("capture",), 0),
    ],
)
def test_where_nobody_can_be_told_of_trouble_the_end_is_the_same(
    project: Path, words: tuple[str, ...], status: int
) -> None:
    configure(project, 'environment-variables = ["UNSET_VARIABLE"]\n')

    done = behind(("sh", "-c", 'exec "$@" 2>/dev/full', "sh"), *words, cwd=project)

    assert (done.returncode, len(capsules(project))) == (status, 0 if status == REFUSED else 1)


def test_a_terminal_that_hung_up_does_not_change_the_end(project: Path) -> None:
    command = ("sh", "-c", "trap 'echo heard; exit 3' HUP; echo ready; while :; do sleep 0.01; done")
    terminal = Terminal.of([sys.executable, "-P", "-m", "capsula", "monitor", *command], cwd=project, env=environment())
    terminal.shown_until(b"ready")

    os.close(terminal.keyboard)

    assert terminal.process.wait(PATIENCE) == 3
    assert document(only_capsule(project), "post-run-info.json")["exit_code"] == 3


def test_where_nothing_tells_who_was_sent_a_signal_it_is_passed_on(project: Path) -> None:
    hidden = 'mount --bind /dev/null /bin/sh && mount -t tmpfs tmpfs /proc || exit 99; exec "$@"'
    listener = "import os, signal, time; signal.signal(signal.SIGUSR2, lambda *_: os._exit(7)); print(flush=True)"
    listening = f"{listener}\nfor _ in range(200): time.sleep(0.05)"
    command = [sys.executable, "-P", "-m", "capsula", "monitor", sys.executable, "-c", listening]

    with subprocess.Popen(
        ["unshare", "-m", "bash", "-c", hidden, "bash", *command],
        cwd=project,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        is_ready = process.stdout.read(1) == b"\n"
        process.send_signal(signal.SIGUSR2)
        _, told = process.communicate(timeout=PATIENCE)

    if not is_ready and (b"unshare:" in told or process.returncode == 99):
        pytest.skip("needs: root")
    assert (process.returncode, told) == (7, b"")


def test_a_facet_that_fails_stops_the_command_under_strict_alone(project: Path) -> None:
    configure(project, 'environment-variables = ["UNSET_VARIABLE"]\n')

    done = capsula("monitor", "--strict", "touch", "ran", cwd=project)

    assert (done.returncode, "ran" in files(project), capsules(project)) == (125, False, [])


@pytest.mark.parametrize(
    ("strict", "ending"), [((), (3, "out\n", "failed", 3)), (("--strict",), (REFUSED, "", "refused", REFUSED))]
)
def test_a_file_that_stays_where_it_was_stops_the_command_under_strict_alone(
    project: Path, strict: tuple[str, ...], ending: tuple[int, str, str, int]
) -> None:
    configure(project, '[capture.files]\n"closed/data" = { move = true }\n')
    (project / "closed").mkdir()
    (project / "closed" / "data").write_text("data")
    (project / "closed").chmod(0o500)

    done = behind(powerless(), "monitor", *strict, "sh", "-c", "echo out; exit 3", cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert (done.returncode, done.stdout, after["capsula"]["status"], after["exit_code"]) == ending
    assert ("as --strict asks" in done.stderr, "closed/data" in done.stderr) == (bool(strict), True)
    (project / "closed").chmod(0o700)


def test_trouble_after_the_start_never_changes_the_status_even_under_strict(project: Path) -> None:
    done = capsula("monitor", "--strict", "sh", "-c", "rm -rf vault; echo out; exit 5", cwd=project)

    assert (done.stdout, done.returncode) == ("out\n", 5)
    assert ("not all is recorded" in done.stderr, "capsula show" in done.stderr) == (True, False)
    assert done.stderr.count("\n") == 1


def test_a_pre_capture_command_that_fails_costs_no_run(project: Path) -> None:
    configure(project, 'pre-capture-commands = ["echo because; exit 4"]\n')

    done = capsula("monitor", "sh", "-c", "exit 5", cwd=project)

    context = document(only_capsule(project), "context.json")
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert faults(context) == [(("pre_capture_commands", "1"), "pre-capture")]
    assert context["cwd"] == str(project)


def test_an_interruption_before_the_command_starts_is_no_traceback(project: Path) -> None:
    os.mkfifo(project / "ready")
    configure(project, 'pre-capture-commands = ["echo > ready; sleep 60"]\n')

    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "capsula", "monitor", "touch", "ran"],
        cwd=project,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    (project / "ready").read_text()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)

    assert (process.returncode, told, "ran" in files(project)) == (-signal.SIGINT, "", False)


BREAKING_FACET = """
from returns.result import Success
from capsula.core.fragment import Fragment
from capsula.flows import run

def collect(config):
    run.records = None
    return Success(Fragment())
"""


BROKEN_FACET = """
from returns.result import Success
from capsula.core.effect import Source, Write
from capsula.core.fragment import Fragment

def collect(config):
    drawing = Source(object(), lambda: iter([b"<svg/>"]))
    return Success(Fragment(effects=(Write((("drawing.svg", drawing),)),)))
"""


def test_not_even_a_bug_in_the_recording_costs_the_run(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")
    installed(tmp_path, "drawn", BROKEN_FACET)

    done = capsula("monitor", "sh", "-c", "echo out; exit 3", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    strict = capsula("monitor", "--strict", "sh", "-c", "echo out", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    told = "(this is a bug of Capsula; please report it)"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "out\n", 1)
    assert told in done.stderr
    assert (strict.returncode, strict.stdout) == (125, "")
    assert told in strict.stderr
    assert capsules(tmp_path) == []


def test_a_bug_in_the_recording_of_the_end_costs_the_end_alone(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")
    installed(tmp_path, "drawn", BREAKING_FACET)

    done = capsula("monitor", "sh", "-c", "echo out; exit 3", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    (loud,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert loud.startswith("capsula: not all is recorded: TypeError: ")
    assert loud.endswith("(this is a bug of Capsula; please report it)")
    assert (only_capsule(tmp_path) / "stdout.log").read_text() == "out\n"
    assert not (only_capsule(tmp_path) / "post-run-info.json").exists()


@pytest.mark.parametrize(("word", "status"), [("sh", 0), (LONG, 126), (f"./{LONG}", 126)])
def test_a_place_that_nobody_can_look_into_costs_no_record(word: str, status: int, project: Path) -> None:
    (project / "capsula.toml").write_text("[capture]\ninclude-source = false\ninclude-cpu = false\n")
    (project / "closed").mkdir(0o000)
    places = {"PATH": f"closed/bin:{LONG}:{os.environ['PATH']}", "VIRTUAL_ENV": f"closed/{LONG}"}

    done = capsula("monitor", word, "-c", "exit", cwd=project, **places)
    compared = capsula("verify", "@", cwd=project, **places)

    assert (done.returncode, compared.returncode) == (status, 0)
    assert document(only_capsule(project), "pre-run-info.json")["args"] == [word, "-c", "exit"]
