"""Targets that are given documents: every reader, decoding, pages, what pages state, copied pages, records."""

import gzip
import io
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import islice

from fuzzing import Target, encoded, scratch, text_of, words_of

from index.article import Article, SetAside, from_record, to_record
from index.cleaning import clean_page
from index.dates import iso_moment
from index.errors import SourceError
from index.extraction import read_page
from index.passages import PassageSettings, passage_spans
from index.reading import Document, read
from index.reading.decoding import decoded
from index.reading.files import documents
from index.reading.text import read_markdown

# A table may hold thousands of rows; the first of them say what there is to say.
_MOST_ITEMS = 50
_SETTINGS = PassageSettings()

PAGE = (
    '<html lang="en"><head><title>Ferry runs aground | Wire</title><meta property="article:published_time"'
    ' content="2025-08-20T15:07:00Z"><meta name="author" content="Morag Sillitoe"><script type="application/ld+json">'
    '{"@type":"NewsArticle","headline":"Ferry runs aground","datePublished":"2025-08-20","author":{"@type":"Person",'
    '"name":"M. Sillitoe"},"publisher":{"name":"Wire"}}</script></head><body><nav><a href="/">Home</a></nav><article>'
    "<h1>Ferry runs aground</h1><p class=byline>By Morag Sillitoe, 20 August 2025</p>"
    + "<p>A passenger ferry ran aground on a sandbank off Gannet Spit on Wednesday, and nobody was hurt.</p>" * 4
    + "</article><footer>Copyright</footer></body></html>"
)
_COPIED = (
    "Home\nNews\nSport\n\nFerry runs aground\n\nBy Morag Sillitoe\nPublished 20 August 2025 at 3:07 pm\n\nA passenger"
    " ferry ran aground on a sandbank, and nobody was hurt, the coastguard said on Wednesday evening.\n\nRead more:"
    " Storm hits coast\n\nThe union of deckhands has called off its strike after a night of talks with the owners.\n\n"
    "Share this\nRelated articles\nCookie policy\n© 2025 Wire"
)
_RECORD = (
    '{"title":"Ferry","text":"Nobody was hurt.","published":"2025-08-20","authors":["M.'
    ' Sillitoe"],"url":"https://e.org/a"}'
)
_RECORDS = (
    _RECORD, f"[{_RECORD},{_RECORD}]", '{"articles":[{"headline":"T","body":"<p>Words.</p>","date":1755702420}]}',
    '{"@graph":[{"@type":"NewsArticle","headline":"T","articleBody":"Words."}]}', f'{{"_source":{_RECORD}}}',
    '{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","content_text":"Words."}]}',
    f"{_RECORD}\n{_RECORD}",
)  # fmt: skip
_TABLES = (
    "title,text,published,author\nFerry,\"Nobody, was \"\"hurt\"\".\",2025-08-20,M. Sillitoe\nB,C,D,E\n",
    "headline;body;date\r\nFerry;Words of it;20.08.2025\r\n", "title\ttext\nFerry\tNobody was hurt.\n", "text\nWords\n",
    'id,title,text\n1,"open,Words\n2,T,Words\n3,"T",Words\n', "title|text\nA|B\n",
)  # fmt: skip
_MARKDOWN = (
    "---\ntitle: Ferry\ndate: 2025-08-20\nauthors: [A, B]\n---\n# Ferry\n\nNobody *was* [hurt](x).\n\n- a\n- b\n\n>"
    " q\n",
    "Title\n=====\n\nText `code` ![i](u) <b>html</b>\n\n| a | b |\n|---|---|\n| c | d |\n", "---\n---\n", "+++\na ="
    " 1\n+++\nT",
)  # fmt: skip
_HTTP = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(PAGE)}\r\n\r\n{PAGE}"
_WARC = (
    f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://e.org/a\r\nWARC-Date: 2025-08-20T00:00:00Z\r\n"
    f"WARC-Record-ID: <urn:uuid:1>\r\nContent-Type: application/http; msgtype=response\r\n"
    f"Content-Length: {len(_HTTP.encode())}\r\n\r\n{_HTTP}\r\n\r\n"
)
_MARKUP_WORDS = words_of(
    '<p> </p> <div> </div> <article> </article> <h1> </h1> <br> <a href=" "> </a> <b <!-- --> <![CDATA[ ]]> <script>'
    " </script> &amp; &#0; &#xd800; &nbsp; <table><tr><td> <li> <ul> <svg> <math> <template> <noscript> <body>"
    ' </html> class="article-body" class=byline itemprop=author <time datetime=" <meta property="og:title" content="'
    ' <title> <meta charset="utf-7"> application/ld+json {"@type":"NewsArticle" ,"headline": ,"author":[{"name":'
    ' ,"datePublished": ,"articleBody":" } ] [ " \\u0000 \\ud800 LiveBlogPosting hreflang lang= \x00 \x0c <base'
    ' href=" <?xml version="1.0"?>'
)
_COPIED_WORDS = words_of(
    "\n \n\n By by Par Von and , | • · — – © @ Published Updated Share Read more Related Advertisement Cookie"
    " Subscribe min read Image: Photo: /Reuters AP August 2025 20 3:07 pm ago 2 hours Home News * - 1. # … ... ? ! :"
    " \t \xa0"
)
_JSON_WORDS = words_of(
    '{ } [ ] , : " null true NaN -Infinity 1e999 99999999999999999999 \\u0000 \\ud800 "title": "text": "body":'
    ' "html": "id": "url": "published": "date": "authors": "author": "extra": "items": "articles": "@graph":'
    ' "_source": "version": "language": "source": {"name": ["a"] <p> 1755702420 1755702420000 -1 0.5 \n "$date":'
)
_TABLE_WORDS = words_of('" "" , ; \t | \n \r\n \r title text published author id url body \x00 \ufeff \u2028 =1+1')
_MARKDOWN_WORDS = words_of(
    "--- +++ # ## > - * _ ` ``` [ ]( ) ![ | ~~~ <b> \n \n\n title: date: &a *a !!python : [ { === 1."
)
_WARC_WORDS = words_of(
    "WARC/1.0 WARC/1.1 \r\n \r\n\r\n Content-Length: 0 99999999999 -1 WARC-Type: response revisit warcinfo HTTP/1.1"
    " 200 302 Transfer-Encoding: chunked Content-Encoding: gzip br deflate text/html charset= WARC-Target-URI: 5\r\n"
    " ; \n"
)


