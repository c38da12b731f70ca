"""The short form of damage.py: each kind of damage to some of the files of a small index."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TRIALS, SEED = 24, 11


@pytest.fixture(scope="module")
def figures() -> dict:
    """What a process of its own reports: it forks, which one that has used the library's threads must not."""
    command = [sys.executable, Path(__file__).with_name("damage.py"), "--trials", str(TRIALS), "--seed", str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_no_damage_is_silent_fatal_or_beyond_its_advice(figures: dict) -> None:
    assert figures["failures"] == 0


def test_the_trials_did_what_they_should(figures: dict) -> None:
    assert figures["trials"] >= TRIALS - 5  # some damages change nothing
    assert figures["check: found"] > figures.get("harmless", 0)
    assert figures["repaired"]
    assert figures.get("refused", 0) == figures.get("salvaged", 0) + figures.get("from sources", 0)
