"""Input that is meant to break a reader, or might as well be: a reason, bounded time and memory, and the rest read.

Small stand-ins with lowered limits; what is cheap enough comes in its real size.
"""

import gzip
import json
import os
import random
import resource
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.article import Article, SetAside, to_record
from index.reading import files, read, text
from index.reading.documents import Document
from index.reading.files import documents, total_weight
from index.reading.pool import read_all

FUZZ = Path(__file__).parent / "data" / "fuzz"
PLAIN = "Ferry runs aground\n\nA passenger ferry ran aground on a sandbank, and nobody was hurt."
RECORD = json.dumps({"title": "Ferry runs aground", "text": "Nobody was hurt."})
MILLION = 1_000_000


def outcome(*sources):
    """What became of each file: a title or a reason."""
    items = read_all(documents([str(source) for source in sources]), 0)
    return {Path(item.source).name: getattr(item.content, "title", None) or item.content.reason for item in items}


def only(kind, data):
    [content] = read(Document("document", kind, data, len(data)))
    return content


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PLAIN, "utf-8")


def fuzz_files():
    return [pytest.param(path, id=path.name) for path in sorted(FUZZ.iterdir()) if path.is_file()]


@pytest.mark.parametrize("path", fuzz_files())
def test_every_file_of_the_fuzz_corpus_gives_articles_that_can_be_stored_or_reasons(path):
    items = list(read_all(documents([str(path)]), 0))
    assert items
    for item in items:
        if isinstance(item.content, Article):
            json.dumps(to_record(item.content), ensure_ascii=False, allow_nan=False).encode("utf-8")
        else:
            assert item.content.reason
            assert "unexpected" not in item.content.reason


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["text", "markdown", "html", "json"]), st.binary(max_size=300))
def test_any_bytes_of_any_kind_are_articles_or_set_aside(kind, data):
    for content in read(Document("document", kind, data, len(data))):
        assert isinstance(content, (Article, SetAside))
        assert isinstance(content, Article) or "unexpected" not in content.reason


MARKUP = st.lists(st.sampled_from([
    "<p>", "</p>", "<b ", "<!--", "-->", "<![CDATA[", "<script>", "&amp;", "&#0;", "&#xd800;", "<article>", "<body>",
    "words of a story ", "<", ">", "'", '"', "\0", "\ud800", "<p", "=",
]), max_size=40).map("".join)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["body", "html", "text", "headline", "description"]), MARKUP)
def test_any_markup_in_any_field_is_an_article_or_set_aside(field, markup):
    content = only("json", json.dumps({"text": "Words.", field: markup}).encode())
    assert isinstance(content, Article) or "unexpected" not in content.reason


# Bombs and sheer size


def test_gzip_bomb_of_a_document_is_bounded(tmp_path):
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"word " * 8 * MILLION, 1))
    assert outcome(tmp_path) == {"bomb.txt.gz": "larger than 32 MiB"}


def test_line_of_a_hundred_megabytes_is_passed_over_without_holding_it(tmp_path):
    with gzip.open(tmp_path / "wire.jsonl.gz", "wb", 1) as file:
        file.write(f"{RECORD}\n".encode())
        for _ in range(100):
            file.write(b"x" * MILLION)
        file.write(f"\n{RECORD}\n".encode())
    assert peak_of_reading(tmp_path) < 100
    assert outcome(tmp_path) == {
        "wire.jsonl.gz:1": "Ferry runs aground", "wire.jsonl.gz:2": "line longer than 32 MiB",
        "wire.jsonl.gz:3": "Ferry runs aground",
    }  # fmt: skip


