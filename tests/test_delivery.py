"""How answers travel: compressed, tagged, and kept by browsers."""

import gzip
import re

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from search.engine import Engine
from web.app import create_app
from web.delivery import encoding_for
from web.front import Front


@pytest.fixture
def served(root, load):
    engine = Engine.open(root, load)
    app = create_app(lambda: engine, root)
    return Client(Front(app, lambda: engine.store.generation, threads=1, queue=8, patience=5.0, cache_bytes=1 << 20))


def get(client, path, encoding="", **headers):
    with client.get(path, headers={"Accept-Encoding": encoding, **headers}) as answer:
        answer.data  # noqa: B018 read before it is closed
        return answer


UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress}


@pytest.mark.parametrize(
    "path", ["/?q=ferry", "/api/v1/search?q=ferry", "/article/ferry", "/static/style.css", "/api/docs"]
)
@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_text_is_compressed_as_the_client_can_read_it(served, path, encoding):
    plain, packed, again = get(served, path), get(served, path, encoding), get(served, path, encoding)
    for one in (packed, again):
        assert one.headers["Content-Encoding"] == encoding
        assert "Accept-Encoding" in one.headers["Vary"]
        assert len(UNPACK[encoding](one.data)) == pytest.approx(len(plain.data), abs=9)  # took_ms differs
        assert len(one.data) < len(plain.data)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_what_is_short_is_left_as_it_is(served):
    assert "Content-Encoding" not in get(served, "/healthz", "br").headers


def test_each_encoding_is_an_answer_of_its_own_in_memory(served):
    path = "/api/v1/search?q=ferry"
    tags = set()
    for encoding in ("", "gzip", "br"):
        first, second = get(served, path, encoding), get(served, path, encoding)
        assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
        assert first.data == second.data
        tags.add(first.headers["ETag"])
    assert len(tags) == 3
    assert get(served, path, "gzip, deflate, br, zstd").headers["X-Cache"] == "hit"
    for tag in tags:
        found = get(served, path, "br", **{"If-None-Match": tag})
        assert found.status_code == (304 if tag == get(served, path, "br").headers["ETag"] else 200)
    assert "Accept-Encoding" in found.headers["Vary"]


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", ""), ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0.5, gzip;q=1.0", "gzip"),
        ("br;q=0, gzip;q=0", ""), ("*", "br"), ("deflate", ""), ("identity, br;q=0.5", ""),
    ],
)  # fmt: skip
def test_the_better_of_what_is_accepted_is_chosen(accepted, chosen):
    assert encoding_for(accepted) == chosen


@given(st.text(max_size=40))
def test_no_accept_encoding_trips_it(accepted):
    assert encoding_for(accepted) in ("", "br", "gzip")


def test_a_file_that_is_asked_for_by_its_version_is_kept_for_good(served):
    link = re.search(r'href="(/static/style.css[^"]*)"', get(served, "/").text)[1]
    versioned, plain = get(served, link), get(served, "/static/style.css?v=another")
    assert versioned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["Cache-Control"] == "public, max-age=300"
    for encoding in ("", "br", "gzip"):
        tag = get(served, "/static/style.css", encoding).headers["ETag"]
        again = get(served, "/static/style.css", encoding, **{"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
    assert "immutable" not in get(served, "/static/none.css?v=1").headers.get("Cache-Control", "")
