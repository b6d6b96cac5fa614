"""Verdicts: what stands on the first line, what the exit status is, and what a program reads."""

import pytest

from capsula.reproduction.comparison import Comparison, Grade, unjudged
from capsula.reproduction.verdict import Ending, Suspect, Verdict, blocked, exit_status, judged, lines

SAME = Comparison(Grade.IDENTICAL, "bytes")
DRAWN = Comparison(Grade.EQUIVALENT, "svg", "the same content, written otherwise")
ROUNDED = Comparison(Grade.CLOSE, "table", "2 numbers differ, all within the tolerance", 1e-12, 2.5e-10, 2)
CHANGED = Comparison(Grade.DIFFERENT, "table", "2 numbers differ, 1 beyond the tolerance", 0.25, 0.5, 2)
VOLATILE = Comparison(Grade.NONDETERMINISTIC, "text", "the replays differ among themselves: line 1 differs")
EXTRA = Comparison(Grade.EXTRA, "absence", "the recorded run did not write it")
MISSING = Comparison(Grade.MISSING, "absence", "the replay did not write it")
UNKNOWN = unjudged("hash", "its bytes differ, and of the recorded ones only their hash is known")
ROUNDED_TOLD = "close (table): 2 numbers differ, all within the tolerance; by 1e-12 at most, 2.5e-10 in proportion"
CHANGED_TOLD = "different (table): 2 numbers differ, 1 beyond the tolerance; by 0.25 at most, 0.5 in proportion"

WELL = Ending(0, (0,))
BADLY = Ending(3, (3,))
RAISED = Ending(1, (1,))


@pytest.mark.parametrize(
    ("verdict", "told", "status"),
    [
        (
            judged({}, ending=WELL, stdout=SAME, suspects=[]),
            ["identical: exit status, stdout; no output files known", "context: exact"],
            0,
        ),
        (
            judged({"a.svg": DRAWN, "b.csv": ROUNDED}, ending=BADLY, stdout=SAME, stderr=CHANGED),
            [
                "close: exit status, stdout, 2 output files",
                f"  b.csv: {ROUNDED_TOLD}",
                "  a.svg: equivalent (svg): the same content, written otherwise",
                "  stderr, which is not judged, differs: 2 numbers differ, 1 beyond the tolerance",
                "context: not compared",
            ],
            0,
        ),
        (
            judged(
                {"a.svg": DRAWN, "b.csv": CHANGED},
                ending=WELL,
                stdout=SAME,
                suspects=[Suspect("system"), Suspect("packages", "numpy 2.0 is 2.1"), Suspect("source", "edited")],
            ),
            [
                "different: b.csv",
                f"  b.csv: {CHANGED_TOLD}",
                "judged: exit status, stdout, 2 output files",
                "context: drifted: source (edited), packages (numpy 2.0 is 2.1), system",
            ],
            1,
        ),
        (
            judged({"a": SAME}, ending=WELL, stdout=CHANGED, suspects=[]),
            [
                "different: stdout",
                f"  stdout: {CHANGED_TOLD}",
                "judged: exit status, stdout, 1 output file",
                "context: exact",
            ],
            1,
        ),
        (
            judged({"a": SAME, "new\x1b\n": EXTRA}, ending=WELL, stdout=SAME, suspects=[]),
            [
                "extra: new\\x1b\\n",
                "  new\\x1b\\n: extra (absence): the recorded run did not write it",
                "judged: exit status, stdout, 2 output files",
                "context: exact",
            ],
            1,
        ),
        (
            judged({}, ending=WELL, values={"return value": SAME}, suspects=[]),
            ["identical: that it returned, return value; no output files known", "context: exact"],
            0,
        ),
        (
            judged({}, ending=RAISED, values={"exception": SAME}, suspects=[]),
            ["identical: that it raised, exception; no output files known", "context: exact"],
            0,
        ),
        (
            judged({"a": SAME}, ending=WELL, values={}, suspects=[]),
            ["identical: that it returned, 1 output file; what it returned was not recorded", "context: exact"],
            0,
        ),
        (
            judged({}, ending=WELL, values={}, suspects=[]),
            [
                "incomplete: what it returned was not recorded (include_return_value=True does), and no file is known",
                "judged: that it returned; what it returned was not recorded; no output files known",
                "context: exact",
            ],
            1,
        ),
        (
            judged({}, ending=Ending(0, (1,)), values={"exception": EXTRA}, suspects=[]),
            [
                "failed: it raised, where it had returned",
                "  exception: extra (absence): the recorded run did not write it",
                "judged: that it returned, exception; no output files known",
                "context: exact",
            ],
            3,
        ),
        (
            judged({"a": EXTRA, "b": MISSING, "c": CHANGED}, stdout=SAME, suspects=[]),
            [
                "missing: b",
                "  b: missing (absence): the replay did not write it",
                "  a: extra (absence): the recorded run did not write it",
                f"  c: {CHANGED_TOLD}",
                "judged: stdout, 3 output files",
                "context: exact",
            ],
            1,
        ),
        (
            judged({"a": SAME, "b.h5": UNKNOWN, "c": VOLATILE}, ending=WELL, stdout=SAME, suspects=[]),
            [
                "incomplete: b.h5",
                "  b.h5: not judged (hash): its bytes differ, and of the recorded ones only their hash is known",
                "  c: nondeterministic (text): the replays differ among themselves: line 1 differs",
                "judged: exit status, stdout, 2 output files",
                "context: exact",
            ],
            1,
        ),
        (
            judged({"b.h5": UNKNOWN, "c": CHANGED}, stdout=SAME, suspects=[]),
            [
                "different: c",
                "  b.h5: not judged (hash): its bytes differ, and of the recorded ones only their hash is known",
                f"  c: {CHANGED_TOLD}",
                "judged: stdout, 1 output file",
                "context: exact",
            ],
            1,
        ),
        (
            judged({"a": SAME}, ending=Ending(3, (0, 3, 0)), stdout=SAME, suspects=[]),
            [
                "failed: exit status 0, 3 instead of 3",
                "judged: exit status, stdout, 1 output file",
                "context: exact",
            ],
            3,
        ),
        (
            judged({"a": SAME}, ending=Ending(None, (0,)), stdout=SAME, suspects=[]),
            [
                "incomplete: exit status",
                "  exit status: not judged: the capsule does not say how the run ended",
                "judged: stdout, 1 output file",
                "context: exact",
            ],
            1,
        ),
        (
            judged({"a": CHANGED}, ending=Ending(None, (3,)), stdout=SAME, suspects=[]),
            [
                "different: a",
                "  exit status: not judged: the capsule does not say how the run ended",
                f"  a: {CHANGED_TOLD}",
                "judged: stdout, 1 output file",
                "context: exact",
            ],
            1,
        ),
        (
            blocked(["data/in.csv is not there", "MY_ENV is not set"], [Suspect("inputs")]),
            ["blocked: data/in.csv is not there; MY_ENV is not set", "context: drifted: inputs"],
            4,
        ),
        (
            judged({"a": SAME}, ending=WELL, suspects=[]),
            ["identical: exit status, 1 output file; stdout was not kept", "context: exact"],
            0,
        ),
        (
            judged({}, ending=WELL, suspects=[]),
            [
                "incomplete: stdout was not kept, and no file is known",
                "judged: exit status; stdout was not kept; no output files known",
                "context: exact",
            ],
            1,
        ),
        (judged({}), ["incomplete: nothing is known that could be judged", "context: not compared"], 1),
    ],
)
def test_a_verdict_is_told_in_a_few_lines_the_worst_first(verdict: Verdict, told: list[str], status: int) -> None:
    assert list(lines(verdict)) == told
    assert exit_status(verdict) == status


