"""What the capsule of a decorated call tells."""

import inspect
import json
import sys
from pathlib import Path

import pytest

import capsula
from tests.calls import LEAN, after, afters, befores, capsules, configured, run, values


def test_a_call_is_recorded_with_all_that_is_known_of_it(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True, strict=True)
    def area(width: int, *, height: float = 1.0) -> float:
        return width * height

    answer = area(2, height=1.5)

    (before,) = befores(root)
    (directory,) = capsules(root)
    assert answer == 3.0
    code = inspect.unwrap(area).__code__
    assert before.pop("command")["argv"] == sys.orig_argv
    assert {key: value for key, value in before.items() if key not in ("timestamp", "capsula")} == {
        "root_directory": str(root),
        "cwd": str(Path.cwd()),
        "source_file": __file__,
        "source_line": code.co_firstlineno,
        "function_name": "area",
        "qualified_name": f"{__name__}.{area.__qualname__}",
        "args": [2],
        "kwargs": {"height": 1.5},
    }
    ended = after(root)
    assert {key: value for key, value in ended.items() if key not in ("timestamp", "run_time", "capsula")} == {
        "root_directory": str(root),
        "files": {},
        "return_value": 3.0,
        "exception_info": None,
        "records": {},
    }
    assert ended["capsula"]["id"] == before["capsula"]["id"]
    assert (before["capsula"]["status"], ended["capsula"]["status"]) == ("running", "finished")
    assert (directory / "context.json").is_file()


def test_a_bare_decorator_finds_the_configuration_above_the_source(root: Path, tmp_path: Path) -> None:
    source = "import capsula\n@capsula.monitor\ndef call(): ...\n"
    (root / "below").mkdir()
    (root / "below" / "module.py").write_text(source)

    done = run(
        root,
        "import sys; sys.path.insert(0, 'below')\nimport os, module\nos.chdir('/')\nmodule.call()\n",
        "-W",
        "error",
    )

    assert (done.returncode, done.stderr) == (0, "")
    (before,) = befores(root)
    assert (before["source_file"], before["source_line"], before["cwd"]) == (f"{root}/below/module.py", 2, "/")


def test_a_relative_directory_is_seen_from_where_the_function_was_decorated(root: Path) -> None:
    source = "import os, capsula\n@capsula.monitor('.')\ndef call(): ...\nos.chdir('/')\ncall()\n"

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(capsules(root)) == 1


def test_without_leave_a_returned_value_is_nowhere_on_the_disk(root: Path) -> None:
    secret = "a value that only the caller may see"

    @capsula.monitor(root)
    def call(*, fail: bool) -> str:
        inner = "".join(["a value that ", "only the caller may see"])
        if fail:
            raise ValueError(len(inner))
        return inner

    assert call(fail=False) == secret
    with pytest.raises(ValueError, match="36"):
        call(fail=True)

    ended = afters(root)
    kept = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert ["return_value" in record for record in ended] == [False, False]


def test_arguments_are_recorded_as_they_were_at_the_call(root: Path) -> None:
    @capsula.monitor(root)
    def call(numbers: list[int], table: dict[str, int]) -> None:
        numbers.clear()
        table["x"] = 2

    call([1, 2], table={"x": 1})

    (before,) = befores(root)
    assert (before["args"], before["kwargs"]) == ([[1, 2]], {"table": {"x": 1}})


class Grumpy:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


