"""The judgement over a replay, whatever the capsule of the recorded run says that it ended with."""

import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from capsula.core.config import Config
from capsula.core.document import Document
from capsula.effects.surroundings import surroundings
from capsula.flows.blueprint import Blueprint, Wish, blueprint
from capsula.flows.inspect import inspected, named
from capsula.flows.load import load
from capsula.flows.reproduce import Reproduction, reproduce
from capsula.flows.run import AFTER
from capsula.flows.verdict import Replay, judgement
from capsula.reproduction.comparison import Tolerance
from capsula.reproduction.verdict import Verdict, exit_status, lines
from tests.repositories import repository
from tests.running import capsula

SETTINGS = b"[capture]\ninclude-cpu = false\ninclude-python-packages = false\ninclude-system = false\n"
PROGRAM = b"print('done'); open('result.txt', 'w').write('1.5')"
GOOD = {"identical", "equivalent", "close", "success", "exact"}


@frozen
class Replayed:
    """A run, and its replay, which is identical."""

    it: Blueprint
    reproduction: Reproduction
    place: Path

    def judged(self, result: Document) -> Verdict:
        """Return the verdict, if this were what the capsule says of the end of its run."""
        it = self.it._replace(documents={**self.it.documents, AFTER: result})
        (monitored,) = self.reproduction.replays
        return judgement(it, [Replay(monitored, self.place / "tree", Tolerance())], ())


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder = tmp_path_factory.mktemp("verdict")
    root = repository(folder / "project", {"capsula.toml": SETTINGS, "main.py": PROGRAM})
    capsula("monitor", sys.executable, "main.py", cwd=root)
    here = surroundings()._replace(cwd=root)
    config: Config = load(None, here).unwrap()
    it = blueprint(inspected(named("@", config).unwrap()), config).unwrap()
    reproduction = reproduce(it, Wish(rebuild=False), [folder / "place"], here).unwrap()
    return Replayed(it, reproduction, folder / "place")


def test_a_replay_is_judged_by_all_that_its_run_ended_with(replayed: Replayed) -> None:
    verdict = replayed.judged(replayed.it.result)

    assert lines(verdict)[0] == "identical: exit status, stdout, 1 output file"
    assert exit_status(verdict) == 0


@pytest.mark.parametrize("told", [None, "0", False, 0.0, [], {}, 1, -1, 2**70])
def test_no_other_exit_status_reads_like_success(replayed: Replayed, told: Any) -> None:
    assert_no_success(replayed.judged({**replayed.it.result, "exit_code": told}))


@pytest.mark.parametrize("key", ["exit_code", "outputs"])
def test_what_is_missing_at_the_end_of_a_run_never_reads_like_success(replayed: Replayed, key: str) -> None:
    assert_no_success(replayed.judged({name: it for name, it in replayed.it.result.items() if name != key}))


@pytest.mark.parametrize(
    "told",
    [
        None,
        "result.txt",
        {},
        {"result.txt": {}},
        {"result.txt": {"size": 3}},
        {"result.txt": {"change": "removed"}},
        {"result.txt": {"link": "elsewhere"}},
        {"result.txt": {"file_hash": "", "hash_algorithm": "sha256"}},
        {"result.txt": {"file_hash": "00", "hash_algorithm": "none"}},
        {"result.txt": {"kept_as": "../../result.txt"}},
        {"result.txt": {"kept_as": "stdout.log"}},
        {"/etc/passwd": {}},
        {"/etc/passwd": {"kept_as": "/etc/passwd"}},
        {"../tree/result.txt": {}},
    ],
)
def test_no_other_account_of_the_outputs_reads_like_success(replayed: Replayed, told: Any) -> None:
    assert_no_success(replayed.judged({**replayed.it.result, "outputs": told}))


def assert_no_success(verdict: Verdict) -> None:
    facts = verdict.as_facts()

    assert exit_status(verdict) != 0
    assert facts["verdict"] not in GOOD
    assert not GOOD & set(lines(verdict)[0].replace(":", " ").split())


class _Counting(dict[str, Any]):
    """A document that counts how often somebody reads of the outputs in it."""

    reads = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += key == "outputs"
        return super().get(key, default)


def test_what_a_capsule_says_of_its_outputs_is_read_no_more_often_because_there_are_many(replayed: Replayed) -> None:
    outputs: Any = replayed.it.result["outputs"]
    (facts,) = outputs.values()
    one, many = (_Counting({**replayed.it.result, "outputs": {str(name): facts for name in range(n)}}) for n in (1, 9))

    replayed.judged(one)
    replayed.judged(many)

    assert one.reads == many.reads
