import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.article import Article, SetAside, to_record
from index.errors import UsageError
from index.reading import read
from index.reading.documents import Document
from index.reading.fields import GUESSED, OURS, FieldMap, value_at, without

PARAGRAPHS = ["A passenger ferry ran aground on a sandbank.", "Nobody was hurt, the coastguard said."]
STORY = "\n\n".join(PARAGRAPHS)
MARKED_UP = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)


def articles(content, fields=GUESSED, **known):
    data = json.dumps(content).encode()
    return list(read(Document("records.json", "json", data, len(data), **known), fields))


def only(content, fields=GUESSED, **known):
    [article] = articles(content, fields, **known)
    assert isinstance(article, Article), article
    return article


def test_agency_record_with_nitf_body():
    body = (
        "<nitf><body><body.head><hedline><hl1>Ferry aground</hl1></hedline></body.head>"
        f"<body.content><block>{MARKED_UP}"
        "<media><media-caption>A ferry.</media-caption></media></block></body.content></body></nitf>"
    )
    item = {
        "headline": "Ferry aground", "bylines": [{"by": "By Ada Byron"}, {"by": "By Lin Chen"}], "body_nitf": body,
        "firstcreated": "2024-09-08T08:00:00Z", "versioncreated": "2024-09-08T10:00:00Z", "urgency": 4,
    }  # fmt: skip
    article = only({"api_version": "1.1", "data": {"item": item}})
    assert (article.title, article.text, article.authors) == ("Ferry aground", STORY, ("Ada Byron", "Lin Chen"))
    assert (article.published, article.updated) == ("2024-09-08T08:00:00+00:00", "2024-09-08T10:00:00+00:00")
    assert article.extra["urgency"] == 4


def test_newsapi_answer_and_its_cut_texts():
    article = only({"status": "ok", "totalResults": 1, "articles": [{
        "source": {"id": None, "name": "Gannet Post"}, "author": "Ada Byron, Lin Chen", "title": "Ferry aground",
        "description": "In short.", "url": "https://a.example/1", "urlToImage": None,
        "publishedAt": "2024-09-08T10:00:00Z", "content": f"{PARAGRAPHS[0]} Nobody… [+1234 chars]",
    }]})  # fmt: skip
    assert (article.source, article.authors, article.summary) == ("Gannet Post", ("Ada Byron", "Lin Chen"), "In short.")
    assert (article.text, article.extra) == (f"{PARAGRAPHS[0]} Nobody …", {"truncated": 1234})


def test_json_feed_file_says_some_things_once_for_all_items():
    items = [
        {"id": "1", "url": "https://a.example/1", "title": "One", "content_html": MARKED_UP, "tags": ["sea"],
         "date_published": "2024-09-08T10:00:00+02:00"},
        {"id": "2", "content_text": STORY, "title": "Two", "authors": [{"name": "Lin Chen"}]},
    ]  # fmt: skip
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Gannet Post", "language": "en", "items": items}
    one, two = articles({**feed, "authors": [{"name": "Ada Byron"}]})
    assert (one.text, one.published) == (STORY, "2024-09-08T10:00:00+02:00")
    assert (one.source, one.language) == ("Gannet Post", "en")
    assert (one.authors, two.authors, one.extra) == (("Ada Byron",), ("Lin Chen",), {"tags": ["sea"]})


def test_schema_org_article_alone_and_in_a_graph():
    node = {
        "@type": "NewsArticle", "headline": "Ferry &amp; sandbank", "articleBody": STORY, "datePublished": "2024-09-08",
        "author": [{"@type": "Person", "name": "Ada Byron"}], "publisher": {"@type": "Organization", "name": "Post"},
        "inLanguage": "en-GB", "articleSection": ["Sea", "Home"], "mainEntityOfPage": {"@id": "https://a.example/1"},
    }  # fmt: skip
    for content in (node, {"@graph": [{"@type": "WebPage", "name": "Page"}, node]}):
        article = only(content)
        assert (article.title, article.text, article.authors) == ("Ferry & sandbank", STORY, ("Ada Byron",))
        assert (article.source, article.language, article.section) == ("Post", "en-GB", "Sea; Home")
        assert article.url == "https://a.example/1"


@pytest.mark.parametrize(
    "content",
    [
        {"hits": {"total": 1, "hits": [{"_id": "x", "_source": {"title": "T", "body": STORY}}]}},
        {"response": {"status": "ok", "results": [{"webTitle": "T", "fields": {"body": MARKED_UP}}]}},
        [{"title": {"rendered": "T"}, "content": {"rendered": MARKED_UP}}],
        {"articles": [{"headline": {"main": "T"}, "text": STORY}]},
        {"data": [{"Title": "T", "FULL_TEXT": PARAGRAPHS}]},
        {"story": {"headline": "T", "body": STORY}},
    ],
)
def test_shapes_of_search_engines_and_content_systems(content):
    article = only(content)
    assert (article.title, article.text) == ("T", STORY)


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (1725789600, "2024-09-08T10:00:00+00:00"), (1725789600000, "2024-09-08T10:00:00+00:00"),
        (1725789600000000, "2024-09-08T10:00:00+00:00"), ("1725789600", "2024-09-08T10:00:00+00:00"),
        ("20240908", "2024-09-08"), ("20240908T101500Z", "2024-09-08T10:15:00+00:00"),
        ("20240908101500", "2024-09-08T10:15:00"), ({"$date": "2024-09-08T10:00:00Z"}, "2024-09-08T10:00:00+00:00"),
        ("September 8, 2024", "2024-09-08"), (1e30, None), (True, None), ("January " * 100_000, None),
    ],
)  # fmt: skip
def test_moments_in_the_forms_that_exports_have(value, published):
    assert only({"text": STORY, "title": "T", "date": value}).published == published


