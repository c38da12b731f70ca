import gzip
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from sample import ARTICLES, write_jsonl

from index.article import Article, Receipt, SetAside
from index.errors import UsageError
from index.reading import files
from index.reading.files import documents, total_weight
from index.reading.pool import read_all
from index.reading.sources import files_below

PLAIN = "Ferry runs aground\n\nA passenger ferry ran aground on a sandbank, and nobody was hurt."
RECORD = json.dumps({"title": "Ferry runs aground", "text": "Nobody was hurt."})


def read(*sources: Path | str):
    return [item.content for item in read_all(documents([str(source) for source in sources]), 0)]


def fill(folder: Path, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PLAIN, "utf-8")


def titles(items):
    return [item.title if isinstance(item, Article) else item.reason for item in items]


def test_folder_is_read_with_its_subfolders_in_the_order_of_names(tmp_path):
    fill(tmp_path, "b.txt", "a.txt", "sub/z/d.txt", "sub/c.txt", "sub.txt", "Ärger.txt")
    in_order = ["a.txt", "b.txt", "sub.txt", "Ärger.txt", "sub/c.txt", "sub/z/d.txt"]
    assert [document.source for document in documents([str(tmp_path)])] == [str(tmp_path / name) for name in in_order]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    fill(tmp_path, "a.txt", ".b.txt", ".git/c.txt", "sub/.d.txt")
    assert list(files_below(tmp_path)) == [tmp_path / "a.txt"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_ignore_file_names_what_is_passed_over(tmp_path, encoding):
    fill(tmp_path, "a.txt", "b.log", "drafts/c.txt", "keep/d.log", "keep/e.log")
    (tmp_path / ".datelineignore").write_text("*.log\n# notes\n!e.log\ndrafts/\n", encoding)
    assert list(files_below(tmp_path)) == [tmp_path / "a.txt", tmp_path / "keep/e.log"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.txt", b"", "empty"),
        ("empty.html", b" \n", "empty"),
        ("empty.txt.gz", gzip.compress(b"", mtime=0), "empty"),
        ("list.json", b"[]", "no record"),
        ("binary.txt", bytes(range(256)), "not text"),
        ("no-gzip.txt.gz", b"plain", "damaged gzip file"),
        ("cut.txt.gz", gzip.compress(PLAIN.encode(), mtime=0)[:-20], "damaged gzip file"),
        ("bad.json", b"{'text': 1}", "not JSON"),
        ("deep.json", b"[" * 100_000, "not JSON"),
        ("number.json", b"3", "should be an object"),
        ("other.json", b'{"a": 1}', "no text or html"),
        ("no-story.html", b"<html><body></body></html>", "no article text"),
        ("bad-front-matter.md", b"---\ntitle: [\n---\nText.", "front matter"),
        ("scan.pdf", b"%PDF", "not a format that Dateline reads (.pdf)"),
        ("archive.gz", gzip.compress(b"a", mtime=0), "not a format that Dateline reads (.gz)"),
        ("README", b"a", "not a format that Dateline reads (no ending)"),
    ],
)
def test_file_that_holds_no_article_is_set_aside_and_the_rest_is_read(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    fill(tmp_path, "zebra.txt")
    aside, article = read(tmp_path)
    assert isinstance(aside, SetAside)
    assert aside.source == str(tmp_path / name)
    assert reason in aside.reason
    assert article.text in PLAIN


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may read everything cannot test this")
def test_unreadable_file_is_set_aside(tmp_path):
    fill(tmp_path, "story.txt")
    (tmp_path / "story.txt").chmod(0)
    assert titles(read(tmp_path)) == ["permission denied"]


def test_dangling_link_is_set_aside(tmp_path):
    (tmp_path / "story.txt").symlink_to(tmp_path / "gone.txt")
    assert titles(read(tmp_path)) == ["a link to nothing"]


def test_bad_lines_are_set_aside_by_number_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 2000)
    lines = [RECORD, "{bad", "", json.dumps({"title": "No text"}), json.dumps({"text": "a" * 9000}), "[]", RECORD]
    (tmp_path / "wire.jsonl").write_text("\n".join(lines), "utf-8")
    items = read(tmp_path)
    asides = [item.source.rpartition(":")[2] for item in items if isinstance(item, SetAside)]
    assert [type(item) for item in items] == [Article, SetAside, SetAside, SetAside, SetAside, Article]
    assert sorted(asides) == ["2", "4", "5", "6"]


