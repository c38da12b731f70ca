import gzip
import io
import re
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.article import Article
from index.errors import SourceError
from index.reading import files
from index.reading.files import documents
from index.reading.pool import read_all
from index.reading.unpacking import body_of
from index.reading.warc import pages_of

TITLE = "Ferry runs aground off Gannet Spit"
PARAGRAPH = "A passenger ferry ran aground on a sandbank early on Sunday, and the café’s crockery did not survive."
PAGE = (
    f"<!DOCTYPE html><html lang='en'><head><title>{TITLE}</title></head>"
    f"<body><article><h1>{TITLE}</h1>{f'<p>{PARAGRAPH}</p>' * 4}</article></body></html>"
).encode()
HTML = ("Content-Type", "text/html; charset=utf-8")


def archive(*records, packed=False):
    """A web archive (ISO 28500) of (type, address, status, headers, body) records."""
    written = []
    for kind, url, status, headers, body in records:
        http = "".join(f"{name}: {value}\r\n" for name, value in headers)
        block = body if kind == "resource" else f"HTTP/1.1 {status}\r\n{http}\r\n".encode() + body
        content_type = HTML[1] if kind == "resource" else f"application/http; msgtype={kind}"
        record = (
            f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-09-08T10:00:00Z\r\n"
            f"WARC-Record-ID: <urn:test:{len(written)}>\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(block)}\r\n\r\n"
        ).encode() + block + b"\r\n\r\n"  # fmt: skip
        written.append(gzip.compress(record) if packed else record)
    return b"".join(written)


def response(number, *headers, body=PAGE, status="200 OK", kind="response"):
    return kind, f"https://a.example/{number}", status, headers or [HTML], body


def chunked(body, size=100):
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def read(folder, data, name="crawl.warc"):
    (folder / name).write_bytes(data)
    return list(read_all(documents([str(folder / name)]), 0))


def outcome(items):
    return {
        item.source.rpartition("/")[2]: "read" if isinstance(item.content, Article) else item.content.reason
        for item in items
    }


@pytest.mark.parametrize("packed", [False, True])
def test_pages_of_a_crawl_are_read_and_nothing_else(tmp_path, packed):
    name = "crawl.warc.gz" if packed else "crawl.warc"
    items = read(tmp_path, archive(
        response(1), response(2, status="404 Not Found"), response(3, ("Content-Type", "image/png"), body=b"\x89PNG"),
        response(4, ("Content-Type", "application/octet-stream")),
        response(5, ("Content-Type", "text/plain"), body=b"User-agent: *"), response(6, kind="revisit", body=b""),
        response(7, kind="resource"), response(8, status="301 Moved", body=b""), packed=packed,
    ), name)  # fmt: skip
    assert outcome(items) == {"1": "read", "4": "read", "7": "read"}
    article = items[0].content
    assert (article.title, article.url) == (TITLE, "https://a.example/1")
    assert PARAGRAPH in article.text
    assert items[0].source == f"{tmp_path / name}#https://a.example/1"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("Content-Encoding", "gzip")], gzip.compress(PAGE)),
        ([("Content-Encoding", "br")], brotli.compress(PAGE)),
        ([("Content-Encoding", "deflate")], zlib.compress(PAGE)),
        ([("Content-Encoding", "deflate")], zlib.compress(PAGE)[2:-4]),
        ([("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")], chunked(gzip.compress(PAGE))),
        ([("Content-Encoding", "br, gzip")], gzip.compress(brotli.compress(PAGE))),
        ([("Transfer-Encoding", "chunked")], chunked(PAGE)),
        ([("Transfer-Encoding", "chunked")], PAGE),
        ([("Content-Encoding", "gzip")], PAGE),
        ([("Content-Encoding", "br")], PAGE),
    ],
)
def test_packed_bodies_are_unpacked_and_those_that_only_say_so_are_taken_as_they_are(tmp_path, headers, body):
    [item] = read(tmp_path, archive(response(1, HTML, *headers, body=body)))
    assert PARAGRAPH in item.content.text