def peak_of_reading(folder):
    """How many MB a fresh process needs beyond its imports to find the documents of a folder."""
    code = (
        "import resource, sys\nfrom index.reading.files import documents\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
        "for _ in documents([sys.argv[1]]): pass\nprint((peak() - before) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    return int(done.stdout)


def test_bomb_of_many_lines_gives_each_line_its_reason_in_flat_memory(tmp_path):
    with gzip.open(tmp_path / "wire.jsonl.gz", "wb", 1) as file:
        for _ in range(200):
            file.write(b"{}\n" * 1000)
    assert peak_of_reading(tmp_path) < 30


def test_gzip_in_gzip_is_not_unpacked_again(tmp_path):
    twice = gzip.compress(gzip.compress(PLAIN.encode()))
    for name in ("a.txt.gz.gz", "b.txt.gz", "c.jsonl.gz", "d.csv.gz"):
        (tmp_path / name).write_bytes(twice)
    assert set(outcome(tmp_path).values()) == {"gzipped twice: unpack it once"}


def test_gzipped_file_without_the_ending_is_unpacked(tmp_path):
    (tmp_path / "story.txt").write_bytes(gzip.compress(PLAIN.encode()))
    assert outcome(tmp_path) == {"story.txt": "Ferry runs aground"}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("html", b"<div>" * MILLION + b"text"),
        ("html", b"<html><body>" + b"<p>a</p>" * 3 * MILLION),
        ("html", b"<p " + b"a='1' " * 3 * MILLION + b">"),
        ("html", b"<!--" * 3 * MILLION),
        ("json", b"[" * 10 * MILLION),
        ("json", b'{"a":' * MILLION),
        ("json", b'{"text":"a","b":' + b"[" * 900 + b"]" * 900 + b"}"),
        ("json", json.dumps({"title": "T", "body": "<p>" + "<!--" * 3 * MILLION}).encode()),
        ("json", json.dumps({"title": "T", "body": "<p>a</p>" + "<a b='" * 2 * MILLION}).encode()),
        ("text", b"a\n" * 10 * MILLION),
        ("text", b"\0" * 10 * MILLION),
        ("markdown", b"a\n\n" * 5 * MILLION),
        ("markdown", b"---\na: &a [b, b]\nc: [*a, *a]\n---\nText."),
    ],
)
def test_real_size_monsters_are_refused_within_seconds(kind, data):
    began = time.process_time()
    content = only(kind, data)
    assert isinstance(content, SetAside)
    assert "unexpected" not in content.reason
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("markdown", b">" * MILLION + b" Quoted."),
        ("markdown", b"[" * 50_000),
        ("markdown", b"---\na: " + b"[" * 20_000 + b"\n---\nText."),
        ("text", b"word " * MILLION),
        ("json", json.dumps({"title": "T", "text": "a", "date": "1 " * MILLION, "author": "A, " * MILLION}).encode()),
        ("json", json.dumps({"title": "T", "text": "a", **{f"k{n}": n for n in range(200_000)}}).encode()),
        ("json", json.dumps({"title": "<b>" + "&" * MILLION, "body": "a [+" + "1" * MILLION}).encode()),
    ],
)
def test_strange_documents_are_read_within_seconds(kind, data):
    began = time.process_time()
    assert isinstance(only(kind, data), (Article, SetAside))
    assert time.process_time() - began < 5


def test_long_text_of_too_many_lines_says_so(monkeypatch):
    monkeypatch.setattr(text, "_MOST_LINES", 10)
    assert only("text", b"A line.\n" * 11).reason == "more than 10 lines, no article"


# JSON that other programs do not write


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"text":"Words.","n":' + "9" * 5000 + "}", "a number with too many digits"),
        ('{"text":"Words."', "not JSON"),
        ('{"text":"Words.","a":' + "[" * 100 + "]" * 100 + "}", "too deeply nested"),
    ],
)
def test_json_that_cannot_be_kept_is_set_aside(record, reason):
    assert reason in only("json", record.encode()).reason


@pytest.mark.parametrize(
    "record",
    [
        '{"text":"Words.","title":"T","n":NaN,"m":1e999,"k":[-Infinity]}',
        '{"text":"Wo\\ud800rds.","title":"\\udc00T","x\\ud800":{"y":["\\udfff"]}}',
        '{"text":"Words.\\u0000","title":"T\\u0001","id":"\\u0000a"}',
        '{"text":"One.","text":"Words.","title":"S","title":"T"}',
    ],
)
def test_json_with_junk_becomes_an_article_that_can_be_stored(record):
    article = only("json", record.encode())
    assert "T" in article.title
    assert "rds." in article.text
    json.dumps(to_record(article), ensure_ascii=False, allow_nan=False).encode("utf-8")


# Files that are not what their names say


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n", "not text but a picture"),
        (b"PK\x03\x04", "not text but a ZIP archive or office document: unpack it or save it as text"),
        (b"\x7fELF\x02\x01\x01", "not text but a program"),
        (b"%PDF-1.7\n", "not text but a PDF: save it as text"),
        (b"{\\rtf1\\ansi", "not text but a rich text file: save it as plain text"),
        (b"\0\0\0 ftypisom", "not text but a video"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not text but a sound file"),
        (b"SQLite format 3\0", "not text but a database"),
    ],
)
@pytest.mark.parametrize("ending", [".txt", ".md", ".html", ".json", ".jsonl", ".csv"])
def test_binary_file_with_the_name_of_a_text_is_named_for_what_it_is(tmp_path, start, reason, ending):
    # Few control characters, as in the text chunks of a picture: only the beginning gives it away.
    (tmp_path / f"file{ending}").write_bytes(start + b"long stretches of readable text, " * 50)
    assert outcome(tmp_path) == {f"file{ending}": reason}


@pytest.mark.parametrize("opening", ["MZ Wallace recalls bags.", "BM shares fall.", "RIFF raff.", "PK is no word."])
def test_text_that_begins_like_a_program_is_text(tmp_path, opening):
    (tmp_path / "story.txt").write_text(f"{opening} {PLAIN}", "utf-8")
    assert isinstance(only("text", (tmp_path / "story.txt").read_bytes()), Article)
    assert "not text" not in outcome(tmp_path)["story.txt"]


# Folders


def test_linked_folders_are_followed_once_and_loops_end(tmp_path):
    fill(tmp_path, "a/one.txt", "b/two.txt")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    found = [document.source for document in documents([str(tmp_path)])]
    assert [Path(source).name for source in found] == ["one.txt", "self", "two.txt"]
    assert outcome(tmp_path)["self"] == "a link that leads to itself"


