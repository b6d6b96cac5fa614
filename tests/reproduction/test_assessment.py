"""Assessing: what differs between two contexts, in the order in which it could have changed a result."""

import pytest

from capsula.core.fault import Fault, Json
from capsula.reproduction.assessment import CAUSES, Aspect, Assessment, Context, assessed
from capsula.reproduction.differences import Changed, Gone, New, differences
from capsula.reproduction.telling import as_facts, headline, sentences

DIGEST = "d" * 64
BASIS: dict[str, Json] = {
    "root_directory": "/there",
    "cwd": "/there/sub",
    "platform": {"node": "one", "machine": "x86_64", "release": "6.1"},
    "environment_variables": {"HOME": "/home/a"},
    "git": {"p": {"sha": "a" * 40, "dirty": False, "branch": "main"}},
    "source": {"p": {"path": ".", "head": "a" * 40, "digest": DIGEST, "overlay": [{"path": "x.py", "sha256": "1"}]}},
    "files": {"in.csv": {"hash_algorithm": "sha256", "file_hash": "1", "size": 3}},
    "cpu": {"brand_raw": "X", "hz_actual": [1, 0]},
    "python_packages": {
        "interpreter": {"version": "3.11.2", "executable": "/there/.venv/bin/python"},
        "distributions": {"numpy": {"version": "1.26", "digest": "1"}, "six": {"version": "1.16", "digest": "2"}},
    },
    "system": {"kernel": "6.1", "libc": "glibc 2.36"},
    "determinism": {"numerics": {}, "umask": "0022", "cpu": {"model": "X"}},
    "environment": {"values": {"LANG": "C"}, "digests": {"HOME": "h", "SHLVL": "1"}},
    "capsula": {"id": "0"},
}


def changed(place: str, value: Json, facts: Json = None) -> dict[str, Json]:
    """Return the basis with another value at a place, or nothing there if the value is ``...`` in words."""
    first, _, rest = place.partition("/")
    table = dict(BASIS if facts is None else facts)  # type: ignore[arg-type]  # every place leads through tables
    if rest:
        table[first] = changed(rest, value, table.get(first, {}))
    elif value == "absent":
        table.pop(first)
    else:
        table[first] = value
    return table


def of(there: dict[str, Json], here: dict[str, Json], *faults: Fault) -> Assessment:
    return assessed(Context(there, root="/there"), Context(here, faults, root="/there"), CAUSES[1:])


def status(assessment: Assessment) -> dict[str, str]:
    return {aspect.name: aspect.status for aspect in assessment.aspects if aspect.status != "match"}


def test_what_is_the_same_matches_in_all() -> None:
    assessment = of(BASIS, BASIS)

    assert assessment == Assessment(tuple(Aspect(name, "match") for name in CAUSES[1:]), ())
    assert headline(assessment) == (
        "unchanged: source, inputs, packages, interpreter, environment, determinism, system, cpu"
    )


@pytest.mark.parametrize(
    ("place", "value", "aspect", "sentence"),
    [
        ("source/p", {"path": ".", "head": "a" * 40, "digest": "e"}, "source", "x.py changed"),
        ("source/p", {"path": ".", "head": "b" * 40, "digest": "e"}, "source", "commit: aaaaaaa → bbbbbbb"),
        ("files/in.csv/file_hash", "2", "inputs", "in.csv changed"),
        ("python_packages/distributions/numpy", {"version": "2.0", "digest": "9"}, "packages", "numpy 1.26 → 2.0"),
        ("python_packages/distributions/numpy/digest", "9", "packages", "numpy: same version, other content"),
        ("python_packages/distributions/new", {"version": "1"}, "packages", "new 1 is new"),
        ("python_packages/interpreter/version", "3.12.1", "interpreter", "version: 3.11.2 → 3.12.1"),
        ("environment/digests/HOME", "other", "environment", "HOME has another value"),
        ("environment/digests/MY_ENV", "m", "environment", "MY_ENV is new"),
        ("determinism/umask", "0077", "determinism", "umask: 0022 → 0077"),
        ("determinism/cpu/model", "Y", "cpu", "model: X → Y"),
        ("system/libc", "glibc 2.39", "system", "libc: glibc 2.36 → glibc 2.39"),
        ("cpu/brand_raw", "Y", "cpu", "brand_raw: X → Y"),
        ("mine", {"a": 1}, "mine", ""),
    ],
)
def test_a_change_is_told_where_it_belongs(place: str, value: Json, aspect: str, sentence: str) -> None:
    assessment = of(BASIS, changed(place, value))

    if sentence:
        assert status(assessment) == {aspect: "drift"}
        assert sentences(assessment.drifted[0].differences) == (sentence,)
        assert headline(assessment).startswith(f"{aspect} ({sentence}); unchanged: ")
    else:
        assert status(assessment) == {aspect: "unknown"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("platform/node", "two"),
        ("platform/release", "7"),
        ("git/p/branch", "other"),
        ("git/p/sha", "b" * 40),
        ("source/p/overlay", []),
        ("source/p/head", "b" * 40),
        ("cpu/hz_actual", [2, 0]),
        ("python_packages/interpreter/executable", "/usr/bin/python"),
        ("environment/digests/SHLVL", "2"),
        ("environment_variables/HOME", "/home/b"),
        ("capsula/id", "1"),
        ("cwd", "/elsewhere"),
    ],
)
def test_what_changes_no_result_is_no_drift(place: str, value: Json) -> None:
    assert status(of(BASIS, changed(place, value))) == {}


