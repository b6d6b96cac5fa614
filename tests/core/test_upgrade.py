"""Upgrading: what older versions wrote stays readable."""

from collections.abc import Mapping
from typing import Any

import pytest
from returns.result import Failure, Success

from capsula.core.fault import Fault, Json
from capsula.core.upgrade import upgraded

IDENTITY = "0d1e2f30415263748596a7b8c9dadbec"

BEFORE: dict[str, Json] = {
    "root_directory": "/root/directory",
    "cwd": "/current/working/directory",
    "timestamp": "2023-07-12T18:09:29.490877+09:00",
    "args": ["python", "pi.py"],
}
CONTEXT: dict[str, Json] = {"root_directory": "/root/directory", "git": {"capsula": {"sha": "ebc5b70"}}}
AFTER: dict[str, Json] = {
    "root_directory": "/root/directory",
    "timestamp": "2023-07-12T18:09:31.977784+09:00",
    "run_time": "PT2.486653S",
    "stdout": "3.140888\n",
    "exit_code": 0,
}


def header(identity: str, taken: str, status: str) -> dict[str, Json]:
    return {
        "format": 1,
        "version": "0.0.21",
        "id": identity,
        "taken": taken,
        "status": status,
        "durability": "fast",
        "faults": [],
    }


def status_of(more: Mapping[str, Json]) -> Any:
    document: Any = upgraded({"post-run-info.json": {**AFTER, **more}})["post-run-info.json"].unwrap()
    return document["capsula"]["status"]


def test_a_run_without_headers_gets_those_it_would_have() -> None:
    documents = {"pre-run-info.json": BEFORE, "context.json": CONTEXT, "post-run-info.json": AFTER}

    answers = upgraded(documents)

    identity = "83a2af1d75cf21d94de1d763ac5cf1f1"
    begun = "2023-07-12T18:09:29.490877+09:00"
    assert answers == {
        "pre-run-info.json": Success(
            {
                **BEFORE,
                "command": {"directory": "../../current/working/directory"},
                "capsula": header(identity, begun, "running"),
            }
        ),
        "context.json": Success({**CONTEXT, "capsula": header(identity, begun, "complete")}),
        "post-run-info.json": Success(
            {**AFTER, "capsula": header(identity, "2023-07-12T18:09:31.977784+09:00", "finished")}
        ),
    }


def test_what_an_old_capsule_holds_is_told_and_what_was_not_there_is_a_fault() -> None:
    hashed: dict[str, Json] = {"hash_algorithm": "md5", "file_hash": "0"}
    names = ["in/data.csv", "a/same", "b/same", "d/pi.diff", "x/context.json", "gone"]
    context: dict[str, Json] = {**CONTEXT, "git": {"pi": {}}, "files": dict.fromkeys(names, hashed)}
    after: dict[str, Json] = {**AFTER, "files": {"out/plot.png": hashed, "not/there.txt": None}}
    held = ["data.csv", "same", "pi.diff", "context.json", "plot.png", "there.txt"]

    documents: Any = upgraded({"context.json": context, "post-run-info.json": after}, held)

    files, ended = documents["context.json"].unwrap()["files"], documents["post-run-info.json"].unwrap()
    assert files == {**dict.fromkeys(names, hashed), "in/data.csv": {**hashed, "kept_as": "data.csv"}}
    assert ended["files"] == {"out/plot.png": {**hashed, "kept_as": "plot.png"}}
    assert [fault["path"] for fault in ended["capsula"]["faults"]] == [["files", "not/there.txt"]]


def test_a_derived_id_is_that_of_the_first_document_however_it_is_written_and_whatever_follows() -> None:
    shuffled = dict(reversed(BEFORE.items()))

    whole = upgraded({"pre-run-info.json": BEFORE, "post-run-info.json": AFTER})
    alone = upgraded({"pre-run-info.json": shuffled})
    other = upgraded({"pre-run-info.json": {**BEFORE, "args": ["python", "e.py"]}})

    assert whole["pre-run-info.json"] == alone["pre-run-info.json"] != other["pre-run-info.json"]


def test_a_context_alone_says_that_its_time_is_not_known() -> None:
    document: Any = upgraded({"context.json": CONTEXT})["context.json"].unwrap()

    assert "taken" not in document["capsula"]
    assert [fault["path"] for fault in document["capsula"]["faults"]] == [["capsula", "taken"]]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"exit_code": 3}, "failed"),
        ({"exit_code": 130}, "interrupted"),
        ({"exit_code": -2}, "interrupted"),
        ({"exit_code": -9}, "killed"),
        ({"exit_code": -40}, "killed"),
        ({"exception_info": {"error_type": "ValueError"}}, "failed"),
        ({"exception_info": None}, "finished"),
    ],
)
def test_the_end_of_a_run_tells_its_status(more: Mapping[str, Json], status: str) -> None:
    assert status_of(more) == status


def test_a_death_by_signal_is_told_as_a_shell_does() -> None:
    document = upgraded({"post-run-info.json": {**AFTER, "exit_code": -9}})["post-run-info.json"].unwrap()

    assert (document["exit_code"], document["signal"]) == (137, "SIGKILL")


def test_a_document_of_today_stays_as_it_is() -> None:
    document: dict[str, Json] = {"cwd": "/", "capsula": {"format": 1, "id": IDENTITY, "of a plugin": [1]}}

    assert upgraded({"context.json": document}) == {"context.json": Success(document)}


def test_a_newer_document_is_refused_and_costs_only_itself() -> None:
    today: dict[str, Json] = {"capsula": {"format": 1, "id": IDENTITY}}

    answers = upgraded({"pre-run-info.json": today, "context.json": {"capsula": {"format": 2}}})

    newer = Fault("newer", "made by a newer Capsula; upgrade to read it", "upgrade Capsula")
    assert answers == {"pre-run-info.json": Success(today), "context.json": Failure(newer)}


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"format": 0, "id": IDENTITY},
        {"format": True, "id": IDENTITY},
        {"format": "1", "id": IDENTITY},
        {"format": 1},
        {"format": 1, "id": IDENTITY[1:]},
        {"format": 1, "id": "../../../../../../../etc/passwd0"},
        {"format": 1, "id": int("1" * 32)},
    ],
)
def test_a_damaged_header_is_a_fault(damaged: Json) -> None:
    answer = upgraded({"context.json": {"capsula": damaged}})["context.json"]

    assert answer.failure().kind == "malformed"
