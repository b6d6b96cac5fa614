"""Laws of the configuration: what is written is what is read, and a mistake is where it was made."""

from collections.abc import Iterator, Mapping
from datetime import date
from os.path import normpath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, TypeVar

from cattrs.cols import is_namedtuple
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Result

from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, KeyPath
from capsula.core.names import clashes, repository_flaw, template_flaw, vault_flaw
from capsula.core.settings import CaptureSettings, FileSettings, GitSettings, ItemSettings, MonitorSettings, Settings
from capsula.core.strict import LARGEST_OUTPUT
from capsula.flows.load import load

Toml: TypeAlias = "bool | int | float | str | date | list[Toml] | dict[str, Toml]"
T = TypeVar("T")

keys = st.text(max_size=8)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
components = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
paths_below = st.lists(components.filter(lambda it: it not in {".", ".."}), min_size=1, max_size=3).map("/".join)


def made(kind: type[T], **strategies: st.SearchStrategy[object]) -> st.SearchStrategy[T]:
    """Return values of a kind; what is not named has its default."""
    return st.fixed_dictionaries(strategies).map(lambda values: kind(**values))


json_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | keys,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(keys, values, max_size=3),
    max_leaves=5,
)
hashes = st.sampled_from(["md5", "sha1", "sha256", "sha3", None])
kept = made(FileSettings, hash=hashes, copy=st.booleans())
moved = made(FileSettings, hash=hashes, move=st.just(value=True))
files = st.builds(
    lambda one, other: {**one, **other},
    st.dictionaries(texts, kept, max_size=3),
    st.dictionaries(paths_below, moved, max_size=3),
).filter(lambda wishes: len({normpath(key) for key in wishes}) == len(wishes))
repositories = st.dictionaries(
    paths_below.filter(lambda name: repository_flaw(name) is None), texts, max_size=3
).filter(lambda names: not clashes(names))
templates = (paths_below | st.sampled_from(["%Y%m%d_%H%M%S", "%Y/%j", "%c"])).filter(
    lambda template: template_flaw(template) is None
)
vaults = (paths_below | paths_below.map("../{}".format)).filter(lambda it: vault_flaw(it, Path("/root")) is None)
captures = made(
    CaptureSettings,
    include_cpu=st.booleans(),
    include_python_packages=st.booleans(),
    pre_capture_commands=st.lists(texts, max_size=3).map(tuple),
    pre_capture_time_limit=st.floats(0, 1e9, exclude_min=True) | st.integers(1, 10**9),
    environment_variables=st.lists(texts.filter(lambda it: "=" not in it), max_size=3).map(tuple),
    files=files,
    git=made(GitSettings, repositories=st.none() | repositories),
    facets=st.dictionaries(keys, st.dictionaries(keys, json_values, max_size=3), max_size=2),
)
monitors = made(
    MonitorSettings,
    capture=st.booleans(),
    known_hash_seed=st.booleans(),
    output_in_record=st.integers(0, LARGEST_OUTPUT),
    item=st.dictionaries(keys, made(ItemSettings, files=files), max_size=2),
)
all_settings = made(
    Settings,
    vault_directory=vaults,
    capsule_template=templates,
    durability=st.sampled_from(["full", "fast", None]),
    capture=captures,
    monitor=monitors,
)


@given(all_settings)
def test_settings_survive_the_file_they_are_written_to(settings: Settings) -> None:
    loaded = loaded_from(document_of(settings))

    assert loaded.unwrap().settings == settings


@given(all_settings, st.data())
def test_every_mistake_is_told_at_its_place_and_hides_no_other(settings: Settings, data: st.DataObject) -> None:
    document = document_of(settings)
    candidates = st.lists(st.sampled_from(sorted(places(settings))), min_size=1, max_size=5, unique=True)
    chosen = data.draw(candidates.map(separate))
    for place in chosen:
        plant(document, place, data.draw(mistakes_at(place)))

    loaded = loaded_from(document)

    assert sorted(mistake.path for mistake in loaded.failure()) == sorted(chosen)


def places(value: object, place: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield every place where a mistake can be made: of what is there, and of a key that is nowhere."""
    if place[:2] == ("capture", "facets") and len(place) == 3:
        return
    if is_namedtuple(type(value)):
        yield (*place, "no-such-key")
    for key, part in parts(value).items():
        yield (*place, key)
        yield from places(part, (*place, key))


def mistakes_at(place: KeyPath) -> st.SearchStrategy[Toml]:
    """Return values that are mistakes at a place: of a type that fits nowhere, or against a law."""
    lawless: dict[KeyPath, Toml] = {
        ("vault-directory",): "a/..",
        ("capsule-template",): "%Y/..",
        ("capture", "pre-capture-commands"): ["\0"],
        ("capture", "pre-capture-time-limit"): 0,
        ("capture", "environment-variables"): ["A=B"],
        ("monitor", "output-in-record"): -1,
    }
    is_file = (place[:2], len(place)) in {(("capture", "files"), 3), (("monitor", "item"), 5)}
    torn: dict[str, Toml] = {"move": True, "copy": True}
    misfit: Toml = date(2024, 2, 29)
    return st.sampled_from([misfit, torn if is_file else lawless.get(place, misfit)])


def separate(chosen: list[KeyPath]) -> list[KeyPath]:
    """Return the places that lie in no other."""
    return [place for place in chosen if not any(place[: len(it)] == it for it in chosen if it != place)]


def plant(document: Toml, place: KeyPath, value: Toml) -> None:
    for key in place[:-1]:
        assert isinstance(document, dict)
        document = document[key]
    assert isinstance(document, dict)
    document[place[-1]] = value


def document_of(value: object) -> Toml:
    if is_namedtuple(type(value)) or isinstance(value, Mapping):
        return {key: document_of(part) for key, part in parts(value).items()}
    if isinstance(value, tuple | list):
        return [document_of(part) for part in value]
    assert isinstance(value, bool | int | float | str)
    return value


def parts(value: object) -> Mapping[str, object]:
    """Return what a table holds; nothing of what is no table."""
    if isinstance(value, Mapping):
        return value
    names: tuple[str, ...] = getattr(value, "_fields", ())
    return {name.replace("_", "-"): getattr(value, name) for name in names if getattr(value, name) is not None}


def loaded_from(document: Toml) -> Result[Config, tuple[Fault, ...]]:
    assert isinstance(document, dict)
    lines = [f"{written(key)} = {written(part)}\n" for key, part in document.items()]
    with TemporaryDirectory() as directory:
        Path(directory, "capsula.toml").write_text("".join(lines), encoding="utf-8", newline="")
        return load(Path(directory), Surroundings(Path(directory), {}, (), "python"))


def written(value: Toml) -> str:
    """Return a value as it stands in TOML, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = (f"\\u{ord(it):04x}" if it < " " or it in '"\\\x7f' else it for it in value)
            return f'"{"".join(escaped)}"'
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return f"{{{', '.join(f'{written(key)} = {written(part)}' for key, part in value.items())}}}"
        case _:
            return str(value)
