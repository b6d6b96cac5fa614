"""A vault under all that happens to it: the contents that were given to it never become fewer, unless one removes them.

Captures, deaths and errors at any operation, captures at once, readers and removals follow one another as they come.
"""

import errno
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from

from capsula.effects.manifest import integrity
from tests.faulty import KILL, Faulty, faulty
from tests.running import PLAIN

CONFIGURATION = PLAIN + '[capture.files]\n"moved-*" = { hash = "sha256", move = true }\n'
STATES = {"captured", "finished", "lost"}


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Faulty]]:
    with ExitStack() as running:
        yield [running.enter_context(faulty(tmp_path_factory.mktemp("faulty"))) for _ in range(2)]


def test_no_content_is_lost_and_no_reader_misled(runners: list[Faulty]) -> None:
    class Vault(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.directory = TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
            self.root = Path(self.directory.name)
            self.vault = self.root / "vault"
            (self.root / "capsula.toml").write_text(CONFIGURATION)
            self.contents: set[str] = set()
            self.drawn = 0

        def teardown(self) -> None:
            self.directory.cleanup()

        @rule()
        def write(self) -> None:
            self.drawn += 1
            content = f"{self.drawn}\n" * 1000
            (self.root / f"moved-{self.drawn}").write_text(content)
            self.contents.add(content)

        @rule(verb=sampled_from([("capture",), ("monitor", "true")]))
        def capture(self, verb: tuple[str, ...]) -> None:
            missing = "" if [*self.root.glob("moved-*")] else "no file is there"

            ended = runners[0].run(verb, self.root)

            assert (ended.status, missing in ended.stderr, bool(missing)) == (0, True, bool(ended.stderr))
            assert list(self.root.glob("moved-*")) == []

        @rule(
            verb=sampled_from([("capture",), ("monitor", "true")]),
            error=sampled_from([KILL, errno.EIO, errno.ENOSPC, errno.EACCES]),
            at=integers(1, 60),
        )
        def fail(self, verb: tuple[str, ...], error: int, at: int) -> None:
            self.write()  # so that there is something to lose
            below = (self.vault, *self.root.glob("moved-*"))

            ended = runners[0].run(verb, self.root, below, error=error, at=at, sticky=error == errno.ENOSPC)

            assert "Traceback" not in ended.stderr

        @rule(error=sampled_from([KILL, None]), at=integers(1, 60))
        def capture_twice_at_once(self, error: int | None, at: int) -> None:
            with ThreadPoolExecutor() as threads:
                one = threads.submit(
                    runners[0].run, ("capture",), self.root, (self.vault,), at=at if error == KILL else 0
                )
                other = threads.submit(runners[1].run, ("capture",), self.root)

            assert other.result().status == 0
            assert "Traceback" not in one.result().stderr

        @rule()
        def remove_the_newest(self) -> None:
            for name in [*self.listed()][:1]:
                capsule = self.vault / name
                self.contents -= {file.read_text() for file in capsule.glob("moved-*")} - self.held(without=capsule)
                shutil.rmtree(capsule)

        @invariant()
        def nothing_is_lost(self) -> None:
            assert self.contents <= self.held()

        @invariant()
        def a_reader_sees_what_is_whole_or_said_to_be_lost(self) -> None:
            for name, state in self.listed().items():
                faults = [it for it in integrity(self.vault / name) if state != "lost"]
                assert (state in STATES, faults) == (True, []), (name, state)

        def listed(self) -> dict[str, str]:
            told = json.loads(runners[1].run(("list", "--json"), self.root).stdout)
            return {it["name"]: it["state"] for it in told}

        def held(self, without: Path | None = None) -> set[str]:
            """Return the contents of files that are whole: where they were, or in a capsule that has a name."""
            places = [self.root, *(it for it in self.vault.glob("*") if it.name != ".capsula" and it != without)]
            return {file.read_text() for place in places for file in place.glob("moved-*")}

    run_state_machine_as_test(Vault, settings=settings(max_examples=4, stateful_step_count=12))