def sound(contents: Iterable[object]) -> None:
    """Whether what was read are articles that can be stored and cut, or set aside for a reason that was foreseen."""
    for content in contents:
        if isinstance(content, SetAside):
            assert content.reason
            assert "unexpected" not in content.reason, content.reason
        elif isinstance(content, Article):
            sound_article(content)


def sound_article(article: Article) -> None:
    """Whether an article can be stored, read back and cut."""
    stored = json.dumps(to_record(article), ensure_ascii=False, allow_nan=False).encode("utf-8").decode()
    assert from_record(json.loads(stored)) == article, "stored and read back it is another"
    assert article.id
    assert article.text.strip() == article.text != ""
    for moment in (article.published, article.updated):
        assert moment is None or iso_moment(moment) == moment
    end = 0
    for first, last in passage_spans(article.text, _SETTINGS):
        assert end <= first < last <= len(article.text)
        end = last


def _file(name: str, data: bytes) -> None:
    path = scratch() / name
    path.write_bytes(data)
    for document in islice(documents([str(path)]), _MOST_ITEMS):
        if isinstance(document, Document):
            sound(islice(read(document), _MOST_ITEMS))
        else:
            sound([document])


def _whole(kind: str, data: bytes) -> None:
    sound(islice(read(Document("document", kind, data, len(data))), _MOST_ITEMS))  # type: ignore[arg-type]


def _decoding(data: bytes) -> None:
    try:
        text = decoded(data)
    except SourceError:
        return
    assert isinstance(text, str)
    if data.isascii() and b"\0" not in data and not data.startswith(b"\xef"):
        assert text == data.decode() or b"\x1b" in data or b"~{" in data


def _page(data: bytes) -> None:
    try:
        article = read_page(text_of(data), "https://example.org/story")
    except SourceError:
        return
    sound_article(article)


def _copied(data: bytes) -> None:
    text = text_of(data)
    page = clean_page(text)
    kept = "".join(page.text.split())
    assert len(kept) <= len("".join(text.split()))
    for moment in (page.published, page.updated):
        assert moment is None or iso_moment(moment) == moment