def test_paths_below_the_root_are_the_same_wherever_it_is() -> None:
    there = changed("system/image", "/there/image")

    assessment = assessed(Context(there, root="/there"), Context(changed("system/image", "/here/image"), root="/here"))

    assert "system" in assessment.named("match")


def test_what_is_gone_is_missing() -> None:
    assert status(of(BASIS, changed("files/in.csv", "absent"))) == {"inputs": "missing"}
    assert status(of(BASIS, changed("environment/digests/HOME", "absent"))) == {"environment": "missing"}


@pytest.mark.parametrize("kind", ["missing", "unset"])
def test_a_fault_that_says_it_is_gone_is_drift(kind: str) -> None:
    here = changed("files/in.csv", "absent")

    assert status(of(BASIS, here, Fault(kind, "", path=("files", "in.csv")))) == {"inputs": "missing"}


def test_a_fault_that_hides_it_makes_it_unknown() -> None:
    here = changed("files/in.csv", "absent")

    assessment = of(BASIS, here, Fault("forbidden", "not to be read", path=("files", "in.csv")))

    assert status(assessment) == {"inputs": "unknown"}
    assert assessment.aspects[1].reasons == ("files > in.csv: not to be read",)


@pytest.mark.parametrize("place", ["python_packages", "determinism", "environment"])
def test_a_facet_that_was_not_recorded_is_unknown_and_no_match(place: str) -> None:
    names = {
        "python_packages": ["packages", "interpreter"],
        "determinism": ["determinism"],
        "environment": ["environment"],
    }

    assert status(of(changed(place, "absent"), BASIS)) == dict.fromkeys(names[place], "unknown")
    assert status(of(BASIS, changed(place, "absent"))) == dict.fromkeys(names[place], "unknown")


def test_a_commit_alone_tells_the_source_only_if_nothing_was_uncommitted() -> None:
    clean = changed("source", "absent")
    dirty = changed("git/p/dirty", True, clean)
    unsaid = changed("git/p/dirty", "absent", clean)

    assert [status(of(facts, facts)) for facts in (clean, dirty, unsaid)] == [
        {},
        {"source": "unknown"},
        {"source": "unknown"},
    ]
    assert status(of(clean, changed("git/p/sha", "b" * 40, clean))) == {"source": "drift"}


def test_hashes_of_two_algorithms_tell_nothing() -> None:
    here = changed("files/in.csv", {"hash_algorithm": "md5", "file_hash": "9", "size": 3})

    assert status(of(BASIS, here)) == {"inputs": "unknown"}


def test_the_likeliest_cause_comes_first() -> None:
    here = changed("system/libc", "other", changed("files/in.csv/file_hash", "2"))

    assert headline(of(BASIS, here)) == (
        "inputs (in.csv changed); also system; unchanged: source, packages, interpreter, environment, determinism, cpu"
    )


def test_values_of_the_environment_are_never_told() -> None:
    here = changed("environment/values/LANG", "secret", changed("determinism", "absent"))

    (aspect,) = of(BASIS, here).drifted

    assert [as_facts(it) for it in aspect.differences] == [
        {"path": ["environment", "variables", "LANG"], "change": "changed", "there": None, "here": None}
    ]
    assert sentences(aspect.differences) == ("LANG has another value",)


@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {}, {"a": None}, {"p": {"overlay": 3, "nested": [1]}}, True])
def test_facts_of_any_kind_are_assessed(odd: Json) -> None:
    for facet in BASIS:
        for pair in ((BASIS, changed(facet, odd)), (changed(facet, odd), BASIS)):
            assessment = of(*pair)
            assert headline(assessment)
            assert all(sentences(aspect.differences) for aspect in assessment.drifted)


def test_lists_of_named_things_are_compared_by_their_names() -> None:
    there: Json = [{"name": "a", "v": 1}, {"name": "b", "v": 1}]
    here: Json = [{"name": "b", "v": 2}, {"name": "c", "v": 1}]

    assert list(differences(there, here)) == [
        Gone(("a",), {"name": "a", "v": 1}),
        Changed(("b", "v"), 1, 2),
        New(("c",), {"name": "c", "v": 1}),
    ]
