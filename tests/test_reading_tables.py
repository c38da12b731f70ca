import csv
import gzip
import io
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from index.article import Article, SetAside
from index.errors import SourceError
from index.reading import files
from index.reading.fields import GUESSED, FieldMap
from index.reading.files import documents
from index.reading.pool import read_all
from index.reading.tables import rows_of

ROOT = Path(__file__).parent.parent
STORY = "A passenger ferry ran aground on a sandbank, and nobody was hurt."


def read(folder, name, data, fields=GUESSED):
    (folder / name).write_bytes(data)
    return list(read_all(documents([str(folder / name)], fields=fields), 0, fields))


def articles(items):
    return [item.content for item in items if isinstance(item.content, Article)]


def reasons(items):
    return {item.source.rpartition("/")[2]: item.content.reason for item in items if isinstance(item.content, SetAside)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_end_are_seen(tmp_path, delimiter, encoding, end):
    rows = [["Headline", "Body"], ["Le café naïf", "La préfète a parlé."], ["L’été", "Il fait chaud."]]
    data = end.join(delimiter.join(row) for row in rows).encode(encoding)
    found = articles(read(tmp_path, "table.csv", data))
    assert [(article.title, article.text) for article in found] == [tuple(row) for row in rows[1:]]


def test_columns_are_known_by_the_names_that_others_give_them(tmp_path):
    header = "GUID;Headline;Full Text;Publication_Date;LINK;By-line;Outlet;Lang;Category;Standfirst;Rating"
    row = f"w-1;Aground;{STORY};2024-09-08;https://a.example/1;By Ada Byron and Lin Chen;Post;English;Sea;Short.;5"
    [article] = articles(read(tmp_path, "table.csv", f"{header}\n{row}\n".encode()))
    assert (article.id, article.title, article.text) == ("w-1", "Aground", STORY)
    assert (article.published, article.url, article.authors) == (
        "2024-09-08", "https://a.example/1", ("Ada Byron", "Lin Chen"),
    )  # fmt: skip
    assert (article.source, article.language, article.section, article.summary) == ("Post", "en", "Sea", "Short.")
    assert article.extra == {"Rating": "5"}


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks(tmp_path):
    data = b'title,text\r\n"A, ""B""","one\r\ntwo\rthree\n\nfour"\r\nC,D\r\n'
    first, second = read(tmp_path, "table.csv", data)
    assert (first.content.title, first.content.text) == ('A, "B"', "one\ntwo\nthree\n\nfour")
    assert (first.source.rpartition(":")[2], second.source.rpartition(":")[2]) == ("2", "6")


def test_row_with_too_many_cells_is_set_aside_and_a_short_one_is_read(tmp_path):
    items = read(tmp_path, "table.csv", b"title,text,date\nA,a,,,\nB,b\nC,c,2024-01-01,more\nD,d,2024-01-02\n")
    assert [article.title for article in articles(items)] == ["A", "B", "D"]
    assert reasons(items) == {"table.csv:4": "4 cells in a table of 3 columns"}


def test_quote_that_is_never_closed_costs_one_row(tmp_path):
    items = read(tmp_path, "table.csv", b'title,text\nA,"never closed\nB,two\nC,three\n')
    assert [article.title for article in articles(items)] == ["B", "C"]
    assert reasons(items) == {"table.csv:2": "a quote that is never closed"}


def test_row_and_line_beyond_the_limit_cost_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 4000)
    broken = b'B,"' + b"word\n" * 1000
    items = read(tmp_path, "table.csv", b"title,text\nA,a\n" + broken + b'"\nC,' + b"c" * 5000 + b"\nD,d\n")
    first, *_, last = articles(items)
    assert (first.title, last.title) == ("A", "D")
    assert reasons(items)["table.csv:3"].startswith("a row longer than 0 MiB")
    assert "a line longer than 0 MiB" in reasons(items).values()


def test_cell_far_longer_than_the_csv_module_likes_is_read(tmp_path):
    [article] = articles(read(tmp_path, "table.csv", b"title,text\nA," + b"word " * 200_000))
    assert len(article.text) == 999_999


def test_nul_bytes_and_empty_rows_are_passed_over(tmp_path):
    data = f'title,text\n\n,,\nA,"{STORY}\0 End."\n'.encode()
    [article] = articles(read(tmp_path, "table.csv", data))
    assert article.text == f"{STORY} End."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"name,value\na,1\n", "there are name, value"),
        (b"1,2,3\n4,5,6\n", "--map text=COLUMN"),
        (b"", "empty"),
        (b"title,text\n", "no row in it"),
        (bytes(range(256)) * 8, "not text"),
        (b"\x89PNG\r\n\x1a\n,text", "a picture"),
    ],
)
def test_table_without_articles_is_set_aside_once(tmp_path, data, reason):
    [item] = read(tmp_path, "table.csv", data)
    assert reason in item.content.reason


def test_mapped_columns_count_before_guesses(tmp_path):
    fields = FieldMap.parse(["text=Notes", "title=Body"], None)
    [article] = articles(read(tmp_path, "table.csv", b"Body,Notes,Headline\nShort,Long text,Other\n", fields))
    assert (article.title, article.text, article.extra) == ("Short", "Long text", {"Headline": "Other"})


