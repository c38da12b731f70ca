"""Addresses of vector servers: what a line stands for, and that no password is ever told."""

from pathlib import Path

import pytest

from index.errors import UsageError
from index.milvus.address import StoreAddress


def test_a_server_and_a_collection():
    address = StoreAddress.parse("milvus://db.example/news")
    assert (address.hosts, address.collection, address.tls) == (("db.example:19530",), "news", False)
    assert str(address) == "milvus://db.example:19530/news"


def test_several_proxies_of_one_cluster_encrypted():
    address = StoreAddress.parse("milvus+tls://a:1,[::1]:2,c/news?ca=/etc/ca.pem&replicas=2&index=hnsw&deadline=3")
    assert address.hosts == ("a:1", "[::1]:2", "c:19530")
    assert (address.tls, address.ca, address.replicas, address.index) == (True, Path("/etc/ca.pem"), 2, "HNSW")
    assert address.deadline == 3


def test_a_file_of_milvus_lite():
    address = StoreAddress.parse("milvus-lite:/srv/my news.db")
    assert (address.file, address.collection) == (Path("/srv/my news.db"), "my_news")
    assert StoreAddress.parse("milvus-lite:2024.db").collection == "_2024"
    assert str(address) == "milvus-lite:/srv/my news.db"


def test_a_token_comes_from_a_file_the_environment_or_the_address(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("root:secret\n", "utf-8")
    assert StoreAddress.parse(f"milvus://a/news?token-file={file}").token == "root:secret"
    assert StoreAddress.parse("milvus://me:p%40ss@a/news").token == "me:p@ss"
    monkeypatch.setenv("DATELINE_STORE_TOKEN", "key")
    assert StoreAddress.parse("milvus://a/news").token == "key"
    with pytest.raises(UsageError, match="cannot be read"):
        StoreAddress.parse(f"milvus://a/news?token-file={tmp_path / 'none'}")


def test_a_token_is_never_shown():
    address = StoreAddress.parse("milvus://me:secret@a/news")
    assert "secret" not in f"{address} {address!r}"
    with pytest.raises(UsageError) as told:
        StoreAddress.parse("milvus://me:secret@a/no-such-name!")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "news", "http://a/news", "milvus://", "milvus://a", "milvus:///news", "milvus://a/b/c", "milvus://a/1news",
        "milvus://a:port/news", "milvus://a:99999/news", "milvus://a/news?replicas=0", "milvus://a/news?deadline=nan",
        "milvus://a/news?deadline=soon", "milvus://a/news?index=TREE", "milvus://a/news?colour=red", "milvus-lite:news",
        "milvus-lite:", "milvus://['127.0.0.1:1']/x", "milvus://a/" + "x" * 101,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_a_line(text):
    with pytest.raises(UsageError) as told:
        StoreAddress.parse(text)
    assert "\n" not in str(told.value)
