"""`dateline serve` as a container runs it: nobody in particular, no privileges, and nothing to write on."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from test_serve import PROJECT, Server

NOBODY = 65534
UNPRIVILEGED = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
    "--inh-caps=-all",
)  # fmt: skip
# As compose.yaml has it: the root file system is read-only, and one folder in memory may be written to.
READ_ONLY = (
    'mount --make-rprivate / && mount -t tmpfs -o mode=1777 tmpfs "$RUN" && mount -o remount,ro,bind / && exec "$@"'
)


def confined(run, *command):
    """A command line in a file system of its own that cannot be written to, but for `run`."""
    return ["unshare", "--mount", "env", f"RUN={run}", "sh", "-c", READ_ONLY, "sh", *UNPRIVILEGED, *command]


class ConfinedServer(Server):
    """A server that is confined."""

    def __init__(self, root, run, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 closed by stop
        line = [sys.executable, "-m", "web", "serve", "--index", str(root), "--port", str(self.port), *options]
        environment = os.environ | {
            "TMPDIR": str(run), "HOME": "/nonexistent", "DATELINE_CACHE": "/nonexistent/cache",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            confined(run, *line), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=self.log, text=True, env=environment
        )


@pytest.fixture
def folder():
    """A folder that other users can look into, unlike those of pytest."""
    found = Path(tempfile.mkdtemp(prefix="dateline-confined-"))
    found.chmod(0o755)
    (found / "run").mkdir()
    if os.geteuid() or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("needs root, unshare and setpriv to take its privileges away")
    tried = subprocess.run(
        confined(found / "run", sys.executable, "-c", "import web.cli"), cwd=PROJECT, capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"this system confines nobody: {tried.stderr.strip()[-200:]}")
    yield found
    shutil.rmtree(found)


def state_of(folder):
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


def test_it_serves_without_privileges_from_what_it_cannot_change(folder, seeds_index):
    root = Path(shutil.copytree(seeds_index, folder / "index"))
    subprocess.run(["chmod", "-R", "a+rX", str(root)], check=True)
    before = state_of(root)
    server = ConfinedServer(root, folder / "run", "--workers", "2")
    try:
        server.wait(lambda: server.get("/readyz")[0] == 200)
        status, found = server.get(f"/api/v1/search?q={quote('Canada peacekeeping logistics')}")
        assert status == 200
        assert '"passage"' in found
        assert server.get("/export.csv?q=ferry")[0] == 200
        for process in (server.process.pid, *server.workers()):
            told = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
            assert told["Uid"].split() == [str(NOBODY)] * 4
            assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
            assert told["NoNewPrivs"] == "1"
            mounts = [line.split() for line in Path(f"/proc/{process}/mounts").read_text().splitlines()]
            assert [options.split(",")[0] for _, place, _, options, *_ in mounts if place == "/"][-1] == "ro"
        assert len(server.workers()) == 2
        assert not [line for line in server.logged() if "Traceback" in line or "Read-only" in line]
    finally:
        server.stop()
    assert state_of(root) == before


def test_in_such_a_place_nothing_can_be_written(folder):
    """What the other test relies on."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('x')"
    for place, written in ((folder / "x", False), (folder / "run" / "x", True), (PROJECT / "x", False)):
        done = subprocess.run(
            confined(folder / "run", sys.executable, "-c", code, str(place)), capture_output=True, text=True
        )
        assert (done.returncode == 0) == written, done.stderr
    assert not (folder / "x").exists()
