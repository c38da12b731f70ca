import gzip
import json
from pathlib import Path

import pytest
from sample import ARTICLES

from index.article import Article, to_record
from index.reading.files import documents
from index.reading.pool import read_all

TITLE = "Ferry runs aground off Gannet Spit"
PARAGRAPHS = [
    "A passenger ferry ran aground on a sandbank early on Sunday, and the lifeboat took everybody off before noon.",
    "Nobody was hurt, the coastguard said, though the café’s crockery will have to be replaced at the owner’s cost.",
    "The sandbank had moved by forty metres since the last survey, according to the harbour master of Gannet Spit.",
]
STORY = "\n\n".join(PARAGRAPHS)
PLAIN = f"{TITLE}\n\n{STORY}"
PAGE = (
    f'<html lang="en"><head><title>{TITLE}</title><meta property="article:published_time" content="2024-09-08"></head>'
    f"<body><nav>Home News</nav><article><h1>{TITLE}</h1>{''.join(f'<p>{p}</p>' for p in PARAGRAPHS)}</article></body>"
)
RECORD = json.dumps({"title": TITLE, "text": STORY})
CONTENTS = {
    ".txt": PLAIN, ".md": f"# {PLAIN}", ".html": PAGE, ".htm": PAGE,
    ".json": RECORD, ".jsonl": f"{RECORD}\n", ".ndjson": f"{RECORD}\n",
}  # fmt: skip
SCRAPE = Path(__file__).parent / "data" / "scrapes" / "01-ferry-broadcaster.txt"


def read(folder: Path, name: str, data: bytes):
    (folder / name).write_bytes(data)
    return [item.content for item in read_all(documents([str(folder / name)]), 0)]


def titles(items):
    return [item.title if isinstance(item, Article) else item.reason for item in items]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", CONTENTS)
def test_every_ending_gives_the_same_article(tmp_path, ending, packed):
    data = CONTENTS[ending].encode()
    name = f"Story{ending.upper()}" + (".gz" if packed else "")
    [article] = read(tmp_path, name, gzip.compress(data) if packed else data)
    assert (article.title, article.text) == (TITLE, STORY)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ending", [".txt", ".md", ".json"])
def test_every_encoding_gives_the_same_article(tmp_path, ending, encoding):
    content = json.dumps({"title": TITLE, "text": STORY}, ensure_ascii=False) if ending == ".json" else CONTENTS[ending]
    [article] = read(tmp_path, f"story{ending}", content.encode(encoding))
    assert (article.title, article.text) == (TITLE, STORY)


def test_one_broken_byte_does_not_change_the_rest_of_a_text(tmp_path):
    [article] = read(tmp_path, "story.txt", f"{PLAIN}\n\nThe end".encode() + b"\xff.")
    assert article.text.startswith(STORY)


def test_byte_order_mark_in_front_of_json_lines_is_passed_over(tmp_path):
    assert titles(read(tmp_path, "wire.jsonl", f"\ufeff{RECORD}\n".encode())) == [TITLE]


def test_front_matter_with_a_date_that_does_not_exist_keeps_the_article(tmp_path):
    [article] = read(tmp_path, "story.md", f"---\ntitle: A\ndate: 2024-02-30\n---\n{STORY}".encode())
    assert (article.title, article.published) == ("A", None)


@pytest.mark.parametrize("value", ["!!binary aGVsbG8=", "!!set {a, b}", "2024-09-08", "{2024-09-08: a}"])
def test_front_matter_with_values_that_json_lacks_can_be_stored(tmp_path, value):
    [article] = read(tmp_path, "story.md", f"---\nother: {value}\n---\n{STORY}".encode())
    assert json.dumps(to_record(article))


def test_front_matter_gives_the_fields_and_markup_goes(tmp_path):
    front = "title: Aground\ndate: 2024-09-08\nauthor: [Ada Byron]\nlang: en\ncategory: Sea\ntags: [ferry]\n"
    body = "# Aground\n\nThe *old* [ferry](http://a.example)\nran **aground**.\n\n- one\n- two\n"
    [article] = read(tmp_path, "story.md", f"---\n{front}---\n{body}".encode())
    assert (article.title, article.published, article.authors) == ("Aground", "2024-09-08", ("Ada Byron",))
    assert (article.language, article.section, article.extra) == ("en", "Sea", {"tags": ["ferry"]})
    assert article.text == "The old ferry ran aground.\n\none\n\ntwo"


@pytest.mark.parametrize(
    "content", [ARTICLES, {"articles": ARTICLES}, {"results": ARTICLES}, {"total": 5, "items": ARTICLES}]
)
def test_json_file_may_hold_a_list_of_records(tmp_path, content):
    items = read(tmp_path, "wire.json", json.dumps(content).encode())
    assert titles(items) == [record["title"] for record in ARTICLES]


def test_bad_record_of_a_list_is_set_aside_by_position(tmp_path):
    first, *asides, last = read(tmp_path, "wire.json", json.dumps([ARTICLES[0], 7, {}, ARTICLES[1]]).encode())
    assert titles([first, last]) == [ARTICLES[0]["title"], ARTICLES[1]["title"]]
    assert [aside.source for aside in asides] == [f"{tmp_path / 'wire.json'}:{number}" for number in (2, 3)]


def test_absurd_date_does_not_take_the_other_records_of_a_list_along(tmp_path):
    absurd = {"text": "Text.", "published": "Wed, 20 Aug 2025 15:07:00 +99999999999999999999"}
    items = read(tmp_path, "wire.json", json.dumps([absurd, ARTICLES[0]]).encode())
    assert titles(items)[-1] == ARTICLES[0]["title"]


def test_page_has_the_metadata_it_states(tmp_path):
    [article] = read(tmp_path, "story.html", PAGE.encode())
    assert (article.title, article.published, article.language) == (TITLE, "2024-09-08", "en")


def test_record_with_a_page_counts_before_what_the_page_says(tmp_path):
    record = {"html": PAGE, "title": "Aground", "url": "https://coast.example.org/1", "authors": ["Ada Byron"]}
    [article] = read(tmp_path, "story.json", json.dumps(record).encode())
    assert (article.title, article.text, article.published) == ("Aground", STORY, "2024-09-08")
    assert (article.url, article.authors, article.extra) == (record["url"], ("Ada Byron",), {})


def test_record_without_title_may_hold_a_copied_page(tmp_path):
    record = {"text": SCRAPE.read_text("utf-8"), "source": "Stated Source"}
    [article] = read(tmp_path, "wire.jsonl", json.dumps(record).encode())
    assert article.title.startswith("Ferry crews reach tentative deal")
    assert (article.source, article.authors, article.published) == (
        "Stated Source", ("Corin Adeyale",), "2025-08-20T15:07:00",
    )  # fmt: skip
    assert "Most Watched" not in article.text