def test_own_fields_stay_as_they_are():
    record = {
        "id": "7", "title": "<p> & co", "text": "<p>not markup but text</p>", "authors": ["By Nobody and Co"],
        "source": "S", "language": "xx-Own", "section": "a; b", "summary": "&amp;", "url": "gopher://a",
        "published": "2024-09-08", "updated": "2024-09-09T10:00:00", "extra": {"deep": {"er": [1, None]}},
    }  # fmt: skip
    assert to_record(only(record)) == record


def test_text_that_is_a_whole_page_is_read_as_a_page():
    page = f"<html><head><title>Ferry aground</title></head><body><article>{MARKED_UP * 4}</article></body></html>"
    article = only({"content": page, "url": "https://a.example/1"})
    assert article.title == "Ferry aground"
    assert "<p>" not in article.text


def test_paths_lead_into_objects_and_lists():
    record = {
        "a": {"b": {"value": STORY}}, "by": [{"who": "Ada Byron"}, {"who": "Lin Chen"}], "x.y": "Title",
        "dates": ["no", "2024-09-08"], "kept": 1,
    }  # fmt: skip
    fields = FieldMap.parse(["text=a.b.value", "authors=by.*.who", "title=x.y", "published=dates.1"], None)
    article = only(record, fields)
    assert (article.title, article.text, article.published) == ("Title", STORY, "2024-09-08")
    assert (article.authors, article.extra) == (("Ada Byron", "Lin Chen"), {"dates": ["no"], "kept": 1})


def test_mapping_file_has_records_alternatives_and_constants(tmp_path):
    file = tmp_path / "map.yaml"
    constants = "source: {value: AP}\nsection: {value: World}\n"
    file.write_text(f"records: out.0.list\ntext: [missing, words]\ntitle: t\n{constants}")
    fields = FieldMap.parse(["title=better"], file)
    records = [{"t": "Worse", "better": "T", "words": STORY}, {"words": STORY}]
    first, second = articles({"out": [{"list": records}]}, fields)
    assert (first.title, first.source, first.section) == ("T", "AP", "World")
    assert second.text == STORY
    as_json = tmp_path / "map.json"
    as_json.write_text('{"records": "out.0.list",\t"text": "words", "authors": {"value": ["Ada Byron"]}}')
    article = only({"out": [{"list": {"words": STORY, "title": "T"}}]}, FieldMap.parse([], as_json))
    assert article.authors == ("Ada Byron",)


@pytest.mark.parametrize("option", ["headline", "title=", "=x", "headline=title", "title"])
def test_option_that_makes_no_sense_is_refused(option):
    with pytest.raises(UsageError):
        FieldMap.parse([option], None)


@pytest.mark.parametrize(
    "content",
    ["", "- a", "title: {x: y}", "nonsense: title", "text: {value: all the same}", "records: [a, b]", "columns: a", "[",
     "title: []", "a: 1\x00", "title: &a [*a]"],
)  # fmt: skip
def test_mapping_file_that_makes_no_sense_is_refused(tmp_path, content):
    (tmp_path / "map.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"map\.yaml|field of an article"):
        FieldMap.parse([], tmp_path / "map.yaml")


def test_mapping_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        FieldMap.parse([], tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    with pytest.raises(UsageError, match="UTF-8"):
        FieldMap.parse([], tmp_path / "latin.yaml")


def test_records_path_that_leads_nowhere_is_a_reason():
    [aside] = articles({"a": 1}, FieldMap(records="a"))
    assert aside == SetAside("records.json", "no records at a")


def test_what_is_known_from_elsewhere_fills_gaps_and_makes_the_date_more_precise():
    stated = {"published": "2024-09-08T10:15:00Z", "title": "Other", "authors": ["Lin Chen"], "source": "Feed"}
    article = only(
        {"text": STORY, "title": "Own", "published": "2024-09-08", "source": "Own"},
        stated=stated,
        url="https://a.example/1",
    )
    assert (article.title, article.source, article.authors) == ("Own", "Own", ("Lin Chen",))
    assert (article.published, article.url) == ("2024-09-08T10:15:00+00:00", "https://a.example/1")
    same = only({"text": STORY, "title": "Own", "url": "https://a.example/1"})
    assert article.id == same.id
    other_day = only({"text": STORY, "title": "T", "published": "2024-09-07"}, stated=stated)
    assert other_day.published == "2024-09-07"


NAMES = [*OURS, "content", "body", "articles", "data", "@graph", "author", "date", "fields"]
keys = st.sampled_from(NAMES) | st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(json_values)
def test_any_json_becomes_articles_that_can_be_stored_or_reasons(value):
    for item in articles(value):
        assert isinstance(item, (Article, SetAside))
        if isinstance(item, Article):
            json.dumps(to_record(item), allow_nan=False).encode("utf-8")


@given(json_values, st.text(st.sampled_from("ab0.*"), max_size=6))
def test_any_path_can_be_looked_up_and_taken_out(value, path):
    value_at(value, path)
    without(value, path)
