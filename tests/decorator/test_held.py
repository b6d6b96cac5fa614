"""A call holds on to nothing: what it was given is freed when it is over, as undecorated."""

import gc
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import capsula
from tests.calls import LEAN, configured
from tests.repositories import repository

WITHOUT_GIT = LEAN
WITH_GIT = LEAN.replace("[capture.git.repositories]\n", "")
BROKEN = "this is = = no toml"


class Given:
    """Something that can be seen to be gone."""


def plain(given: Given) -> Given:
    return given


def failing(given: Given) -> None:
    raise ValueError(given)


def generating(given: Given) -> Generator[Given, None, Given]:
    yield given
    return given


async def asynchronous(given: Given) -> Given:
    return given


async def asynchronously_generating(given: Given) -> AsyncGenerator[Given, None]:
    yield given


@pytest.fixture
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.filterwarnings("ignore::capsula.CapsulaWarning")
@pytest.mark.parametrize("settings", [WITHOUT_GIT, WITH_GIT, BROKEN], ids=["without git", "with git", "broken"])
@pytest.mark.parametrize("place", ["a repository", "no repository"])
def test_what_a_call_was_given_is_freed_when_it_is_over(tmp_path: Path, settings: str, place: str) -> None:
    root = repository(tmp_path / "root", {"file": b""}) if place == "a repository" else configured(tmp_path / "root")
    (root / "capsula.toml").write_text(settings)
    watch = capsula.monitor(root, include_return_value=True)

    def is_freed(call: Callable[[Given], object]) -> bool:
        given = Given()
        alive = weakref.ref(given)
        with_nothing_left(call, given)
        del given
        return alive() is None

    def with_nothing_left(call: Callable[[Given], object], given: Given) -> None:
        with suppress(ValueError):
            call(given)

    calls = (
        watch(plain),
        watch(failing),
        lambda given: list(watch(generating)(given)),
        lambda given: next(watch(generating)(given)),
        lambda given: ended(watch(asynchronous)(given)),
        lambda given: ended(anext(watch(asynchronously_generating)(given))),
    )
    assert [is_freed(call) for call in calls] == [True] * len(calls)


def ended(steps: Coroutine[None, None, object]) -> None:
    with suppress(StopIteration):
        steps.send(None)
