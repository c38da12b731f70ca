"""`--store` on the command line, against Milvus Lite: what is written is published, checked, mended and searched."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.build import rebuild
from index.errors import StoreIncomplete
from index.milvus.address import StoreAddress
from index.milvus.client import Server
from index.milvus.facts import live_facts
from index.milvus.publishing import differences, publish
from index.place import place_of
from web.live import LiveEngine, NotReady

pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An index, and the address of a file to which it was published; copied by who changes it."""
    folder = tmp_path_factory.mktemp("published")
    rebuild(folder / "index", [str(write_jsonl(folder / "a.jsonl", ARTICLES))], lambda name: FakeEncoder())
    publish(folder / "index", StoreAddress.parse(f"milvus-lite:{folder / 'news.db'}"))
    return folder / "index", f"milvus-lite:{folder / 'news.db'}"


def dateline(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "web", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_command_that_writes_publishes_and_one_that_checks_finds_nothing(published, tmp_path):
    index = shutil.copytree(published[0], tmp_path / "index")
    store = f"milvus-lite:{tmp_path / 'other.db'}"
    removed = dateline("remove", "ferry", "--index", index, "--store", store, "--json")
    assert removed.returncode == 0, removed.stderr
    told = json.loads(removed.stdout)
    assert told["removed"] == ["ferry"]
    assert told["published"]["articles"] == len(ARTICLES) - 1
    checked = dateline("check", "--index", index, "--store", store, "--json")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, {"ok": True, "problems": [], "repaired": []})
    stats = json.loads(dateline("stats", "--store", store, "--json").stdout)
    assert stats["articles"] == len(ARTICLES) - 1


def test_a_server_that_does_not_answer_costs_no_article(published, tmp_path):
    index = shutil.copytree(published[0], tmp_path / "index")
    store = "milvus://127.0.0.1:9/news?attempt=0.1&deadline=0.1"
    failed = dateline("remove", "ferry", "--index", index, "--store", store, "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout) == {"removed": ["ferry"], "published": None}
    assert "what the index on the writer's disk holds is safe" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("command", [("check",), ("stats",), ("remove", "x"), ("search", "x"), ("add", "x")])
def test_what_is_no_store_is_bad_usage(command, published):
    failed = dateline(*command, "--index", published[0], "--store", "http://somewhere/news")
    assert failed.returncode == 2
    assert len(failed.stderr.splitlines()) == 1


def test_what_was_lost_on_the_server_is_seen_and_stored_again(published, tmp_path):
    index = shutil.copytree(published[0], tmp_path / "index")
    address = StoreAddress.parse(f"milvus-lite:{tmp_path / 'lost.db'}")
    publish(index, address)
    assert differences(index, address) == []
    server = Server(address)
    tables, facts = live_facts(server)
    gone = [row["number"] for row in server.rows(tables.passages, "place == 0", (), size=2)]
    server.delete(tables.passages, gone)
    server.upsert(tables.articles, [])
    server.close()
    assert differences(index, address) == [f"{address}: 2 articles are missing, or some of their passages"]
    done = publish(index, address, thoroughly=True)
    assert done.stored >= len(gone)
    assert differences(index, address) == []
    assert facts.passages == done.passages


def test_a_server_that_has_lost_some_is_not_ready(published, tmp_path):
    address = f"milvus-lite:{tmp_path / 'half.db'}?attempt=5&deadline=0.5"
    publish(published[0], StoreAddress.parse(address))
    place = place_of(tmp_path, address)
    live = LiveEngine(place, encoder="auto")
    live._load = lambda name: FakeEncoder()
    live.look()
    live.ready()
    tables, _ = live_facts(place._server)
    place._server.delete(tables.passages, [row["number"] for row in place._server.rows(tables.passages, "", ())])
    with pytest.raises(StoreIncomplete, match=r"\d of \d"):
        live.look()
    live.start()
    with pytest.raises(NotReady):
        for _ in range(100):
            live.ready()
            time.sleep(0.1)
    live.stop()


def test_a_publication_that_was_killed_goes_on_where_it_was(published, tmp_path, monkeypatch):
    index = shutil.copytree(published[0], tmp_path / "index")
    address = StoreAddress.parse(f"milvus-lite:{tmp_path / 'killed.db'}")
    upsert, stored = Server.upsert, []

    def until_killed(self, collection, rows):
        if len(stored) == 6:
            raise KeyboardInterrupt
        stored.append(collection)
        upsert(self, collection, rows)

    monkeypatch.setattr("index.milvus.publishing._ARTICLES_A_PART", 2)
    monkeypatch.setattr(Server, "upsert", until_killed)
    with pytest.raises(KeyboardInterrupt):
        publish(index, address)
    monkeypatch.setattr(Server, "upsert", upsert)
    assert "does not serve" in differences(index, address)[0]
    publish(index, address)
    assert differences(index, address) == []


def test_rebuilds_leave_the_generation_before_and_no_other(published, tmp_path):
    index = shutil.copytree(published[0], tmp_path / "index")
    address = StoreAddress.parse(f"milvus-lite:{tmp_path / 'many.db'}")
    for _ in range(3):
        publish(index, address)
        rebuild(index, [str(write_jsonl(tmp_path / "a.jsonl", ARTICLES))], lambda name: FakeEncoder())
    publish(index, address)
    server = Server(address)
    assert len([name for name in server.collections() if name.endswith("_texts")]) == 2
    assert server.target("many") in server.collections()
    server.close()