def test_the_declared_encoding_of_the_server_counts(tmp_path):
    page = PAGE.decode().replace("café’s", "кафе").encode("koi8-r")
    [item] = read(tmp_path, archive(response(1, ("Content-Type", "text/html; charset=KOI8-R"), body=page)))
    assert "кафе" in item.content.text


@pytest.mark.parametrize("pack", [gzip.compress, brotli.compress])
def test_body_that_unpacks_to_more_than_a_document_may_hold_is_set_aside(tmp_path, pack):
    bomb = pack(b"a" * (files.MAX_DOCUMENT_BYTES + 1))
    encoding = ("Content-Encoding", "gzip" if pack is gzip.compress else "br")
    items = read(tmp_path, archive(response(1, HTML, encoding, body=bomb), response(2)))
    assert outcome(items) == {"1": "larger than 32 MiB unpacked", "2": "read"}


def test_archive_that_is_cut_off_gives_what_came_whole(tmp_path):
    whole = archive(response(1), response(2))
    assert outcome(read(tmp_path, whole[:-300])) == {
        "1": "read", "2": "cut off: the web archive ends in the middle of it",
    }  # fmt: skip
    packed = archive(response(1), response(2), packed=True)
    assert outcome(read(tmp_path, packed[:-300], "crawl.warc.gz")) == {
        "1": "read", "crawl.warc.gz": "damaged gzip file: it ends too early",
    }  # fmt: skip


def test_record_with_a_wrong_length_does_not_hide_the_next(tmp_path):
    shorter = archive(response(1)).replace(PAGE, PAGE + b"<p>more than was said</p>")
    found = outcome(read(tmp_path, shorter + archive(response(2))))
    assert found["2"] == "read"
    assert "cannot be read" in found["crawl.warc"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"No archive at all.\n" * 50, "not a web archive"),
        (b"WARC/1.0\r\n" + b"X: " + b"x" * 3_000_000, "a record whose header does not end"),
        (archive(response(1, status="404 Not Found")), "no web page in it"),
    ],
)
def test_archive_without_pages_is_set_aside_once(tmp_path, data, reason):
    [item] = read(tmp_path, data)
    assert reason in item.content.reason


def test_memory_does_not_grow_with_what_a_record_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 10_000)
    items = read(tmp_path, archive(response(1, body=PAGE + b" " * 2_000_000), response(2)))
    assert outcome(items) == {"1": "larger than 0 MiB", "2": "read"}


WHOLE = archive(response(1, HTML, ("Transfer-Encoding", "chunked"), body=chunked(PAGE)), response(2), response(3))


places = st.integers(0, len(WHOLE) - 1)


@settings(max_examples=60)
@given(st.lists(st.tuples(places, st.integers(0, 255)), max_size=20), places)
def test_any_damage_gives_pages_or_reasons(changes, length):
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    try:
        for page in pages_of(io.BufferedReader(io.BytesIO(bytes(data[:length]))), 10_000):
            assert page.reason or isinstance(page.body, bytes)
    except SourceError as error:
        assert str(error)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "br", "deflate", "gzip, br", "x", "identity", ""]))
def test_any_body_is_unpacked_within_the_bound_or_refused(data, encodings):
    for body in (data, gzip.compress(data), brotli.compress(data), zlib.compress(data)):
        try:
            assert len(body_of(body, encodings, 150)) <= max(150, len(body))
        except SourceError as error:
            assert str(error)


@pytest.mark.parametrize(("kind", "reason"), [("response", "damaged web archive"), ("resource", "cut off")])
def test_record_that_is_said_to_be_endless_costs_nothing_before_it(tmp_path, kind, reason):
    endless = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % 10**30, archive(response(2, kind=kind)), count=1)
    found = outcome(read(tmp_path, archive(response(1)) + endless))
    assert found.pop("1") == "read"
    [told] = found.values()
    assert reason in told