def _front_matter(data: bytes) -> None:
    with suppress(SourceError):
        sound_article(read_markdown(data))


def _fields(data: bytes) -> None:
    """A record whose fields are lines such as `published=["2025"]`: JSON where it is some, else text."""
    record: dict[str, object] = {}
    for line in text_of(data).split("\n"):
        name, _, value = line.partition("=")
        try:
            record[name] = json.loads(value)
        except (ValueError, RecursionError):
            record[name] = value
    _whole("json", json.dumps(record).encode())


def _parquet() -> tuple[bytes]:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"title": ["Ferry", "B"], "text": ["Nobody was hurt.", "C"], "n": [1, None]})
    pyarrow.parquet.write_table(table, packed := io.BytesIO(), compression="snappy")
    return (packed.getvalue(),)


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


_FIELDS = (
    "title=Ferry\ntext=Words of it.\npublished=2025-08-20\nauthors=[\"A\",{\"name\":\"B\"}]\nurl=https://e.org/a",
    "headline=T\nbody=<p>Words.</p>\ndate=1755702420\nauthor={\"name\":[\"A\"]}\nextra={\"k\":[1,2.5,null]}",
    "html=<article><p>Words of a story.</p></article>\nid=7\ntags=[\"a\"]\nsource={\"title\":\"S\"}\nlanguage=en_US",
)  # fmt: skip
_FIELD_WORDS = words_of(
    "\n = title= text= body= html= id= url= link= published= updated= date= pubDate= authors= author= byline= extra="
    " source= publisher= language= lang= section= category= summary= description= content= _source= fields="
    ' articleBody= null true [] {} [[]] {"name":"A"} {"$date":1} {"#text":"a"} 1e300 -1 0 1755702420000 "\\ud800"'
    ' "\\u0000" <p> By 20240820'
)

TARGETS = (
    Target("text", partial(_file, "a.txt"), encoded((_COPIED, PAGE)), _COPIED_WORDS),
    Target("markdown", partial(_file, "a.md"), encoded(_MARKDOWN), _MARKDOWN_WORDS),
    Target("front-matter", _front_matter, encoded(_MARKDOWN), _MARKDOWN_WORDS),
    Target("html", partial(_file, "a.html"), encoded((PAGE,)), _MARKUP_WORDS, longest=6_000),
    Target("page", _page, encoded((PAGE,)), _MARKUP_WORDS, longest=6_000),
    Target("copied-page", _copied, encoded((_COPIED,)), _COPIED_WORDS, longest=6_000),
    Target("json", partial(_file, "a.json"), encoded(_RECORDS), _JSON_WORDS),
    Target("jsonl", partial(_file, "a.jsonl"), encoded(_RECORDS), _JSON_WORDS),
    Target("fields", _fields, encoded(_FIELDS), _FIELD_WORDS),
    Target("csv", partial(_file, "a.csv"), encoded(_TABLES), _TABLE_WORDS),
    Target("tsv", partial(_file, "a.tsv"), encoded(_TABLES), _TABLE_WORDS),
    # A page may say that it unpacks to 2 GiB, and pyarrow makes room for it before it looks.
    Target("parquet", partial(_file, "a.parquet"), _parquet, longest=8_000, growth=2_500 * 2**20),
    Target("warc", partial(_file, "a.warc"), encoded((_WARC,)), _WARC_WORDS, longest=8_000),
    Target("gzip", partial(_file, "a.jsonl.gz"), tuple(map(_gzipped, encoded(_RECORDS)))),
    Target("warc-gz", partial(_file, "a.warc.gz"), (_gzipped(_WARC.encode()),), longest=8_000),
    Target(
        "decoding",
        _decoding,
        (
            *encoded((_COPIED, "Le pont restera fermé jusqu’à l’automne")),
            "Le pont restera fermé".encode("latin-1") * 3,
            "Мост закрыт до осени".encode("cp1251") * 3,
            "橋は秋まで閉鎖される".encode("shift_jis") * 3,
            "Brücke".encode("utf-16"),
            "Brücke bleibt zu".encode("utf-16-le"),
            "다리는 가을까지".encode("euc_kr") * 3,
            "桥梁关闭".encode("gb18030") * 4,
        ),
        longest=3_000,
    ),
)
