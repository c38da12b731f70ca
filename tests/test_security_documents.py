"""Documents that would read files, ask other machines, or fill memory: none of them does."""

import gzip
import time
import zlib
from collections.abc import Iterator

import brotli
import pyarrow
import pyarrow.parquet
import pytest
from news_site import Reader, Site, atom, page, rss, sitemap, sitemap_index
from test_hostile import outcome, peak_of_reading

from index.article import Article, SetAside
from index.reading import parquet, read
from index.reading.documents import Document
from index.reading.files import documents

SECRET = "The harbour master's password"
MIB = 2**20


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text(SECRET, "utf-8")
    return file


def told(items):
    return "".join(str(getattr(item, "data", item)) + str(getattr(item, "stated", "")) for item in items)


def doctypes(where):
    """Every way of XML to have a parser fetch what stands at an address."""
    return {
        "entity": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{where}">]>', "dtd": f'<!DOCTYPE a SYSTEM "{where}">',
        "public": f'<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "{where}">',
        "parameter": f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{where}"> %x;]>',
        "style sheet": f'<?xml-stylesheet type="text/xsl" href="{where}"?>',
        "nested": f'<!DOCTYPE a [<!ENTITY % e "<!ENTITY &#37; s SYSTEM \'{where}\'>">%e;%s;]>',
    }  # fmt: skip


KINDS = ("entity", "dtd", "public", "parameter", "style sheet", "nested")
INCLUDED = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}" parse="text"/>'


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", ["file", "web"])
def test_no_feed_sitemap_or_page_has_a_file_or_an_address_read(site, secret, kind, to):
    where = secret.as_uri() if to == "file" else site.url("/secret")
    site.put("/secret", SECRET, "text/plain")
    site.put("/a", page("A"))
    doctype = doctypes(where)[kind]
    include = INCLUDED.format(where)
    link = site.url("/a")
    texts = {
        "/rss": rss([{"link": link, "title": "T"}], before=doctype),
        "/atom": doctype + atom([{"link": link, "title": "T"}]), "/map": doctype + sitemap([link]),
        "/index": doctype + sitemap_index([site.url("/map")]),
        "/page": doctype + page("Harbour &x;", head=f'<link rel="import" href="{where}"><base href="{where}">'),
    }  # fmt: skip
    for path, text in texts.items():
        filled = text.replace(">T<", f">T &x; {include}<").replace("</loc>", "&x;</loc>")
        site.put(path, filled, "text/html" if path == "/page" else "text/xml")
    items = Reader().read(*map(site.url, texts)).items
    assert site.asked("/secret") == 0
    assert SECRET not in told(items)


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_in_a_file_has_another_file_read(secret, kind):
    markup = doctypes(secret.as_uri())[kind] + page("Harbour &x;", f"Fog. {'Words of a story. ' * 40} &x;")
    include = INCLUDED.format(secret.as_uri())
    data = markup.replace("</article>", f"{include}<iframe src='{secret.as_uri()}'></iframe></article>").encode()
    for content in read(Document("a.html", "html", data, len(data))):
        assert SECRET not in str(content)


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(12))


@pytest.mark.parametrize("doctype", [
    f"<!DOCTYPE a [{LAUGHS}]>", f'<!DOCTYPE a [<!ENTITY a11 "{"a" * 100_000}">]>',
    '<!DOCTYPE a [<!ENTITY a11 "&a11;">]>', f'<!DOCTYPE a [<!ENTITY % p "{"x" * 100_000}"> {"%p;" * 1000}]>',
], ids=["laughs", "quadratic", "circle", "parameters"])  # fmt: skip
def test_entities_that_grow_do_not(site, doctype):
    began = time.process_time()
    many = "&a11;" * 1000
    for path, text in {
        "/rss": rss([{"link": "/a", "title": "T"}], before=doctype),
        "/atom": doctype + atom([{"link": "/a", "title": "T"}]),
        "/map": doctype + sitemap(["/a"]), "/page": doctype + page("T", f"{'Words. ' * 100}{many}"),
    }.items():  # fmt: skip
        site.put(path, text.replace(">T<", f">T {many}<"), "text/html" if path == "/page" else "text/xml")
        items = Reader().read(site.url(path)).items
        assert len(told(items)) < 20 * len(text) + 20_000
        for document in (item for item in items if isinstance(item, Document)):
            for content in read(document):
                assert not isinstance(content, Article) or len(content.text) < 10 * len(text)
    assert time.process_time() - began < 10


# What is packed


PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda data: brotli.compress(data, quality=1)}


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br", "gzip, gzip", "gzip, br", "gzip, gzip, gzip"])
def test_no_packing_of_an_answer_is_unpacked_beyond_the_limit(site, packing):
    data = bytes(24 * MIB)
    for one in packing.split(", "):
        data = PACKED[one](data)
    site.put("/a", data, headers={"Content-Encoding": packing})
    site.put("/feed", rss([{"link": "/a", "title": "A"}]), "text/xml")
    assert Reader().read(site.url("/feed"), max_bytes=MIB).reasons == ["larger than 1 MiB"]


def test_an_answer_of_very_many_packings_is_refused(site):
    site.put("/a", gzip.compress(b"x"), headers={"Content-Encoding": ", ".join(["gzip"] * 100)})
    [reason] = Reader().read(site.url("/a")).reasons
    assert "unpacked" in reason or "broke off" in reason


def test_a_page_that_is_a_packed_file_is_unpacked_once_and_no_further_than_the_limit(site):
    site.put("/a", gzip.compress(gzip.compress(bytes(16 * MIB))), "application/gzip")
    site.put("/b", gzip.compress(b"<p>" * 16 * MIB), "application/gzip")
    site.put("/feed", rss([{"link": link, "title": link} for link in ("/a", "/b")]), "text/xml")
    found = Reader().read(site.url("/feed"), max_bytes=MIB)
    assert len(found.reasons) == 1
    [document] = found.documents
    assert len(document.data) < MIB
    assert all(isinstance(content, SetAside) for content in read(document))


def test_a_table_that_unpacks_to_far_more_than_text_does_is_refused_in_flat_memory(tmp_path):
    cell = pyarrow.array(["a" * 80 * MIB], pyarrow.large_string())
    pyarrow.parquet.write_table(pyarrow.table({"text": cell}), tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 10_000
    assert peak_of_reading(tmp_path) < 100
    [reason] = outcome(tmp_path).values()
    assert reason.startswith("rows of it unpack to ")


def test_a_table_with_the_same_word_in_every_row_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_SMALL_GROUP_BYTES", 1000)
    rows = 20_000
    for name, title in (("same", "Ferry runs aground"), ("bomb", "Ferry " * 1000)):
        table = pyarrow.table({"text": [f"Story {n}." for n in range(rows)], "title": [title] * rows})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet", compression="zstd", use_dictionary=False)
    assert isinstance(next(documents([str(tmp_path / "same.parquet")])), Document)
    assert isinstance(next(documents([str(tmp_path / "bomb.parquet")])), SetAside)
