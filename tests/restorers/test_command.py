"""The command of a replay: as it was, but for paths that lead to where the run was."""

from pathlib import Path

from capsula.restorers.command import Replay, restored

OLD, NEW = Path("/old/project"), Path("/new/place")


def test_words_that_are_no_paths_of_the_root_stay() -> None:
    words = ("python", "train.py", "--lr", "0.1", "/data/x.csv", "/old/projects/y")

    replay = restored(words, ".", OLD, NEW, {})

    assert replay == Replay(words, NEW, ())


def test_paths_below_the_root_lead_to_the_workspace() -> None:
    replay = restored(("cat", "/old/project/a.csv", "--out=/old/project/b/", "/old/project"), "sub", OLD, NEW, {})

    assert replay.argv == ("cat", "/new/place/a.csv", "--out=/new/place/b/", "/new/place")
    assert replay.directory == NEW / "sub"
    assert replay.rewritten == (
        "/old/project/a.csv -> /new/place/a.csv",
        "--out=/old/project/b/ -> --out=/new/place/b/",
        "/old/project -> /new/place",
    )


def test_a_program_of_the_recorded_environment_is_that_of_the_rebuilt_one() -> None:
    programs = {OLD / ".venv/bin": Path("/cache/env/bin")}

    by_path = restored(("/old/project/.venv/bin/pytest", "-q"), ".", OLD, NEW, programs)
    relative = restored((".venv/bin/python", "a.py"), ".", OLD, NEW, programs)
    above = restored(("../.venv/bin/python", "a.py"), "sub", OLD, NEW, programs)
    by_name = restored(("python", "a.py"), ".", OLD, NEW, programs)

    assert by_path.argv == ("/cache/env/bin/pytest", "-q")
    assert relative.argv == ("/cache/env/bin/python", "a.py")
    assert above.argv == ("/cache/env/bin/python", "a.py")
    assert by_name.argv == ("python", "a.py")