def test_of_many_bad_outputs_some_are_named() -> None:
    verdict = judged({f"{number:02}": MISSING for number in range(25)}, stdout=SAME, suspects=[])

    told = lines(verdict)

    assert told[0] == "missing: 00, 01, 02 and 22 more"
    assert told[10:] == (
        "  09: missing (absence): the replay did not write it",
        "  and 15 more",
        "judged: stdout, 25 output files",
        "context: exact",
    )


@pytest.mark.parametrize(
    ("grade", "require", "status"),
    [
        (Grade.IDENTICAL, Grade.IDENTICAL, 0),
        (Grade.EQUIVALENT, Grade.IDENTICAL, 1),
        (Grade.CLOSE, Grade.CLOSE, 0),
        (Grade.CLOSE, Grade.EQUIVALENT, 1),
        (Grade.NONDETERMINISTIC, Grade.CLOSE, 1),
        (Grade.NONDETERMINISTIC, Grade.NONDETERMINISTIC, 0),
        (Grade.MISSING, Grade.DIFFERENT, 1),
    ],
)
def test_the_exit_status_is_zero_from_the_required_grade_on(grade: Grade, require: Grade, status: int) -> None:
    assert exit_status(judged({"a": Comparison(grade, "bytes")}), require) == status


def test_what_was_not_judged_never_satisfies() -> None:
    assert exit_status(judged({"a": UNKNOWN}), Grade.BLOCKED) == 1


def test_a_program_reads_all_of_it() -> None:
    verdict = judged({"a": CHANGED}, ending=WELL, stdout=SAME, suspects=[Suspect("system", "libc"), Suspect("inputs")])

    assert verdict.as_facts() == {
        "format": 1,
        "verdict": "different",
        "complete": True,
        "judged": ["exit status", "stdout", "1 output file"],
        "exit_status": {"grade": "identical", "recorded": 0, "replayed": [0]},
        "call": None,
        "stdout": SAME.as_facts(),
        "stderr": None,
        "outputs": {"a": CHANGED.as_facts()},
        "context": {
            "state": "drifted",
            "suspects": [{"facet": "inputs", "reason": ""}, {"facet": "system", "reason": "libc"}],
        },
        "blockers": [],
    }
