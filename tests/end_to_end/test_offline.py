"""Nothing here needs, or tries, a network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
# Runs a command line with an eye on every attempt to look up or reach another machine.
WATCHED = """
import sys
attempts = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        attempts.append((event, repr(arguments)))
    if event == "socket.connect" and not isinstance(arguments[1], (str, bytes)):
        attempts.append((event, repr(arguments[1])))
sys.addaudithook(watch)
from web.cli import main
try:
    main()
except SystemExit as end:
    print("ATTEMPTS", attempts, file=sys.stderr)
    raise
"""


def run(*arguments, prefix=()):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    return subprocess.run(
        [*prefix, sys.executable, "-c", WATCHED, *map(str, arguments)],
        capture_output=True, text=True, cwd=PROJECT, timeout=240, env=environment,
    )  # fmt: skip


def few_articles(folder):
    return write(
        folder / "few.txt", "Lobster landings fall\n\nLobster landings fell by a third along the coast this year.\n"
    )


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_building_and_searching_open_no_connection(tmp_path):
    for arguments in (("rebuild", few_articles(tmp_path)), ("search", "lobster catch", "--json")):
        done = run(*arguments, "--index", tmp_path / "index")
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == "ATTEMPTS []"
    assert json.loads(done.stdout)["results"][0]["article"]["title"] == "Lobster landings fall"


def test_it_works_where_there_is_no_network_at_all(tmp_path):
    without_network = ("unshare", "--net", "--map-root-user")
    if not shutil.which("unshare") or subprocess.run([*without_network, "true"], capture_output=True).returncode:
        pytest.skip("this system lets no process have a network namespace of its own")
    done = run("rebuild", few_articles(tmp_path), "--index", tmp_path / "index", prefix=without_network)
    assert done.returncode == 0, done.stderr
