"""Articles as rows of a server and back, and words as numbers that a filter can look for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.article import Article, make_article
from index.errors import IndexDamaged, SourceError
from index.filters import Filters
from index.forward import GAP
from index.milvus.expressions import all_of, among, of_articles, of_titles, quoted
from index.milvus.rows import (
    FACTS,
    article_facts,
    article_in,
    article_row,
    cut,
    grams_of,
    joined,
    label,
    labels_of,
    letters_of,
    number_of_text,
    parts_of,
    phrase_grams,
    stand_side_by_side,
    text_rows,
)  # fmt: skip
from index.milvus.tables import MOST_BYTES, MOST_GRAMS
from index.slips import slips
from index.terms import codes_of, stems_of

TEXT = "The harbour council met. It set a budget for the new ferry, and the ferry runs in May."
WORDS = st.text(st.characters(categories=("Ll", "Nd"), max_codepoint=0x24F), min_size=1, max_size=12)


@given(
    text=st.text(max_size=300), title=st.text(max_size=80),
    extra=st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none(), max_size=3),
    url=st.none() | st.just("https://news.example.org/a?b=ä"), authors=st.lists(st.text(max_size=20), max_size=3),
)  # fmt: skip
def test_an_article_comes_back_as_it_was(text, title, extra, url, authors):
    try:
        article = make_article(text, title=title, url=url, authors=authors, extra=extra)
    except SourceError:
        return
    rows = text_rows(7, article)
    assert {number_of_text(row) for row in rows} == {7}
    assert article_in(reversed(rows)) == article


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=50), st.integers(1, 60_000))
def test_long_texts_are_cut_between_characters(text, times):
    long = text * (times // max(1, len(text)))
    rows = parts_of(FACTS, long)
    assert joined(rows) == long
    assert all(len(row["text"].encode()) <= MOST_BYTES for row in rows)


def test_an_article_that_is_not_what_was_published_is_called_damaged():
    rows = text_rows(7, make_article(TEXT, title="Budget"))
    rows[0]["text"] = rows[0]["text"].replace("harbour", "airport")
    with pytest.raises(IndexDamaged, match="not what was published"):
        article_in(rows)
    with pytest.raises(IndexDamaged, match="not whole"):
        article_in([{**rows[0], "text": rows[0]["text"][:40]}])


def test_facts_of_an_article_come_back_and_fit():
    article = Article(
        id="x" * 70_000, title="é" * 40_000, text=TEXT, url="https://a.example/" + "p" * 60_000, source="Wire",
        published="2025-05-01", authors=tuple(f"Author {at}" for at in range(5_000)), language="en-CA",
    )  # fmt: skip
    row = article_row(3, None, article, np.ones(4, dtype=np.float32))
    for name in ("id", "facts", "words"):
        assert len(row[name].encode()) <= MOST_BYTES
    facts = article_facts(row)
    assert (facts.source, facts.published, facts.story, facts.language) == ("Wire", "2025-05-01", 3, "en-CA")
    run = codes_of(f"{article.title}\n{article.text}")
    assert facts.length == np.count_nonzero(run != GAP)
    assert dict(zip(facts.codes.tolist(), facts.often.tolist(), strict=True)) == {
        int(code): int(count) for code, count in zip(*np.unique(run[run != GAP], return_counts=True), strict=True)
    }


def test_phrases_are_found_where_they_stand_and_nowhere_else():
    grams, codes = set(grams_of(codes_of(TEXT))), codes_of(TEXT)
    for phrase in ("harbour council", "set a budget", "the new ferry", "ferries"):
        assert set(phrase_grams(stems_of(phrase))) <= grams
        assert stand_side_by_side(stems_of(phrase), codes)
    for phrase in ("council harbour", "council budget", "airport"):
        assert not set(phrase_grams(stems_of(phrase))) <= grams
    # Two by two they stand there, but not one behind the other.
    assert set(phrase_grams(stems_of("the ferry runs"))) <= grams
    twice = codes_of("a ferry to b. the ferry runs")
    assert not stand_side_by_side(stems_of("to ferry runs"), twice)
    assert not stand_side_by_side(stems_of("the ferry runs in june and after that"), codes_of("ferry"))


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_grams_are_numbers_with_a_sign_and_those_of_titles_are_others(words):
    text = " ".join(words)
    plain, titles = grams_of(codes_of(text)), grams_of(codes_of(text), in_title=True)
    assert all(-(2**31) <= gram < 2**31 for gram in plain + titles)
    assert len(plain) == len(titles)
    assert len(plain) <= MOST_GRAMS


@given(WORDS, WORDS)
def test_letters_are_never_farther_apart_than_words(word, other):
    squares = sum((a - b) ** 2 for a, b in zip(letters_of(word), letters_of(other), strict=True))
    distance = slips(word, other, 2)
    if distance <= 2:
        assert squares <= 2 * distance**2


def test_labels_name_source_hosts_authors_and_languages():
    article = make_article(
        TEXT, source="BBC News", url="https://www.news.bbc.co.uk/1", authors=["Jo B"], language="pt_BR"
    )
    assert labels_of(article) == [
        "s:bbc news", "h:news.bbc.co.uk", "h:bbc.co.uk", "h:co.uk", "h:uk", "a:jo b", "l:pt", "l:pt-br",
    ]  # fmt: skip
    assert label("s", " BBC NEWS ") == "s:bbc news"
    assert len(cut("é" * 600, 500).encode()) == 500


def test_filters_in_the_server_s_language():
    filters = Filters("2025-01-01", "2025-12-31", sources=('x" or number > 0 or "',), languages=("en",))
    expression = of_articles(filters)
    assert 'array_contains_any(labels, ["s:x\\" or number > 0 or \\""])' in expression
    assert expression.startswith("(day >= ")
    assert of_articles(Filters()) == of_titles(Filters()) == all_of("", "") == ""
    assert among("number", []) == "number < 0"
    assert quoted("a\0b\\") == '"a\\nb\\\\"'
