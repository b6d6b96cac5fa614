"""Facets: ours by table, others by the entry points of distributions that are really installed."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import pytest

from capsula import collectors, facets
from tests.running import PLAIN, capsula, document, faults, files, only_capsule
from tests.wheels import installed

FACET = """
from returns.result import Success
from capsula.core.ask import Ask
from capsula.core.fragment import Fragment

def asks(config):
    return (Ask(("echo", config.settings.capture.facets["weather"]["place"])),)

def collect(config):
    return config.answers[asks(config)[0]].map(lambda told: Fragment({"sunny": told.decode().strip()}))
"""

COLLECT = """
import json, os, sys
from pathlib import Path
from attrs import evolve
from capsula import engine, facets
from capsula.core.config import Config, Surroundings
from capsula.core.settings import CaptureSettings, GitSettings, Settings
from capsula.effects.asks import started

tables = json.loads(sys.argv[1])
here = Path.cwd()
capture = CaptureSettings(include_cpu=False, include_python_packages=False, git=GitSettings({}), facets=tables)
config = Config(here, Settings(capture=capture), Surroundings(here, dict(os.environ), (), sys.executable))
with started(facets.asks(config), os.environ, here) as answers:
    config = config._replace(answers=answers)
    chosen = {name: collector for name, collector in facets.collectors(config).items() if name in tables}
    fragment = engine.collect(chosen, config)
