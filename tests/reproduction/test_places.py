"""Places: what a replay wrote where its directory is another one."""

import pickle
from hashlib import sha256
from pathlib import Path

import pytest

from capsula.reproduction.compare import Digest, compared, compared_contents
from capsula.reproduction.comparison import Comparison, Grade, Tolerance
from capsula.reproduction.places import places

THERE, HERE = Path("/home/me/my project"), Path("/tmp/w/tree")
PLACES = places((THERE, Path("/home/me/venv"), None), (HERE, Path("/cache/e1"), Path("/unknown")))
BUT_FOR_THAT = "the same but for the directory it ran in"


@pytest.mark.parametrize(
    ("name", "recorded", "replayed"),
    [
        ("stdout.log", b"make: Entering '/home/me/my project/src'\n", b"make: Entering '/tmp/w/tree/src'\n"),
        ("stdout.log", b"in /home/me/my project.\n", b"in /tmp/w/tree.\n"),
        ("stdout.log", b"/home/me/my project /home/me/venv/bin", b"/tmp/w/tree /cache/e1/bin"),
        ("a.html", b"file:///home/me/my%20project/a", b"file:///tmp/w/tree/a"),
        ("a.json", b'["/home/me/my project"]', b'["/tmp/w/tree"]'),
        ("a.unknown", b"\0/home/me/my project\0", b"\0/tmp/w/tree\0"),
        ("a", b"/home/me/my project", b"/tmp/w/tree"),
    ],
)
def test_the_directory_a_run_was_in_is_none_of_its_results(name: str, recorded: bytes, replayed: bytes) -> None:
    comparison = compared_contents(recorded, replayed, name, places=PLACES)

    assert comparison == Comparison(Grade.EQUIVALENT, "bytes", BUT_FOR_THAT)
    assert compared_contents(recorded, replayed, name).grade is Grade.DIFFERENT


def test_the_directory_is_none_of_the_content_of_what_is_packed_either() -> None:
    recorded, replayed = (pickle.dumps({"name": str(place / "a"), "x": 1.5}) for place in (THERE, HERE))

    comparison = compared_contents(recorded, replayed, "a.pickle", places=PLACES)

    assert comparison == Comparison(Grade.EQUIVALENT, "pickle", f"as a listing: {BUT_FOR_THAT}")


def test_of_more_than_the_directory_only_the_rest_is_told() -> None:
    recorded, replayed = b"in /home/me/my project\nresult 1\n", b"in /tmp/w/tree\nresult 2\n"

    beyond = compared_contents(recorded, replayed, "stdout.log", places=PLACES)
    within = compared_contents(recorded, replayed, "stdout.log", Tolerance(0.5), places=PLACES)

    assert (beyond.grade, beyond.reason) == (Grade.DIFFERENT, "1 number differs, 1 beyond the tolerance: line 2")
    reason = "1 number differs, all within the tolerance, and the directory it ran in is another one"
    assert (within.grade, within.reason) == (Grade.CLOSE, reason)


@pytest.mark.parametrize("replayed", [b"/tmp/w/tree2", b"/tmp/w/tree-2", b"/tmp/w/tree.d", b"/tmp/w"])
def test_a_directory_whose_name_only_begins_alike_is_another_one(replayed: bytes) -> None:
    assert compared_contents(b"/home/me/my project", replayed, "a.txt", places=PLACES).grade is Grade.DIFFERENT


def test_a_path_that_both_wrote_alike_stays_the_same_beside_one_that_changed() -> None:
    recorded, replayed = b"/home/me/my project /home/me/my project\n", b"/tmp/w/tree /home/me/my project\n"

    assert compared_contents(recorded, replayed, "a.txt", places=PLACES).reason == BUT_FOR_THAT


def test_a_file_of_which_only_the_hash_is_known_is_recognised_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"/tmp/w/tree\n")

    same, other = (compared(known(it), file, "a.txt", places=PLACES) for it in (b"/home/me/my project\n", b"else\n"))

    assert same == Comparison(Grade.EQUIVALENT, "hash", BUT_FOR_THAT)
    assert (other.grade, other.judged) == (Grade.DIFFERENT, False)


def known(content: bytes) -> Digest:
    return Digest("sha256", sha256(content).hexdigest())


def test_a_run_at_the_top_of_all_directories_has_a_place_too() -> None:
    top = places((Path("/"),), (HERE,))

    assert top.as_there(b"/tmp/w/tree/a") == b"/a"
