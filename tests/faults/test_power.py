"""The short form of power.py, and that a missing wait for the disk does not escape it."""

import json
import subprocess
import sys
from pathlib import Path

import faultlib
import pytest

SCRIPT = Path(__file__).with_name("power.py")
# Of a first build that was cut off right before its end, the error says that the last step is missing.
MAY_BE_ADVISED = {"first rebuild: opened only as the error advised"}
CUTS, CARELESS_CUTS, SEED = 9, 6, 1

pytestmark = pytest.mark.skipif(faultlib.missing() is not None, reason=str(faultlib.missing()))


def figures(*options: object) -> dict:
    run = subprocess.run(
        [sys.executable, SCRIPT, *map(str, options)], capture_output=True, text=True, timeout=600, check=False
    )
    assert run.stdout, run.stderr
    return json.loads(run.stdout) | {"stderr": run.stderr}


def test_an_index_survives_power_cuts_without_being_mended():
    found = figures("--cuts", CUTS, "--seed", SEED)
    assert (found["losses"], found["wrong answers"], found["unexplained errors"]) == (0, 0, 0), found["stderr"]
    assert set(found["outcomes"]) <= MAY_BE_ADVISED, found["stderr"]


def test_a_writer_that_does_not_wait_for_the_disk_is_found():
    found = figures("--cuts", CARELESS_CUTS, "--seed", SEED, "--careless")
    assert set(found["outcomes"]) - MAY_BE_ADVISED or found["losses"]
