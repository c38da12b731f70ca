"""Files for those who run a server: what they name exists, and their command lines are ones that Dateline has."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import click
import pytest
import yaml

from index.command_line import command_line
from index.configuration import default_map, options_of, table_of
from web.cli import COMMANDS

PROJECT = Path(__file__).parent.parent
DEPLOY = PROJECT / "deploy"
DOCUMENTS = [
    *(PROJECT / "docs" / f"{name}.md" for name in ("quickstart", "monitoring", "tuning", "operations", "upgrade")),
    PROJECT / "compose.yaml", PROJECT / "Dockerfile", *sorted(path for path in DEPLOY.iterdir() if path.is_file()),
]  # fmt: skip
# For the environment of other programs' making, and what is not an option of a command.
OTHER_VARIABLES = {"DATELINE_CONFIG", "DATELINE_INDEX", "DATELINE_CACHE", "DATELINE_DEBUG", "DATELINE_KEYS_FILE"}


def leaves(group, words=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


@pytest.fixture
def parse(monkeypatch):
    """Reads a command line as Dateline would, without running it; says which command it is."""
    monkeypatch.chdir(PROJECT)
    group = command_line(COMMANDS)
    called = []
    for words, command in leaves(group):
        monkeypatch.setattr(command, "callback", lambda words=words, **options: called.append(words))

    def read(line):
        words = shlex.split(line.replace("/etc/dateline/dateline.toml", "deploy/dateline.toml"), comments=True)
        assert words[0].endswith("dateline")
        try:
            group.main(words[1:], standalone_mode=False)
        except click.ClickException as error:
            raise AssertionError(f"{line}: {error.format_message()}") from error
        return called[-1] if called else ()

    return read


def command_lines(path):
    """Every line of a document's indented blocks and comments that calls Dateline."""
    for line in path.read_text("utf-8").splitlines():
        found = re.fullmatch(r"(?:#   |    |ExecStart=/usr/local/bin/)(?:sudo -u dateline )?(dateline(?: .*)?)", line)
        if found:
            yield re.sub(r"\s*(?:[|&>].*)$", "", found[1])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_command_lines_are_ones_that_dateline_has(path, parse):
    for line in command_lines(path):
        parse(line)


def test_documents_show_command_lines():
    assert all(list(command_lines(path)) for path in DOCUMENTS if path.suffix == ".md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_variables_are_ones_that_dateline_reads(path):
    known = OTHER_VARIABLES | {
        name for _, command in leaves(command_line(COMMANDS)) for option in options_of(command).values()
        for name in option.envvar
    }  # fmt: skip
    assert set(re.findall(r"\bDATELINE_[A-Z_]+", path.read_text("utf-8"))) <= known


def test_the_image_copies_what_is_there_and_calls_what_exists(parse):
    lines = (PROJECT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    for name in chain.from_iterable(copied):
        assert (PROJECT / name).exists(), name
        assert f"!{name}" in (PROJECT / ".dockerignore").read_text("utf-8").splitlines()
    stages = {line.split()[-1] for line in lines if line.startswith("FROM")}
    assert {"full", "serve"} <= stages
    assert all(found[1] in stages for line in lines if (found := re.search(r"--from=(\S+)", line)))
    assert [json.loads(line[4:]) for line in lines if line.startswith("CMD")] == [["--help"], ["serve"]]
    assert parse("dateline serve") == ("serve",)
    assert lines.count("USER dateline") == 2
    assert "no-deps" in "".join(lines)


def test_compose_calls_what_exists(parse):
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))["services"]
    assert parse(shlex.join(["dateline", *services["serve"]["command"]])) == ("serve",)
    script = services["feeds"]["entrypoint"][2]
    [line] = re.findall(r"do (dateline add .*?);", script)
    assert parse(line.replace("$$FEEDS", services["feeds"]["environment"]["FEEDS"])) == ("add",)
    stages = (PROJECT / "Dockerfile").read_text("utf-8")
    for service in services.values():
        assert f" AS {service['build']['target']}\n" in stages
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def units():
    return sorted(path for path in DEPLOY.iterdir() if path.suffix in (".service", ".timer"))


@pytest.mark.parametrize("path", units(), ids=lambda path: path.name)
def test_units_are_ones_that_systemd_reads(path, tmp_path):
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str
    parsed.read(path, "utf-8")
    assert {"Unit"} < set(parsed.sections())
    if path.suffix == ".timer":
        assert path.with_suffix(".service").is_file()
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    for unit in units():  # with a program that is there
        text = unit.read_text("utf-8").replace("/usr/local/bin/dateline", shutil.which("true"))
        (tmp_path / unit.name).write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / path.name], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or path.name in line]
    assert not complaints


def test_the_file_of_settings_says_what_commands_have():
    found = default_map(command_line(COMMANDS), table_of(DEPLOY / "dateline.toml"), "dateline.toml")
    assert found["serve"]["behind_proxies"] == 1