def test_columns_without_a_header_are_mapped_by_number_or_named(tmp_path):
    row = b"20240908121500\tGannet Post\tAground\tNobody was hurt.\n"
    by_number = FieldMap.parse(["published=1", "source=2", "title=3", "text=4"], None)
    by_name = FieldMap(columns=("DATE", "outlet", "title", "text"))
    for fields in (by_number, by_name):
        [article] = articles(read(tmp_path, "rows.tsv", row, fields))
        assert (article.published, article.source, article.title) == ("2024-09-08T12:15:00", "Gannet Post", "Aground")
        assert article.text == "Nobody was hurt."


def test_row_numbers_are_no_ids_unless_they_are_mapped(tmp_path):
    data = b"id,title,text\n1,A,a\n2,B,b\n"
    for article, number in zip(articles(read(tmp_path, "table.csv", data)), "12", strict=True):
        assert article.id != number
        assert article.extra == {"id": number}
    mapped = articles(read(tmp_path, "table.csv", data, FieldMap.parse(["id=id"], None)))
    assert [article.id for article in mapped] == ["1", "2"]


@given(st.binary(max_size=400))
def test_any_bytes_make_rows_or_reasons(data):
    stream = io.BufferedReader(io.BytesIO(b"title,text\nA,b\n" + data))
    with suppress(SourceError):
        for row in rows_of(stream, GUESSED, 100):
            assert row.record or row.reason


printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1).filter(str.strip)


@given(st.lists(printable, min_size=1))
def test_what_a_csv_writer_writes_is_read(texts):
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["title", "text"], *(["T", text] for text in texts)])
    rows = rows_of(io.BufferedReader(io.BytesIO(written.getvalue().encode())), GUESSED, 10_000)
    assert [row.record["text"] for row in rows] == texts


def parquet(path, columns, **options):
    write_table(pyarrow.table(columns), path, **options)
    return path


def test_parquet_rows_are_records_with_their_types(tmp_path):
    path = parquet(tmp_path / "table.parquet", {
        "headline": ["A", "B"], "body": [STORY, "Two."], "date": [date(2024, 9, 8), None],
        "modified": [datetime(2024, 9, 9, 10, tzinfo=UTC), None], "authors": [["Ada Byron", "Lin Chen"], []],
        "publisher": [{"name": "Gannet Post"}, None], "raw": [b"\xff", None], "score": [float("nan"), 1.5],
        "id": [1, 2],
    })  # fmt: skip
    items = list(read_all(documents([str(path)]), 0))
    first, second = articles(items)
    assert (first.title, first.text) == ("A", STORY)
    assert (first.published, first.updated) == ("2024-09-08", "2024-09-09T10:00:00+00:00")
    assert (first.authors, first.source) == (("Ada Byron", "Lin Chen"), "Gannet Post")
    assert first.extra == {"raw": "\ufffd", "id": 1}
    assert (second.title, second.extra) == ("B", {"score": 1.5, "id": 2})
    assert [item.source for item in items] == [f"{path}:1", f"{path}:2"]
    assert sum(item.weight for item in items) == path.stat().st_size


def test_packed_parquet_is_read(tmp_path):
    path = parquet(tmp_path / "table.parquet", {"title": ["A"], "text": [STORY]})
    packed = tmp_path / "packed.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert [article.text for article in articles(read_all(documents([str(packed)]), 0))] == [STORY]


def test_parquet_without_a_text_column_says_how_to_map_one(tmp_path):
    path = parquet(tmp_path / "table.parquet", {"name": ["A"], "story_id": [1]})
    [item] = read_all(documents([str(path)]), 0)
    assert "there are name, story_id" in item.content.reason
    fields = FieldMap.parse(["text=name"], None)
    assert [article.text for article in articles(read_all(documents([str(path)], fields=fields), 0, fields))] == ["A"]


def test_damaged_parquet_is_set_aside(tmp_path):
    data = parquet(tmp_path / "table.parquet", {"title": ["A"] * 50, "text": [STORY] * 50}).read_bytes()
    for number, damaged in enumerate((b"", b"PAR1", data[:-10], data[:100] + data[200:], b"\0" * 500)):
        items = read(tmp_path, f"{number}.parquet", damaged)
        assert "damaged Parquet file" in items[-1].content.reason


def test_damaged_parquet_that_ends_whoever_asks_about_its_columns_does_not_end_the_run():
    # Found by tests/faults/fuzz.py. In a process of its own, because pyarrow aborts instead of raising.
    path = ROOT / "tests" / "data" / "fuzz" / "histogram.parquet"
    code = "import sys; from index.reading.files import documents; print(len(list(documents(sys.argv[1:]))))"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_parquet_with_text_that_is_no_utf_8_says_so(tmp_path):
    data = parquet(tmp_path / "table.parquet", {"title": ["Ferry"], "text": [STORY]}).read_bytes()
    [item] = read(tmp_path, "bytes.parquet", data.replace(b"Ferry", b"F\xdd\xdd\xddy"))
    assert item.content.reason == "damaged Parquet file (text in it is not UTF-8)"


def test_rows_that_repeat_one_long_cell_are_held_a_few_at_a_time(tmp_path):
    long = "word " * 200_000
    path = parquet(
        tmp_path / "table.parquet", {"title": ["A"] * 100, "text": [long] * 100}, dictionary_pagesize_limit=2**24
    )
    assert path.stat().st_size < 300_000
    pool = pyarrow.default_memory_pool()
    before = pool.bytes_allocated()
    most = max(pool.bytes_allocated() - before for _ in documents([str(path)]))
    assert most < 20 * len(long)
