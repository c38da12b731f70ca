"""API keys in their file, and on the command line."""

import json
import re
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from index.command_line import run_command_line
from index.configuration import options_of
from index.errors import UsageError
from web.cli import COMMANDS, keys
from web.keys import SCOPES, KeyRing, KeysDamaged, add_key, load_keys, remove_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def test_a_key_is_found_by_its_secret_and_by_nothing_else(path):
    secret = add_key(path, "reader", ["export", "read"], 60)
    other = add_key(path, "other", ["metrics"])
    ring = KeyRing(path)
    found = ring.find(secret)
    assert (found.name, found.scopes, found.rate) == ("reader", ("read", "export"), 60)
    assert ring.find(other).name == "other"
    for wrong in ("", "x", secret[:-1], secret + "x", found.sha256, "ü\ud800"):
        assert ring.find(wrong) is None


def test_a_secret_can_be_recognised_and_not_guessed_and_is_not_in_the_file(path):
    secrets = {add_key(path, f"k{n}", ["read"]) for n in range(5)}
    assert len(secrets) == 5
    assert all(re.fullmatch(r"dateline_[A-Za-z0-9_-]{43}", secret) for secret in secrets)  # 256 bits
    assert not any(secret in path.read_text() for secret in secrets)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_only_its_owner_reads_the_file(path):
    add_key(path, "a", ["read"])
    path.chmod(0o644)
    add_key(path, "b", ["read"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_followed(path):
    ring = KeyRing(path)
    assert ring.find("dateline_x") is None
    secret = add_key(path, "reader", ["read"])
    assert ring.find(secret)
    remove_key(path, "reader")
    assert ring.find(secret) is None
    again = add_key(path, "reader", ["read"])
    assert ring.find(again)
    path.unlink()
    assert ring.find(again) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 9, "keys": []}', '{"format": 1, "keys": [{}]}', "\xff", "[" * 9999]
)
def test_a_damaged_file_opens_nothing_and_is_said(path, text, caplog):
    ring = KeyRing(path)
    secret = add_key(path, "reader", ["read"])
    assert ring.find(secret)
    path.write_text(text, "latin-1")
    assert ring.find(secret) is None
    assert ring.find(secret) is None
    assert len(caplog.records) == 1  # once, not with every request
    with pytest.raises(KeysDamaged, match=re.escape(str(path))):
        load_keys(path)
    with pytest.raises(KeysDamaged):
        add_key(path, "another", ["read"])


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 65, "ä"])
def test_a_name_can_be_written_in_a_line(path, name):
    with pytest.raises(UsageError, match="name"):
        add_key(path, name, ["read"])


def test_a_name_is_given_once(path):
    add_key(path, "a", ["read"])
    with pytest.raises(UsageError, match="already"):
        add_key(path, "a", ["read"])
    with pytest.raises(UsageError, match="no key 'b'"):
        remove_key(path, "b")


def test_two_who_change_it_at_once_both_do(path):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: add_key(path, f"k{n}", ["read"]), range(16)))
    assert len(load_keys(path)) == 16
    assert {found.name for found in path.parent.iterdir()} <= {"keys.json", "keys.json.lock"}


@pytest.fixture
def dateline(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dateline", "keys", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command_line(COMMANDS)
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


def test_keys_are_made_listed_and_removed(dateline, tmp_path):
    status, out, err = dateline("add", "reader", "--scope", "read", "--scope", "export", "--rate", "60")
    assert status == 0
    assert "not shown again" in err
    assert KeyRing(tmp_path / "dateline-index" / "keys.json").find(out.strip()).name == "reader"
    assert re.fullmatch(r"reader  read, export  since \S+  60 a minute\n", dateline("list")[1])
    [listed] = json.loads(dateline("list", "--json")[1])
    assert (listed["name"], listed["scopes"], listed["rate"]) == ("reader", ["read", "export"], 60)
    assert "sha256" not in listed
    assert dateline("remove", "reader")[0] == 0
    assert dateline("list")[1] == ""


def test_the_file_may_be_elsewhere(dateline, tmp_path, monkeypatch):
    made = json.loads(dateline("add", "a", "--keys-file", "here.json", "--json")[1])
    assert KeyRing(tmp_path / "here.json").find(made["key"])
    monkeypatch.setenv("DATELINE_KEYS_FILE", "here.json")
    assert dateline("list")[1].startswith("a  read")


def test_the_command_line_knows_all_scopes():
    assert tuple(options_of(keys.commands["add"])["scope"].type.choices) == SCOPES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["add", "a b"], "name"), (["remove", "a"], "no key"), (["add", "a", "--scope", "all"], "all"), (["add"], "NAME")],
)
def test_what_makes_no_sense_is_one_line(dateline, arguments, said):
    status, out, err = dateline(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sha256", "é" * 64), ("sha256", None), ("rate", "60"), ("rate", 0), ("rate", True), ("scopes", "read"),
        ("scopes", ["all"]), ("name", "a\nb"), ("scopes", [["read"]]),
    ],
)  # fmt: skip
def test_a_key_that_was_never_written_opens_nothing(path, name, value):
    secret = add_key(path, "reader", ["read"])
    found = json.loads(path.read_text())
    found["keys"][0][name] = value
    path.write_text(json.dumps(found))
    with pytest.raises(KeysDamaged):
        load_keys(path)
    assert KeyRing(path).find(secret) is None
