"""One TOML file, the environment and the command line."""

import json
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.command_line import command_line, run_command_line
from index.configuration import default_map, options_of
from index.errors import UsageError
from search.cli import COMMANDS as SEARCH_COMMANDS
from web.cli import COMMANDS


@click.command("serve")
@click.option("--port", type=click.IntRange(1, 65535), default=8000)
@click.option("--cache", "cache_mb", type=int, default=16)
@click.option("--allow-host", "hosts", multiple=True)
@click.option("--log-queries", is_flag=True)
@click.option("--delay", type=click.FloatRange(0, 10), default=1.0)
@click.option("--mode", type=click.Choice(["a", "b"]), default="a")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--index", "root", type=click.Path(path_type=Path, exists=True), envvar="DATELINE_INDEX", default=".")
def serve(**options):
    click.echo(json.dumps(options, default=str))


@click.group("keys")
def keys():
    pass


@keys.command("add")
@click.option("--cache", type=int, default=1)
def add(**options):
    click.echo(json.dumps(options))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("DATELINE_INDEX", "DATELINE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command and returns exit status, what it was told, and standard error."""

    def told(*arguments):
        monkeypatch.setattr(sys, "argv", ["dateline", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command_line([serve, keys])
        output = capsys.readouterr()
        return ended.value.code, json.loads(output.out) if output.out else None, output.err

    return told


def test_what_is_typed_goes_before_the_environment_before_the_file_before_the_default(run, elsewhere, monkeypatch):
    assert run("serve")[1]["port"] == 8000
    (elsewhere / "dateline.toml").write_text("[serve]\nport = 9001\n")
    assert run("serve")[1]["port"] == 9001
    monkeypatch.setenv("DATELINE_SERVE_PORT", "9002")
    assert run("serve")[1]["port"] == 9002
    assert run("serve", "--port", "9003")[1]["port"] == 9003


def test_names_are_those_of_the_command_line(run, elsewhere, monkeypatch):
    (elsewhere / "dateline.toml").write_text('[serve]\ncache = 5\nallow_host = ["x", "y"]\nlog-queries = true\n')
    found = run("serve")[1]
    assert (found["cache_mb"], found["hosts"], found["log_queries"]) == (5, ["x", "y"], True)
    monkeypatch.setenv("DATELINE_SERVE_CACHE", "7")
    monkeypatch.setenv("DATELINE_SERVE_ALLOW_HOST", "a b")
    monkeypatch.setenv("DATELINE_SERVE_LOG_QUERIES", "0")
    found = run("serve")[1]
    assert (found["cache_mb"], found["hosts"], found["log_queries"]) == (7, ["a", "b"], False)


def test_a_name_above_all_tables_is_for_every_command_that_has_it(run, elsewhere):
    (elsewhere / "dateline.toml").write_text("cache = 3\n[keys.add]\ncache = 4\n")
    assert run("serve")[1]["cache_mb"] == 3
    assert run("keys", "add")[1]["cache"] == 4


def test_the_index_keeps_its_short_name_in_the_environment(run, elsewhere, monkeypatch):
    (elsewhere / "one").mkdir()
    (elsewhere / "two").mkdir()
    monkeypatch.setenv("DATELINE_INDEX", "one")
    assert run("serve")[1]["root"] == "one"
    monkeypatch.setenv("DATELINE_SERVE_INDEX", "two")
    assert run("serve")[1]["root"] == "two"


def test_the_file_may_be_named(run, elsewhere, monkeypatch):
    (elsewhere / "dateline.toml").write_text("[serve]\nport = 1\n")
    (elsewhere / "other.toml").write_text("[serve]\nport = 2\n")
    (elsewhere / "third.toml").write_text("[serve]\nsince = 2025-08-20\n")
    assert run("--config", "other.toml", "serve")[1]["port"] == 2
    monkeypatch.setenv("DATELINE_CONFIG", "third.toml")
    found = run("serve")[1]
    assert (found["port"], found["since"]) == (8000, "2025-08-20 00:00:00")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "there is no option 'prot'. Did you mean 'port'?"),
        ("[serve]\nprot = 1", "[serve]: there is no option 'prot'. Did you mean 'port'?"),
        ("[srve]\nport = 1", "there is no table 'srve'. Did you mean 'serve'?"),
        ("[keys.ad]\ncache = 1", "[keys]: there is no table 'ad'. Did you mean 'add'?"),
        ("[serve.more]\nport = 1", "there is no table 'more'"),
        ("[keys]\nport = 1", "[keys]: there is no option 'port'"),
        ("[serve]\nport = '9000'", "port should be a whole number, not '9000'"),
        ("[serve]\nport = true", "port should be a whole number, not True"),
        ("port = 0", "port: 0 is not in the range"),
        ("[serve]\ndelay = 'long'", "delay should be a number"),
        ("[serve]\nlog-queries = 'yes'", "log-queries should be true or false"),
        ("[serve]\nallow-host = 'x'", "allow-host should be a list, such as ['x']"),
        ("[serve]\nallow-host = [1]", "allow-host should be text"),
        ("[serve]\nmode = 'c'", "mode: 'c' is not one of"),
        ("[serve]\nindex = 5", "index should be text"),
        ("[serve", "dateline.toml is not TOML"),
        ("a = " + "[" * 20_000, "dateline.toml is not TOML"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_says_where(run, elsewhere, text, said):
    (elsewhere / "dateline.toml").write_text(text)
    status, told, err = run("serve")
    assert (status, told) == (2, None)
    assert err.startswith("dateline: dateline.toml")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_there_or_is_no_text_is_said(run, elsewhere):
    assert "cannot be read" in run("--config", "none.toml", "serve")[2]
    (elsewhere / "dateline.toml").write_bytes(b"\xff\xfe")
    status, _, err = run("serve")
    assert status == 2
    assert "is not TOML" in err


def test_a_path_is_looked_for_by_the_command_that_needs_it(run, elsewhere):
    (elsewhere / "dateline.toml").write_text('[serve]\nindex = "gone"\n')
    assert run("keys", "add")[0] == 0
    status, _, err = run("serve")
    assert status == 2
    assert "gone" in err


def test_a_room_below_passes_over_what_is_not_its_own(elsewhere):
    group = command_line(SEARCH_COMMANDS, whole=False)
    table = {"port": 9000, "size": 5, "serve": {"port": 9000}, "search": {"page": 2}}
    assert default_map(group, table, "x", whole=False)["search"] == {"size": 5, "page": 2}
    with pytest.raises(UsageError, match="'serve'"):
        default_map(group, table, "x")


def test_every_option_has_one_name_and_is_in_the_environment():
    group = command_line(COMMANDS)
    for name, command in group.commands.items():
        for option, found in options_of(command).items():
            assert f"DATELINE_{name}_{option}".upper().replace("-", "_") in found.envvar


_TOML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["serve", "keys", "add", "port", "cache", "index", "x", ""]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["serve", "keys", "port", "cache", "allow-host", "y"]), _TOML, max_size=4))
def test_whatever_a_file_says_it_is_taken_or_refused_in_words(table):
    group = click.Group("dateline", commands=[serve, keys])
    try:
        found = default_map(group, table, "dateline.toml")
    except UsageError as error:
        assert str(error).startswith("dateline.toml")
    else:
        assert set(found) == {"serve", "keys"}
