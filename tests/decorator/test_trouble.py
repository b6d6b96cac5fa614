"""Trouble of Capsula's own is one warning at the call."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import capsula
from capsula.core.fault import Fault
from tests.calls import LEAN, configured, run, statuses, values


def _called_in_spite_of(root: Path, **wishes: Any) -> list[str]:
    """Call a function where there is trouble, and return what is warned of, having seen that it was at this line."""

    @capsula.monitor(root, include_return_value=True, **wishes)
    def call() -> str:
        return "as ever"

    with pytest.warns(capsula.CapsulaWarning) as warned:
        answer, line = call(), _line()

    assert answer == "as ever"
    assert [(each.filename, each.lineno) for each in warned] == [(__file__, line)] * len(warned)
    return [str(each.message) for each in warned]


def _line() -> int:
    frame = sys._getframe(1)
    return frame.f_lineno


def _refused(root: Path, **wishes: Any) -> tuple[Fault, ...]:
    called = []
    with pytest.raises(capsula.CapsulaError) as raised:
        capsula.monitor(root, strict=True, **wishes)(lambda: called.append(True))()
    assert called == []
    return raised.value.faults


TROUBLE = {
    "a broken configuration": ("this is = = no toml", (), "line 1, column 6"),
    "an unknown item": (LEAN, ("unknown",), "unknown"),
    "a file for a vault": (f'vault-directory = "capsula.toml"\n{LEAN}', (), "capsula.toml"),
    "a variable that is not set": (
        LEAN.replace("[capture]", '[capture]\nenvironment-variables = ["UNSET"]'),
        (),
        "UNSET",
    ),
    "a file that cannot be kept": (f'{LEAN}[capture.files]\n"gone.txt" = {{ copy = true }}', (), "gone.txt"),
    "a command that fails": (LEAN.replace("[capture]", '[capture]\npre-capture-commands = ["false"]'), (), "false"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_is_one_warning_at_the_call_and_under_strictness_no_call(root: Path, trouble: str) -> None:
    configuration, items, told = TROUBLE[trouble]
    (root / "capsula.toml").write_text(configuration)

    warnings = _called_in_spite_of(root, items=items)
    faults = _refused(root, items=items)

    assert len(warnings) == 1
    assert told in warnings[0]
    assert told in str(faults[0])
    assert not (root / "vault").is_dir() or statuses(root) == ["finished"]  # of the refused call there is no capsule


def test_a_refused_call_says_so_in_its_capsule(root: Path) -> None:
    configured(root, '[capture.files]\n"big.bin" = { copy = true }\n')
    (root / "big.bin").symlink_to("/proc/self/mem")  # it is a regular file, and cannot be read

    (fault,) = _refused(root)

    assert fault.path == ("files", "big.bin")
    assert statuses(root) == ["refused"]


def test_the_configuration_of_someone_else_is_trouble(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    os.chown(root / "capsula.toml", 12345, 12345)

    (warning,) = _called_in_spite_of(root)

    assert "belongs to another user" in warning


def test_a_mended_configuration_is_found_by_the_next_call(root: Path) -> None:
    (root / "capsula.toml").write_text("broken")
    call = capsula.monitor(root, include_return_value=True)(lambda: 1)

    with pytest.warns(capsula.CapsulaWarning):
        call()
    configured(root)
    call()

    assert values(root) == [1]


def test_a_vault_that_vanishes_during_the_call_is_one_warning_and_stays_away(root: Path) -> None:
    import shutil

    @capsula.monitor(root)
    def call() -> str:
        shutil.rmtree(root / "vault")
        with pytest.warns(capsula.CapsulaWarning, match="x could not be recorded: .* is gone"):
            capsula.record("x", 1)
        return "as ever"

    with pytest.warns(capsula.CapsulaWarning, match="No such file or directory") as warned:
        answer = call()

    assert (answer, len(warned)) == ("as ever", 1)
    assert not (root / "vault").exists()


def test_a_full_disk_is_one_warning(root: Path) -> None:
    source = """
import resource, capsula
@capsula.monitor
def call():
    return "as ever"
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
print(call())
"""

    done = run(root, source)

    assert (done.returncode, done.stdout) == (0, "as ever\n")
    assert done.stderr.count("CapsulaWarning") == 1


def test_where_no_file_can_be_opened_the_function_is_called(root: Path) -> None:
    source = """
import os, resource, sys
import capsula
@capsula.monitor
def call():
    return "as ever"
call()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print(call())
"""

    done = run(root, source)

    assert (done.returncode, done.stdout) == (0, "as ever\n")
    assert done.stderr.count("CapsulaWarning") == 1


@pytest.mark.parametrize(
    "more", ["", "sys.stderr.close()", "sys.stderr = None", "warnings.showwarning = lambda *_, **__: 1 / 0"]
)
def test_a_warning_never_stands_in_place_of_what_the_function_returns(root: Path, more: str) -> None:
    (root / "capsula.toml").write_text("broken")
    source = f"import sys, warnings, capsula\n{more}\nprint(capsula.monitor(lambda: 'as ever')())\n"

    for options in ((), ("-W", "error")):
        done = run(root, source, *options)

        assert (done.returncode, done.stdout) == (0, "as ever\n")


def test_who_shows_the_warnings_may_be_monitored_too(root: Path) -> None:
    (root / "capsula.toml").write_text("broken")
    source = """
import logging, warnings, capsula
warnings.simplefilter("always")
class Handler(logging.Handler):
    @capsula.monitor
    def emit(self, record): print("a warning")
logging.captureWarnings(True)
logging.getLogger("py.warnings").addHandler(Handler())
print(capsula.monitor(lambda: "as ever")())
"""

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "a warning\nas ever\n", "")


def test_a_broken_configuration_is_silent_until_the_call(root: Path) -> None:
    (root / "capsula.toml").write_text("broken")

    done = run(root, "import capsula\n@capsula.monitor(items=['?'])\ndef call(): ...\n", "-W", "error")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_recursion_without_end_is_the_programs_and_no_bug_of_ours(root: Path) -> None:
    program = """
import sys
import capsula

@capsula.monitor
def deeper():
    deeper()

capsula.collect()  # what is imported is so now, while there is room
sys.setrecursionlimit(120)
try:
    deeper()
except RecursionError:
    print("no room left")
"""

    ended = run(root, program, "-W", "always")

    assert ended.stdout == "no room left\n"
    assert ("RecursionError" in ended.stderr, "bug" in ended.stderr) == (True, False)
