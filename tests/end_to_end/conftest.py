"""One index of seeds/ with the real bundled model, built once for all tests here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

PROJECT = Path(__file__).parent.parent.parent
SEEDS = PROJECT / "seeds"


def run_dateline(*arguments, **options):
    """Runs the real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "web", *map(str, arguments)],
        capture_output=True, text=True, cwd=PROJECT, timeout=240, **options,
    )  # fmt: skip


@pytest.fixture(scope="session")
def seeds_report(tmp_path_factory, request):
    """What `dateline rebuild seeds` says, and where it built; built once, however many processes test."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # one of pytest-xdist's, each of which has a folder in the same one
        folder = folder.parent
    root, report = folder / "seeds" / "index", folder / "seeds.json"
    with FileLock(folder / "seeds.lock"):
        if not report.is_file():
            done = run_dateline("rebuild", SEEDS, "--index", root, "--json")
            assert done.returncode == 0, done.stderr
            report.write_text(done.stdout.splitlines()[-1], "utf-8")
    return {**json.loads(report.read_text("utf-8")), "root": root}


@pytest.fixture(scope="session")
def seeds_index(seeds_report):
    return seeds_report["root"]


@pytest.fixture(scope="session")
def engine(seeds_index):
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from search.engine import Engine

    return Engine.open(seeds_index)
