"""Exports of a served index: whole, or cut off so that nobody takes them for whole."""

import csv
import gzip
import http.client
import io
import json
from contextlib import contextmanager

import numpy as np
import pytest
from sample import write_jsonl
from test_serve import Server

from index.build import rebuild
from index.encoder import load_encoder
from index.generation import live_generation

ARTICLES = 450
"""More than are read at once, so that the first rows are sent before the last are read."""


class Unlearned:
    """Passes for the real model, so that the index can be served, and embeds nothing: exports look at no vector."""

    def __init__(self):
        self.identity = load_encoder().identity

    def encode_passages(self, texts):
        return np.eye(len(texts), self.identity.dimension, dtype=np.float32)

    def knows(self, word):
        return True


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An index whose catalog does not fit into the memory that SQLite keeps of it."""
    folder = tmp_path_factory.mktemp("export")
    records = [
        {"id": f"a{number}", "title": f"Report {number}", "text": f"Number {number} was reported.",
         "published": f"2025-01-{1 + number % 28:02}", "notes": f"Notes on {number}: " + "x" * 20_000}
        for number in range(ARTICLES)
    ]  # fmt: skip
    encoder = Unlearned()
    rebuild(folder / "index", [str(write_jsonl(folder / "a.jsonl", records))], lambda name, **options: encoder)
    return folder / "index"


@pytest.fixture
def server(root):
    server = Server(root, "--workers", "1")
    server.wait(lambda: server.status("/readyz") == 200)
    yield server
    server.stop()


@contextmanager
def asked(server, path, encoding):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={"Accept-Encoding": encoding})
    answer = connection.getresponse()
    assert answer.status == 200
    yield answer
    connection.close()


def test_a_served_export_is_whole(server):
    for encoding in ("identity", "gzip"):
        with asked(server, "/export.csv?q=after:1900", encoding) as answer:
            body = answer.read()
            assert answer.headers.get("Content-Encoding", "identity") == encoding
        text = (gzip.decompress(body) if encoding == "gzip" else body).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [int(row["rank"]) for row in rows] == list(range(1, ARTICLES + 1))
        lines = server.get("/export.jsonl?q=after:1900")[1].splitlines()
        assert [json.loads(line)["article"]["id"] for line in lines] == [row["article_id"] for row in rows]


def test_an_export_that_fails_on_the_way_is_cut_off(server, root):
    # The last of the oldest first. A search to warm up may have read one of them, and memory would have it.
    damage(root, *(f"Notes on {number}:".encode() for number in range(27, ARTICLES, 28)))
    for encoding in ("identity", "gzip"):
        with (
            asked(server, "/export.jsonl?q=after:1900&sort=oldest", encoding) as answer,
            pytest.raises(http.client.IncompleteRead),
        ):
            answer.read()
    assert sum("broke off" in line for line in server.logged()) == 2
    assert server.status("/healthz") == 200


def damage(root, *texts):
    """Overwrites the pages of the catalog that hold these texts, in the file that is open."""
    path = live_generation(root).catalog
    held = path.read_bytes()
    size = int.from_bytes(held[16:18], "big")
    with path.open("r+b") as file:
        for at in map(held.find, texts):
            assert at > 0
            file.seek(at // size * size)
            file.write(b"\xff" * size)