def test_too_long_file_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 100)
    (tmp_path / "long.txt").write_bytes(b"a" * 101)
    assert titles(read(tmp_path)) == ["larger than 0 MiB"]


def test_lines_before_the_damage_in_a_gzip_file_are_read(tmp_path):
    noise = os.urandom(400_000).hex()
    packed = gzip.compress(f'{RECORD}\n{{"text": "{noise}"}}\n'.encode())
    (tmp_path / "wire.jsonl.gz").write_bytes(packed[:-200_000])
    first, *rest = read(tmp_path)
    assert first.title == "Ferry runs aground"
    assert "damaged gzip file" in rest[-1].reason


def test_missing_source_stops_everything_before_anything_is_read(corpus):
    with pytest.raises(UsageError, match="no/such/folder"):
        documents([str(corpus), "no/such/folder"])
    with pytest.raises(UsageError, match="no/such/folder"):
        total_weight(["no/such/folder"])


def test_web_addresses_are_handed_over_together_and_what_comes_of_them_is_passed_on(corpus):
    handed_over = []
    answers = [Receipt("https://a.example/feed", etag='"1"'), SetAside("https://a.example/1", "not found (404)")]

    def from_web(addresses):
        handed_over.append(list(addresses))
        yield from answers

    items = list(read_all(documents(["https://a.example/feed", str(corpus), "HTTP://b.example/"], from_web), 0))
    assert handed_over == [["https://a.example/feed", "HTTP://b.example/"]]
    assert [item.content for item in items[-2:]] == answers
    assert [item.content.title for item in items[:-2]] == [record["title"] for record in ARTICLES]


def test_web_addresses_are_refused_where_nothing_fetches_them():
    with pytest.raises(UsageError, match=r"https://a\.example/"):
        documents(["https://a.example/"])
    assert total_weight(["https://a.example/"]) is None


def test_standard_input_is_read_as_json_lines_of_unknown_weight(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(f"{RECORD}\n{{bad\n".encode())))
    article, aside = read("-")
    assert article.title == "Ferry runs aground"
    assert aside.source == "standard input:2"
    assert total_weight(["-"]) is None


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "mixed"
    folder.mkdir()
    fill(folder, "a.txt", "b.md", "sub/c.txt")
    lines = write_jsonl(folder / "wire.jsonl", ARTICLES * 5).read_bytes()
    (folder / "wire.ndjson.gz").write_bytes(gzip.compress(lines, mtime=0))
    (folder / "wire.json.gz").write_bytes(gzip.compress(json.dumps(ARTICLES).encode()))
    return folder


def test_two_workers_read_the_same_as_one(mixed):
    (mixed / "bad.json").write_text("{", "utf-8")
    assert list(read_all(documents([str(mixed)]), 2)) == list(read_all(documents([str(mixed)]), 0))


def test_total_weight_is_the_sum_of_the_weights(mixed):
    assert total_weight([str(mixed)]) == sum(item.weight for item in read_all(documents([str(mixed)]), 0)) > 0


def test_ignore_rules_that_take_for_ever_are_no_rules(tmp_path):
    (tmp_path / ("a" * 200 + ".txt")).write_text("Words.")
    for rule in ("*a" * 20 + "b", "**/" * 12 + "b", "*" * 40 + "b", "[z-a]"):
        (tmp_path / ".datelineignore").write_text(rule)
        [trouble, document] = documents([str(tmp_path)])
        assert trouble.reason.startswith("not a rule")
        assert document.source.endswith(".txt")


def test_ignore_rules_with_brackets_are_read_without_a_warning(tmp_path):
    (tmp_path / "[a.txt").write_text("Words.")
    (tmp_path / ".datelineignore").write_text("[[a]*.txt")
    with pytest.raises(StopIteration):
        next(iter(documents([str(tmp_path)])))
