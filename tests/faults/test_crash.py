"""The short form of crash.py: a few trials of each kind, all after one start."""

import json
import subprocess
import sys
from pathlib import Path

import faultlib
import pytest

SCRIPT = Path(__file__).with_name("crash.py")
KILLS, FAULTS, OTHERS, SEED = 5, 6, 3, 3

pytestmark = pytest.mark.skipif(faultlib.missing() is not None, reason=str(faultlib.missing()))


def test_nothing_acknowledged_is_lost_whatever_disturbs_a_writer():
    numbers = ["--kills", str(KILLS), "--faults", str(FAULTS), "--others", str(OTHERS), "--seed", str(SEED)]
    run = subprocess.run([sys.executable, SCRIPT, *numbers], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert figures["trials"] == KILLS + FAULTS + OTHERS
    assert sum(figures["by kind"].get(kind, 0) for kind in ("kill at a call", "kill at a moment")) == KILLS
