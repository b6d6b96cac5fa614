"""Structuring guesses nothing, and tells everything that is wrong."""

from pathlib import Path
from typing import Any

import pytest
from returns.result import Success

from capsula.core.fault import Fault
from capsula.core.settings import CaptureSettings, FileSettings, GitSettings, ItemSettings, MonitorSettings, Settings
from capsula.core.strict import conflicts, item_mistakes, structured

ROOT = Path("/home/user/project")


def faults(document: object) -> list[tuple[tuple[str, ...], str, str]]:
    """Return place, message and remedy of every mistake, whose kind and origin never differ."""
    mistakes = structured(document, "capsula.toml", ROOT).failure()
    assert {(it.kind, it.origin) for it in mistakes} == {("mistake", "capsula.toml")}
    return [(it.path, it.message, it.remedy) for it in mistakes]


def test_an_empty_document_gives_the_defaults() -> None:
    assert structured({}, "capsula.toml", ROOT) == Success(Settings())


def test_every_setting_is_taken_as_it_stands() -> None:
    document = {
        "vault-directory": "/scratch/vault",
        "capsule-template": "%Y/%j",
        "durability": "fast",
        "capture": {
            "include-cpu": False,
            "include-python-packages": False,
            "pre-capture-commands": ["make check", "pip freeze"],
            "pre-capture-time-limit": 0.5,
            "environment-variables": ["HOME"],
            "files": {"a.txt": {"hash": "sha3", "copy": True}, "../b*": {"copy": True}},
            "git": {"repositories": {"some/git/repository": "."}},
            "facets": {"slurm": {"levels": [1, {"deep": "x"}], "snake_case": True}},
        },
        "monitor": {"capture": False, "output-in-record": 0, "item": {"train": {"files": {"c": {"move": True}}}}},
    }

    settings = structured(document, "capsula.toml", ROOT)

    assert settings == Success(
        Settings(
            vault_directory="/scratch/vault",
            capsule_template="%Y/%j",
            durability="fast",
            capture=CaptureSettings(
                include_cpu=False,
                include_python_packages=False,
                pre_capture_commands=("make check", "pip freeze"),
                pre_capture_time_limit=0.5,
                environment_variables=("HOME",),
                files={"a.txt": FileSettings(hash="sha3", copy=True), "../b*": FileSettings(copy=True)},
                git=GitSettings({"some/git/repository": "."}),
                facets={"slurm": {"levels": [1, {"deep": "x"}], "snake_case": True}},
            ),
            monitor=MonitorSettings(
                capture=False, output_in_record=0, item={"train": ItemSettings({"c": FileSettings(move=True)})}
            ),
        )
    )


def test_an_absent_table_of_repositories_is_not_an_empty_one() -> None:
    absent = structured({"capture": {"git": {}}}, "", ROOT).unwrap().capture.git
    empty = structured({"capture": {"git": {"repositories": {}}}}, "", ROOT).unwrap().capture.git

    assert (absent, empty) == (GitSettings(None), GitSettings({}))


@pytest.mark.parametrize(
    ("capture", "place", "message"),
    [
        ({"include-cpu": "false"}, ("include-cpu",), "expected true or false, found the string 'false'"),
        ({"include-cpu": 0}, ("include-cpu",), "expected true or false, found the number 0"),
        (
            {"pre-capture-commands": "pip freeze"},
            ("pre-capture-commands",),
            "expected a list, found the string 'pip freeze'",
        ),
        ({"pre-capture-commands": [["ls"]]}, ("pre-capture-commands",), "expected a string, found a list"),
        ({"pre-capture-time-limit": True}, ("pre-capture-time-limit",), "expected a number, found true"),
        ({"environment-variables": {"A": 1}}, ("environment-variables",), "expected a list, found a table"),
        ({"files": ["a.txt"]}, ("files",), "expected a table, found a list"),
        ({"files": {"a.txt": True}}, ("files", "a.txt"), "expected a table, found true"),
        (
            {"files": {"a.txt": {"hash": 256}}},
            ("files", "a.txt", "hash"),
            "expected one of 'md5', 'sha1', 'sha256', 'sha3', found the number 256",
        ),
        (
            {"git": {"repositories": {"a": 1.5}}},
            ("git", "repositories", "a"),
            "expected a string, found the number 1.5",
        ),
        ({"facets": {"slurm": True}}, ("facets", "slurm"), "expected a table, found true"),
    ],
)
def test_a_value_of_another_type_is_never_converted(
    capture: dict[str, Any], place: tuple[str, ...], message: str
) -> None:
    assert faults({"capture": capture}) == [(("capture", *place), message, "")]


