import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QueryError
from index.filters import Filters
from search.query import MAX_QUERY_CHARACTERS, SearchRequest, check, interpret


@pytest.mark.parametrize(
    ("query", "text", "phrases", "excluded"),
    [
        ("Canada peacekeeping logistics", "Canada peacekeeping logistics", (), ()),
        ('"peace agreement" Ukraine', "peace agreement Ukraine", ("peace agreement",), ()),
        ("“peace agreement” Ukraine", "peace agreement Ukraine", ("peace agreement",), ()),
        ("«cessez le feu»", "cessez le feu", ("cessez le feu",), ()),
        ("jaguar -car", "jaguar", (), ("car",)),
        ('election -"run off" mayor', "election mayor", (), ("run off",)),
        ("co-ordination in mid-2025", "co-ordination in mid-2025", (), ()),
        ("  spaced \n out ", "spaced out", (), ()),
        ("Canada’s top soldier", "Canada’s top soldier", (), ()),
        ('"" - election', "- election", (), ()),
    ],
)
def test_operators_are_read(query, text, phrases, excluded):
    found = interpret(query)
    assert (found.text, found.phrases, found.excluded) == (text, phrases, excluded)


def test_an_unpaired_quotation_mark_is_ignored_and_said_so():
    found = interpret('mayor "resigns')
    assert found.text == "mayor resigns"
    assert "quotation mark" in found.notes[0]


@pytest.mark.parametrize("query", ["", "   ", "-ferry", '"', "?!", "-"])
def test_a_query_without_anything_to_find_is_refused(query):
    with pytest.raises(QueryError) as refused:
        interpret(query)
    assert refused.value.field == "q"


def test_a_query_that_is_too_long_is_refused():
    with pytest.raises(QueryError, match="longer than"):
        interpret("a" * (MAX_QUERY_CHARACTERS + 1))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(query):
    try:
        found = interpret(query)
    except QueryError:
        return
    assert any(character.isalnum() or character == "_" for character in found.text)
    assert not set('"“”„«»') & set(found.text)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 101}, "size"),
        ({"page": 0}, "page"),
        ({"page": 1001}, "page"),
        ({"sort": "best"}, "sort"),
        ({"mode": "magic"}, "mode"),
        ({"fusion": "max"}, "fusion"),
        ({"collapse": "none"}, "collapse"),
        ({"filters": Filters(first_day="2025-13-01")}, "from"),
        ({"filters": Filters(last_day="yesterday")}, "to"),
        ({"filters": Filters(last_day="20250820")}, "to"),
        ({"filters": Filters(first_day="2025-02-01", last_day="2025-01-01")}, "from"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(change, field):
    with pytest.raises(QueryError) as refused:
        check(SearchRequest("ferry", **change))
    assert refused.value.field == field
