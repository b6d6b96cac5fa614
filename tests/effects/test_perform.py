"""Performing effects: each answers at its place, and costs only itself."""

import os
from collections.abc import Iterator
from pathlib import Path

from returns.result import Failure, Success

from capsula.core.effect import Keep, Remember, Remove, Shell, Source, Write
from capsula.core.fault import Fault
from capsula.core.fragment import Fragment
from capsula.effects.keep import identity
from capsula.effects.perform import performed


def text(content: bytes) -> Source:
    return Source(f"{len(content)} bytes", lambda: iter([content]))


def broken() -> Iterator[bytes]:
    yield b"begun"
    raise OSError("the source is gone")


def removal(origin: Path) -> Remove:
    return Remove(origin, identity(origin.stat()), at=("moved",))


def test_effects_are_performed_in_their_order_each_for_its_place(tmp_path: Path) -> None:
    effects = (
        Shell("echo x > made", tmp_path, 60, at=("first",)),
        Keep(tmp_path / "made", "kept", at=("second",)),
        Keep(tmp_path / "gone", "gone", at=("third",)),
        Write((("diff", text(b"xy")),), at=("fourth",)),
    )

    answers = performed(effects, tmp_path / "capsule")

    assert [place for place, _ in answers] == [("first",), ("second",), ("third",), ("fourth",)]
    assert [isinstance(answer, Success) for _, answer in answers] == [True, True, False, True]
    assert answers[2][1] == Failure(
        Fault("missing", f"{tmp_path / 'gone'} could not be kept: No such file or directory")
    )
    assert sorted(os.listdir(tmp_path / "capsule")) == ["diff", "kept"]


def test_what_is_written_is_listed(tmp_path: Path) -> None:
    effect = Write((("a.diff", text(b"one")), ("b/c.diff", text(b""))), at=("patches",))

    ((_, answer),) = performed((effect,), tmp_path)

    assert answer == Success(
        Fragment(
            [
                {"file": "a.diff", "content": "3 bytes", "size": 3},
                {"file": "b/c.diff", "content": "0 bytes", "size": 0},
            ]
        )
    )
    assert ((tmp_path / "a.diff").read_bytes(), (tmp_path / "b/c.diff").read_bytes()) == (b"one", b"")


def test_of_contents_that_belong_together_all_are_written_or_none(tmp_path: Path) -> None:
    effect = Write((("a.diff", text(b"one")), ("b.diff", Source("broken", broken))), at=("patches",))

    ((_, answer),) = performed((effect,), tmp_path)

    assert answer == Failure(Fault("failed", "b.diff: the source is gone"))
    assert os.listdir(tmp_path) == []


def test_a_file_that_stands_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "a.diff").write_text("old")

    ((_, answer),) = performed((Write((("a.diff", text(b"new")),), at=("patches",)),), tmp_path)

    assert answer == Failure(Fault("failed", "a.diff: File exists"))
    assert (tmp_path / "a.diff").read_text() == "old"


def test_what_was_kept_is_removed(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_text("x")

    answers = performed((removal(origin),), tmp_path)

    assert answers == [(("moved",), Success(Fragment()))]
    assert not origin.exists()


def test_what_was_changed_since_it_was_kept_stays(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_text("x")
    effect = removal(origin)
    origin.write_text("changed")

    answers = performed((effect,), tmp_path)

    message = f"{origin} was changed after it was kept, and stays where it is"
    assert answers == [(("moved",), Failure(Fault("changed", message)))]
    assert origin.read_text() == "changed"


def test_what_was_replaced_since_it_was_kept_stays(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_text("x")
    effect = removal(origin)
    status = origin.stat()
    (tmp_path / "other").write_text("y")
    os.utime(tmp_path / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "other").rename(origin)

    ((_, answer),) = performed((effect,), tmp_path)

    assert answer.failure().kind == "changed"
    assert origin.read_text() == "y"


def test_a_link_to_where_it_was_moved_since_stays(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_text("x")
    effect = removal(origin)
    origin.rename(tmp_path / "elsewhere")
    origin.symlink_to("elsewhere")

    ((_, answer),) = performed((effect,), tmp_path)

    assert answer.failure().kind == "changed"
    assert origin.is_symlink()


def test_what_is_gone_already_is_told(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_text("x")
    effect = removal(origin)
    origin.unlink()

    answers = performed((effect,), tmp_path)

    message = f"{origin} is kept, and could not be removed: No such file or directory"
    assert answers == [(("moved",), Failure(Fault("missing", message)))]


def test_what_cannot_be_remembered_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    effects = (Remember(tmp_path / "file/below", b"x"), Remember(tmp_path / "folder/new", b"x"))

    answers = performed(effects, tmp_path)

    assert answers == [((), Success(Fragment()))] * 2
    assert (tmp_path / "folder/new").read_bytes() == b"x"