def test_a_document_that_is_no_table_is_a_mistake() -> None:
    assert faults("vault") == [((), "expected a table, found the string 'vault'", "")]


@pytest.mark.parametrize(
    ("document", "place", "remedy"),
    [
        ({"vault_directory": "v"}, ("vault_directory",), "did you mean 'vault-directory'?"),
        ({"capture": {"inclde-cpu": True}}, ("capture", "inclde-cpu"), "did you mean 'include-cpu'?"),
        ({"capture": {"Include_CPU": True}}, ("capture", "Include_CPU"), "did you mean 'include-cpu'?"),
        ({"capture": {"git": {"zzz": 1}}}, ("capture", "git", "zzz"), "known: repositories"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(
    document: dict[str, Any], place: tuple[str, ...], remedy: str
) -> None:
    assert faults(document) == [(place, "unknown key", remedy)]


def test_a_misspelt_choice_is_refused_with_the_nearest_and_the_list() -> None:
    assert faults({"capture": {"files": {"a": {"hash": "SHA-256"}}}, "durability": "quick"}) == [
        (("durability",), "expected one of 'full', 'fast', found the string 'quick'", ""),
        (
            ("capture", "files", "a", "hash"),
            "expected one of 'md5', 'sha1', 'sha256', 'sha3', found the string 'SHA-256'",
            "did you mean 'sha256'?",
        ),
    ]


def test_all_mistakes_of_types_and_of_laws_are_told_at_once() -> None:
    document = {
        "vault-directory": "..",
        "capsule-template": "../%Y",
        "capture": {
            "pre-capture-commands": [1, "ls", ""],
            "pre-capture-time-limit": 0,
            "environment-variables": ["A=B", 2, "HOME"],
            "files": {
                "a": {"hash": "md6", "move": True, "copy": True},
                "../b": {"move": True},
                "": {},
                "c": {"cpoy": True},
            },
            "git": {"repositories": {"a": ".", "a.staged": "x", "files": "", "../c": 3}},
        },
        "monitor": {"output-in-record": -1, "item": {"train": {"files": {"/d": {"move": True}}}}},
    }

    told = faults(document)

    choices = "expected one of 'md5', 'sha1', 'sha256', 'sha3', found the string 'md6'"
    capture, files, repositories = ("capture",), ("capture", "files"), ("capture", "git", "repositories")
    assert told == [
        ((*capture, "pre-capture-commands"), "expected a string, found the number 1", ""),
        ((*capture, "environment-variables"), "expected a string, found the number 2", ""),
        ((*files, "a", "hash"), choices, "did you mean 'md5'?"),
        ((*files, "c", "cpoy"), "unknown key", "did you mean 'copy'?"),
        ((*repositories, "../c"), "expected a string, found the number 3", ""),
        (("vault-directory",), "'..' is a directory that holds the root directory", ""),
        (("capsule-template",), "'../%Y' has the component '..'", ""),
        ((*capture, "pre-capture-commands"), "'' is empty", ""),
        ((*capture, "pre-capture-time-limit"), "0 is not between 0 and 1e+09 seconds", ""),
        ((*capture, "environment-variables"), "'A=B' holds '='", ""),
        ((*files, "a"), "'a' would be both moved and copied", "set only one of move and copy"),
        ((*files, "../b"), "'../b' would be moved from outside the root directory", "copy it instead"),
        ((*files, ""), "'' is empty", ""),
        ((*repositories, "a.staged"), "'a.staged' would share the file of its diff with 'a'", "rename one"),
        ((*repositories, "files"), "'files' begins with 'files', a name of Capsula's own", ""),
        ((*repositories, "files"), "'' is empty", ""),
        (("monitor", "output-in-record"), "-1 is not between 0 and 16777216 bytes", ""),
        (
            ("monitor", "item", "train", "files", "/d"),
            "'/d' would be moved from outside the root directory",
            "copy it instead",
        ),
    ]


def test_two_keys_for_one_file_must_agree() -> None:
    copied, hashed = {"copy": True}, {"hash": "md5"}
    files = {"a": copied, "./a": copied, "b/../a": hashed, "/home/user/project/a": hashed, "b": hashed}

    remark = "names the same file as 'a', with other options"
    assert faults({"capture": {"files": files}}) == [
        (("capture", "files", key), f"'{key}' {remark}", "keep one") for key in ["b/../a", "/home/user/project/a"]
    ]


@pytest.mark.parametrize("limit", [-1, 0.0, float("inf"), float("nan"), 10**400])
def test_a_time_limit_that_never_ends_or_never_begins_is_refused(limit: float) -> None:
    [(place, _, _)] = faults({"capture": {"pre-capture-time-limit": limit}})

    assert place == ("capture", "pre-capture-time-limit")


def test_a_message_repeats_a_long_value_only_in_part() -> None:
    [(_, message, _)] = faults({"vault-directory": [], "capsule-template": "x"} | {"durability": "x" * 10_000})[1:]

    assert message == f"expected one of 'full', 'fast', found the string '{'x' * 79}..."


def test_settings_of_a_facet_are_handed_over_unread() -> None:
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    mistaken = structured({"capture": {"facets": {"x": deep}, "zzz": 1}}, "capsula.toml", ROOT)
    sound = structured({"capture": {"facets": {"x": deep}}}, "capsula.toml", ROOT)

    assert [it.path for it in mistaken.failure()] == [("capture", "zzz")]
    assert sound.unwrap().capture.facets["x"] is deep


def test_a_mistake_prints_its_file_its_place_and_its_remedy() -> None:
    mistake = Fault("mistake", "unknown key", "did you mean 'b'?", ("a", "bb"), "capsula.toml").under("tool")

    assert str(mistake) == "capsula.toml: tool > a > bb: unknown key (did you mean 'b'?)"
    assert isinstance(mistake, Fault)


def settings_with(**items: dict[str, FileSettings]) -> Settings:
    """Return settings with these monitored items."""
    return Settings(monitor=MonitorSettings(item={name: ItemSettings(files) for name, files in items.items()}))


def test_an_unknown_item_is_told_with_the_nearest_and_the_known_ones() -> None:
    settings = settings_with(train={}, test={})

    mistakes = item_mistakes(settings, ("train", "trian", "zzz", "trian"))

    assert mistakes == (
        Fault("mistake", "no such item", "did you mean 'train'? known: train, test", ("monitor", "item", "trian")),
        Fault("mistake", "no such item", "known: train, test", ("monitor", "item", "zzz")),
    )
    assert item_mistakes(Settings(), ("a",))[0].remedy == "known: none"


def test_items_conflict_only_where_both_are_named_and_want_different_things() -> None:
    settings = settings_with(
        one={"a": FileSettings(copy=True), "b": FileSettings()},
        two={"./a": FileSettings(move=True), "b": FileSettings()},
        three={"a": FileSettings(copy=True)},
    )

    alone = [conflicts(settings, items) for items in [(), ("one",), ("one", "three"), ("one", "one"), ("one", "zzz")]]
    both = conflicts(settings, ("one", "three", "two"))

    place = ("monitor", "item", "two", "files", "./a")
    remedy = "give both items the same options, or use one of them"
    assert alone == [()] * 5
    assert both == (
        Fault("mistake", "the item 'one' has other options for this file", remedy, place),
        Fault("mistake", "the item 'three' has other options for this file", remedy, place),
    )