def test_values_that_are_no_json_are_told_by_type_and_repr(root: Path) -> None:
    numpy = pytest.importorskip("numpy")

    @capsula.monitor(root, include_return_value=True, strict=True)
    def call(*given: object) -> object:
        return given[0]

    with open(__file__) as stream:
        array = numpy.zeros(1_000_000)
        answer = call(array, stream, Grumpy(), list(range(100_000)), float("nan"), "\ud800")

    (before,) = befores(root)
    assert answer is array
    assert [value["type"] for value in before["args"][:4]] == [
        "numpy.ndarray",
        "_io.TextIOWrapper",
        f"{__name__}.Grumpy",
        "list",
    ]
    assert before["args"][4:] == [{"type": "float", "repr": "nan"}, "\\xed\\xa0\\x80"]
    assert [fault["path"] for fault in before["capsula"]["faults"]] == [["args", "2", "repr"], ["args", "3", "whole"]]
    assert values(root) == [{"type": "numpy.ndarray", "repr": repr(array)}]
    assert all(len(path.read_bytes()) < 50_000 for path in capsules(root)[0].glob("*.json"))


def test_what_capsula_asks_of_values_is_not_monitored(root: Path) -> None:
    watch = capsula.monitor(root, include_return_value=True, strict=True)

    class Told:
        @watch
        def __repr__(self) -> str:
            return f"<told by {self.name()}>"

        @watch
        def name(self) -> str:
            return "itself"

    @watch
    def call(told: Told) -> Told:
        capsula.record("told", told)
        return told

    call(Told())

    (before,) = befores(root)
    told = {"type": f"{__name__}.{Told.__qualname__}", "repr": "<told by itself>"}
    assert (before["args"], after(root)["return_value"], after(root)["records"]) == ([told], told, {"told": told})


def test_the_files_of_the_items_are_kept_after_each_call(root: Path) -> None:
    configured(root, '[monitor.item.plot.files]\n"plot.png" = { hash = "sha256", move = true }\n')

    @capsula.monitor(root, items=["plot"], strict=True)
    def plot(content: bytes) -> None:
        (root / "plot.png").write_bytes(content)

    plot(b"first")
    plot(b"second")

    assert [(path / "plot.png").read_bytes() for path in capsules(root)] == [b"first", b"second"]
    assert not (root / "plot.png").exists()


def test_every_call_of_a_loop_has_a_capsule(root: Path) -> None:
    call = capsula.monitor(root, include_return_value=True)(lambda number: number)

    for number in range(30):
        call(number)

    assert values(root) == list(range(30))


def test_every_level_of_a_recursion_has_a_capsule_inside_of_the_one_above(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True)
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    answer = factorial(4)

    headers = [record["capsula"] for record in befores(root)]
    assert answer == 24
    assert values(root) == [24, 6, 2, 1, 1]
    assert [header.get("parent") for header in headers] == [None, *(header["id"] for header in headers[:-1])]


@pytest.mark.parametrize(("recapture", "asked_anew"), [("changing", False), ("all", True)])
def test_what_cannot_change_is_captured_once_a_process_unless_one_wants_more(
    root: Path, recapture: str, asked_anew: bool
) -> None:
    (root / "capsula.toml").write_text(f'[capture]\ninclude-cpu = false\n[monitor]\nrecapture = "{recapture}"\n')
    source = """
import os, sys
import capsula

@capsula.monitor
def work() -> None: ...

work()
os.environ["PYTHONPATH"] = sys.argv[1]
work()
"""
    package = root / "packages" / "later-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1.0\n")

    done = run(root, source.replace("sys.argv[1]", repr(str(package.parent))))

    contexts = [json.loads((path / "context.json").read_text()) for path in capsules(root)]
    assert (done.returncode, done.stderr) == (0, "")
    assert ["later" in context["python_packages"]["distributions"] for context in contexts] == [False, asked_anew]


def test_what_one_function_does_not_capture_another_does(root: Path, tmp_path: Path) -> None:
    other = configured(tmp_path / "other")
    (root / "capsula.toml").write_text(LEAN.replace("[capture]", "[capture]\ninclude-system = false"))

    for place in (root, other):
        capsula.monitor(place)(lambda: None)()

    contexts = [json.loads((capsules(place)[0] / "context.json").read_text()) for place in (root, other)]
    assert ["system" in context for context in contexts] == [False, True]
