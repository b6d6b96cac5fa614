"""The environment: what programs listen to is told, all else can only be told apart."""

import json
from pathlib import Path

from capsula.collectors.environment import collect
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Seal
from capsula.core.settings import CaptureSettings, DiscretionSettings, Settings
from capsula.flows.inspect import part
from tests.running import PLAIN, capsula, capsules, document

ENVIRON = {
    "OMP_NUM_THREADS": "2",
    "LANG": "C",
    "PYTHONPATH": "lib",
    "MINE": "told",
    "API_TOKEN": "hidden",
    "OTHER": "hidden too",
    "PYTHON_INDEX": "https://me:word@host/",
}


def config(environ: dict[str, str], *named: str) -> Config:
    settings = Settings()._replace(capture=CaptureSettings(environment_variables=named))
    return Config(Path("/root"), settings, Surroundings(Path("/"), environ, (), "python"))


def test_values_are_told_of_what_programs_listen_to_and_of_what_is_named() -> None:
    fragment = collect(config(ENVIRON, "MINE", "API_TOKEN")).unwrap()

    assert fragment.facts == {"values": {"LANG": "C", "MINE": "told", "OMP_NUM_THREADS": "2", "PYTHONPATH": "lib"}}
    (seal,) = fragment.effects
    assert isinstance(seal, Seal)
    assert (seal.vault, seal.at) == (Path("/root/vault"), ("digests",))
    assert list(seal.values) == ["API_TOKEN", "OTHER", "PYTHON_INDEX"]
    assert "hidden" not in repr(fragment)


def test_the_value_of_a_secret_name_that_is_allowed_is_told() -> None:
    named = config(ENVIRON, "API_TOKEN")
    allowing = named._replace(settings=named.settings._replace(discretion=DiscretionSettings(allow=("API_TOKEN",))))

    fragment = collect(allowing).unwrap()

    assert part(fragment.facts, "values", "API_TOKEN") == "hidden"


def test_a_capsule_tells_values_apart_and_none_of_the_hidden(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("include-environment = false", ""))
    for value in ("one", "one", "two"):
        assert capsula("capture", cwd=tmp_path, MY_TOKEN=f"secret-{value}").returncode == 0

    kept = capsules(tmp_path)
    contexts = sorted((document(capsule, "context.json") for capsule in kept), key=lambda it: it["capsula"]["taken"])

    digests = [context["environment"]["digests"]["MY_TOKEN"] for context in contexts]
    assert digests[0] == digests[1] != digests[2]
    assert "secret-" not in json.dumps(contexts)