def test_file_that_is_reached_twice_is_read_once(tmp_path):
    fill(tmp_path, "a/one.txt")
    (tmp_path / "a/linked.txt").symlink_to("one.txt")
    os.link(tmp_path / "a/one.txt", tmp_path / "a/hard.txt")
    sources = [str(tmp_path / "a"), str(tmp_path / "a/one.txt"), str(tmp_path)]
    assert [Path(document.source).name for document in documents(sources)] == ["hard.txt"]
    assert total_weight(sources) == len(PLAIN)


def test_two_files_of_the_same_content_are_both_read(tmp_path):
    fill(tmp_path, "one.txt", "two.txt")
    assert len(list(documents([str(tmp_path)]))) == 2


def test_pipes_sockets_and_devices_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    fill(tmp_path, "story.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        assert outcome(tmp_path) == {
            "device.txt": "a device and no file", "pipe.txt": "a pipe and no file: read it with - as standard input",
            "socket.txt": "a socket and no file", "story.txt": "Ferry runs aground",
        }  # fmt: skip
        assert outcome(tmp_path / "pipe.txt") == {"pipe.txt": "a pipe and no file: read it with - as standard input"}


def test_file_that_becomes_a_pipe_before_it_is_opened_does_not_block(tmp_path):
    fill(tmp_path, "a.txt", "b.txt")
    found = documents([str(tmp_path)])
    assert isinstance(next(found), Document)
    (tmp_path / "b.txt").unlink()
    os.mkfifo(tmp_path / "b.txt")
    [aside] = found
    assert "a pipe and no file" in aside.reason


def test_file_that_vanishes_is_set_aside_and_the_rest_is_read(tmp_path):
    fill(tmp_path, "a.txt", "b.jsonl", "c.txt")
    found = documents([str(tmp_path)])
    next(found)
    (tmp_path / "b.jsonl").unlink()
    aside, document = found
    assert aside.reason == "the file is gone"
    assert Path(document.source).name == "c.txt"


def test_file_that_shrinks_while_it_is_read_gives_what_was_there(tmp_path):
    path = tmp_path / "wire.jsonl"
    path.write_text(f"{RECORD}\n" * 50_000, "utf-8")
    found = documents([str(path)])
    next(found)
    os.truncate(path, 0)
    assert all(isinstance(document, Document) for document in found)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may read everything cannot test this")
def test_unreadable_folder_is_set_aside(tmp_path):
    fill(tmp_path, "closed/a.txt", "open/b.txt")
    (tmp_path / "closed").chmod(0)
    try:
        assert outcome(tmp_path) == {"closed": "permission denied", "b.txt": "Ferry runs aground"}
    finally:
        (tmp_path / "closed").chmod(stat.S_IRWXU)


def test_folder_that_cannot_be_listed_is_set_aside(tmp_path, monkeypatch):
    fill(tmp_path, "closed/a.txt", "open/b.txt")
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert outcome(tmp_path) == {"closed": "permission denied", "b.txt": "Ferry runs aground"}


def test_name_that_is_no_text_can_still_be_printed_and_stored(tmp_path):
    name = b"caf\xe9\n\x1b.txt"
    path = os.fsencode(tmp_path) + b"/" + name
    try:
        Path(os.fsdecode(path)).write_text(PLAIN, "utf-8")
    except OSError:
        pytest.skip("this file system has no such names")
    [item] = read_all(documents([str(tmp_path)]), 0)
    assert isinstance(item.content, Article)
    assert item.source == f"{tmp_path}/caf\\xe9\\n\\x1b.txt"
    item.source.encode("utf-8")


def test_ignore_file_with_rules_that_make_no_sense_is_reported_and_the_others_count(tmp_path):
    fill(tmp_path, "a.txt", "b.log")
    (tmp_path / ".datelineignore").write_bytes(b"!\n*.log\n\xff\xfe\0\n")
    found = outcome(tmp_path)
    assert found["a.txt"] == "Ferry runs aground"
    assert "b.log" not in found


def test_reading_a_damaged_file_of_every_format_leaves_the_rest_unharmed(tmp_path):
    for number, ending in enumerate((*files._READERS, ".txt.gz", ".csv.gz", ".parquet.gz", ".warc.gz")):
        (tmp_path / f"{number:02}{ending}").write_bytes(random.Random(number).randbytes(5000))
    fill(tmp_path, "zebra.txt")
    found = outcome(tmp_path)
    assert len({name[:2] for name in found}) == len(files._READERS) + 5
    assert found.pop("zebra.txt") == "Ferry runs aground"
    assert not [reason for reason in found.values() if "unexpected" in reason]


def test_files_stay_open_no_longer_than_they_are_read(tmp_path):
    fill(tmp_path, *(f"{number:03}.txt" for number in range(200)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Descriptors are numbered from the lowest that is free; other tests may hold some.
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(free + 40, soft), hard))
    try:
        assert len(list(documents([str(tmp_path)]))) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