faults = [[*fault.path, fault.kind, fault.message, fault.remedy] for fault in fragment.faults]
print(json.dumps([fragment.facts, faults, "importlib.metadata" in sys.modules]))
"""


def test_a_facet_of_another_package_runs_if_its_table_is_there(tmp_path: Path) -> None:
    installed(tmp_path, "weather", FACET)

    facts, faults, _ = collected(tmp_path, {"weather": {"place": "Kyoto"}})

    assert (facts, faults) == ({"weather": {"sunny": "Kyoto"}}, [])


def test_without_a_table_no_other_package_is_looked_for(tmp_path: Path) -> None:
    installed(tmp_path, "weather", "raise SystemExit('imported')")

    collection = collected(tmp_path, {})

    assert collection == ({}, [], False)


def test_an_unknown_facet_is_a_fault_that_lists_the_known_ones(tmp_path: Path) -> None:
    installed(tmp_path, "weather", FACET)

    facts, faults, _ = collected(tmp_path, {"wether": {}, "weather": {"place": "Kyoto"}})

    fault = [
        "wether",
        "unknown",
        "there is no facet wether; known are weather",
        "install the package that brings it, or remove the table [capture.facets.wether]",
    ]
    assert (facts, faults) == ({"weather": {"sunny": "Kyoto"}}, [fault])


def test_whatever_is_wrong_with_a_facet_costs_only_itself(tmp_path: Path) -> None:
    installed(tmp_path, "weather", FACET)
    for name, text in {
        "broken": "import no_such_module",
        "leaving": "raise SystemExit(3)",
        "idle": "",
        "crashing": "def collect(config): return 1 / 0",
        "curious": "def asks(config): return 1 / 0\ndef collect(config): return None",
        "wordy": "def asks(config): return ['ls -l']\ndef collect(config): return None",
        "plain": "def collect(config): return {'sunny': True}",
        "deep": "import pathlib, returns.result as r, capsula.core.fragment as f\n"
        "def collect(config): return r.Success(f.Fragment({'path': [pathlib.Path('.')]}))",
        "idler": "import returns.result as r, capsula.core.fragment as f\n"
        "def collect(config): return r.Success(f.Fragment({}, ('look',)))",
        "honest": "import returns.result as r, capsula.core.fault as f\n"
        "def collect(config): return r.Failure(f.Fault('clouded', 'no sky'))",
    }.items():
        installed(tmp_path, name, text)
    installed(tmp_path, "twice", FACET)
    installed(tmp_path, "twice", FACET, distribution="other")

    facets = [
        "broken",
        "leaving",
        "idle",
        "crashing",
        "curious",
        "wordy",
        "plain",
        "deep",
        "idler",
        "honest",
        "twice",
        "weather",
    ]
    facts, faults, _ = collected(tmp_path, {name: {"place": "Kyoto"} for name in facets})

    assert facts == {"weather": {"sunny": "Kyoto"}}
    assert [tuple(fault[:-1]) for fault in faults] == [
        ("broken", "broken", "broken_facet: ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaving", "broken", "leaving_facet: SystemExit: 3"),
        ("idle", "broken", "idle_facet has no function collect"),
        ("crashing", "crashed", "ZeroDivisionError: division by zero"),
        ("curious", "crashed", "ZeroDivisionError: division by zero"),
        ("wordy", "malformed", "the facet asks what is no Ask with a tuple of words"),
        ("plain", "malformed", "the facet answered with neither a Fragment of JSON and effects nor a Fault"),
        ("deep", "malformed", "the facet answered with neither a Fragment of JSON and effects nor a Fault"),
        ("idler", "malformed", "the facet answered with neither a Fragment of JSON and effects nor a Fault"),
        ("honest", "clouded", "no sky"),
        ("twice", "ambiguous", "several packages bring a facet twice"),
    ]


def test_a_facet_whose_effect_crashes_costs_only_its_own_facts(tmp_path: Path) -> None:
    drawn = "import returns.result as r, capsula.core.fragment as f, capsula.core.effect as e\n"
    drawn += "def drawing(): yield b'<svg'; raise RuntimeError('no ink')\n"
    drawn += "write = e.Write((('drawing.svg', e.Source('drawing', drawing)),), at=('drawing',))\n"
    drawn += "def collect(config): return r.Success(f.Fragment({'ink': 'blue'}, (write,)))\n"
    installed(tmp_path, "drawn", drawn)
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")

    done = capsula("capture", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    told = "capsula: drawn > drawing: RuntimeError: no ink (this is a bug of the facet; please report it)\n"
    assert (done.returncode, done.stderr) == (0, told)
    context = document(only_capsule(tmp_path), "context.json")
    assert (context["drawn"], faults(context)) == ({"ink": "blue"}, [(("drawn", "drawing"), "crashed")])
    assert files(only_capsule(tmp_path)) == {"context.json"}


@pytest.mark.parametrize(
    "effect",
    [
        "e.Write((('told', e.Source('told', lambda: iter((b'text',)), lambda: [{1, 2}])),), at=('it',))",
        "e.Archive('told', pathlib.Path(), {}, None, lambda size, found: f.Fragment({'it': {1, 2}}), at=('it',))",
    ],
    ids=["write", "archive"],
)
def test_an_effect_that_tells_what_no_document_can_hold_leaves_nothing(effect: str, tmp_path: Path) -> None:
    facet = "import pathlib, returns.result as r, capsula.core.fragment as f, capsula.core.effect as e\n"
    facet += f"def collect(config): return r.Success(f.Fragment({{'ink': 'blue'}}, ({effect},)))\n"
    installed(tmp_path, "drawn", facet)
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")

    done = capsula("capture", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    told = "drawn > it: the facet's effect tells what is no JSON (this is a bug of the facet; please report it)"
    assert (done.returncode, done.stderr) == (0, f"capsula: {told}\n")
    assert document(only_capsule(tmp_path), "context.json")["drawn"] == {"ink": "blue"}
    assert files(only_capsule(tmp_path)) == {"context.json"}


def test_no_message_of_a_facet_passes_for_one_of_another(tmp_path: Path) -> None:
    installed(tmp_path, "drawn", "def collect(config): raise OSError('no ink\\ncapsula: all is well')\n")
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")

    done = capsula("capture", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    first, second = done.stderr.splitlines()
    assert first == "capsula: drawn: OSError: no ink"
    assert second == "  capsula: all is well (this is a bug of the facet; please report it)"


Collection: TypeAlias = tuple[dict[str, object], list[list[str]], bool]


def collected(site: Path, tables: dict[str, dict[str, str]]) -> Collection:
    """Collect these facets in a process of its own; return facts, faults, and whether any package was looked at."""
    environ = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-c", COLLECT, json.dumps(tables)]
    done = subprocess.run(command, env=environ, cwd=site, check=True, capture_output=True)
    facts, faults, looked = json.loads(done.stdout)
    return facts, faults, looked


def test_the_facets_that_ask_are_known_beforehand() -> None:
    modules = {
        path.stem: import_module(f"capsula.collectors.{path.stem}")
        for path in Path(collectors.__path__[0]).glob("*.py")
    }

    asking = {name for name, module in modules.items() if hasattr(module, "asks")}

    assert asking == facets.ASKING
