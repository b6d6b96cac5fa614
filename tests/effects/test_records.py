"""Values that a run records of itself."""

import os
import subprocess
import sys
from pathlib import Path

from returns.result import Failure, Success

from capsula.core.fault import Fault
from capsula.core.fragment import Fragment
from capsula.effects.records import FOLDER, record, records
from tests.running import files_limited_to


def lines(capsule: Path, *texts: str, name: str = "1.jsonl") -> None:
    (capsule / FOLDER).mkdir(parents=True, exist_ok=True)
    (capsule / FOLDER / name).write_text("".join(texts))


def line(name: str, value: str, time: int) -> str:
    return f'{{"name": "{name}", "value": {value}, "time": {time}}}\n'


def test_nothing_recorded_is_an_empty_table(tmp_path: Path) -> None:
    assert records(tmp_path) == Success(Fragment({}))


def test_the_last_value_of_a_name_counts(tmp_path: Path) -> None:
    answers = [
        record(tmp_path, "loss", 3),
        record(tmp_path, "caf\udce9", [None, {"a": 1.5}]),
        record(tmp_path, "loss", 2),
    ]

    assert answers == [Success(None)] * 3
    assert records(tmp_path) == Success(Fragment({"loss": 2, "caf\udce9": [None, {"a": 1.5}]}))


def test_a_record_is_private(tmp_path: Path) -> None:
    record(tmp_path, "loss", 1)

    assert [file.stat().st_mode & 0o777 for file in (tmp_path / FOLDER).iterdir()] == [0o600]


def test_of_two_processes_the_later_record_counts(tmp_path: Path) -> None:
    lines(tmp_path, line("loss", "1", 10), line("loss", "3", 30), name="1.jsonl")
    lines(tmp_path, line("loss", "2", 20), name="2.jsonl")

    assert records(tmp_path) == Success(Fragment({"loss": 3}))


def test_in_one_process_the_order_counts_even_if_the_clock_is_set_back(tmp_path: Path) -> None:
    lines(tmp_path, line("loss", "1", 30), line("loss", "2", 10))

    assert records(tmp_path) == Success(Fragment({"loss": 2}))


def test_lines_that_are_no_records_cost_only_themselves(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    torn = '{"name": "c", "val\n'
    lines(tmp_path, line("a", "1", 1), line("b", "NaN", 2), line("b", deep, 3), "[]\n", "\n", torn, line("d", "2", 4))

    assert records(tmp_path) == Success(
        Fragment(
            {"a": 1, "d": 2},
            (),
            (
                Fault(
                    "malformed",
                    f"5 lines of {FOLDER}/1.jsonl are no records, the first is line 2",
                    path=("1.jsonl",),
                ),
            ),
        )
    )


def test_a_torn_line_does_not_take_the_next_record_with_it(tmp_path: Path) -> None:
    record(tmp_path, "a", 1)
    (file,) = (tmp_path / FOLDER).iterdir()
    with file.open("ab") as stream:
        stream.write(b'{"name": "to')

    record(tmp_path, "b", 2)

    fragment = records(tmp_path).unwrap()
    assert fragment.facts == {"a": 1, "b": 2}
    assert [fault.path for fault in fragment.faults] == [(file.name,)]


def test_what_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    lines(tmp_path, line("a", "1", 1))
    (tmp_path / FOLDER / "folder").mkdir()
    (tmp_path / FOLDER / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / FOLDER / "pipe")

    fragment = records(tmp_path).unwrap()

    assert fragment.facts == {"a": 1}
    assert fragment.faults == (
        Fault("failed", "folder: Is a directory", path=("folder",)),
        Fault("failed", "link: Too many levels of symbolic links", path=("link",)),
        Fault("not a file", ".capsula/records/pipe is not a regular file", path=("pipe",)),
    )


def test_a_capsule_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "capsule").write_text("a file")

    answer = record(tmp_path / "capsule", "a", 1)

    assert answer == Failure(Fault("failed", "a could not be recorded: File exists"))


RECORDING = """
import sys
from pathlib import Path
from capsula.effects.records import record
sys.stdin.read()
for number in range(200):
    record(Path(sys.argv[1]), f"{sys.argv[2]}.{number}", "x" * 10_000)
"""


def test_processes_record_at_the_same_time(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", RECORDING, str(tmp_path), str(number)], stdin=subprocess.PIPE)
        for number in range(4)
    ]

    for process in processes:
        process.communicate()

    fragment = records(tmp_path).unwrap()
    assert fragment == Fragment({f"{process}.{number}": "x" * 10_000 for process in range(4) for number in range(200)})


def test_what_was_written_in_part_is_a_fault(tmp_path: Path) -> None:
    with files_limited_to(20):
        answer = record(tmp_path, "a", "x" * 100)

    assert answer == Failure(Fault("full", "a could not be recorded: only a part of it was written"))
