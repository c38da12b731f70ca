"""The examples of the documents, run against the sample corpus: they work, and what they show is what comes back."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import PROJECT
from werkzeug.serving import make_server

from web.app import create_app

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name):
    """The fenced blocks of a document: language, text, and the line that they begin on."""
    text = (PROJECT / "docs" / name).read_text("utf-8")
    return [(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _BLOCK.finditer(text)]


def with_output(name, language):
    """The examples in a language, each with the block right behind it if that shows its output."""
    found = blocks(name)
    shown = [(kind, text) if kind in ("json", "text") else None for kind, text, _ in found[1:]] + [None]
    return [
        pytest.param(text, output, id=f"line {line}")
        for (kind, text, line), output in zip(found, shown, strict=True)
        if kind == language
    ]


def shows(shown, real, place="answer"):
    """Checks that all that is shown is there, with the same type; texts and lists may be abridged."""
    if isinstance(shown, dict):
        assert isinstance(real, dict), place
        assert set(shown) <= set(real), f"{place} shows {sorted(set(shown) - set(real))}, which are not there"
        for name, value in shown.items():
            shows(value, real[name], f"{place}.{name}")
    elif isinstance(shown, list):
        assert isinstance(real, list), place
        assert len(real) >= len(shown), f"{place} has fewer than is shown"
        for at, value in enumerate(shown):
            shows(value, real[at], f"{place}[{at}]")
    elif isinstance(shown, bool | None):
        assert shown is real, place
    elif isinstance(shown, str):
        assert isinstance(real, str), place
        assert shown in ("…", real), f"{place} is {real!r}"
    else:
        assert isinstance(real, int | float), place


@pytest.fixture(scope="module")
def port(seeds_index, engine):
    server = make_server("127.0.0.1", 0, create_app(lambda: engine, seeds_index), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")
@pytest.mark.parametrize(("command", "output"), with_output("api.md", "sh"))
def test_curl(port, command, output):
    assert output, "an example without an answer"
    assert ":8000/" in command
    command = command.replace(":8000/", f":{port}/")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shows(json.loads(output[1]), json.loads(done.stdout))


@pytest.fixture
def beside_the_index(seeds_index, tmp_path, monkeypatch):
    """A folder in which `dateline-index` is the sample corpus, and `dateline` a command."""
    (tmp_path / "dateline-index").symlink_to(seeds_index)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


@pytest.mark.parametrize("name", ["python.md", "mcp.md"])
def test_python(name, beside_the_index):
    if name == "mcp.md":
        pytest.importorskip("mcp")
    namespace: dict = {}
    examples = [example.values for example in with_output(name, "python")]
    assert examples
    for code, output in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), namespace)
        if output and output[0] == "text":
            assert printed.getvalue() == output[1]


@pytest.mark.parametrize("name", ["api.md", "mcp.md"])
def test_json_that_is_shown_is_json(name):
    for kind, text, _ in blocks(name):
        if kind == "json":
            json.loads(text)
