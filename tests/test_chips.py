from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QueryError
from search.query import SearchRequest, interpret, without
from web.chips import chips, notes

TYPED = st.lists(
    st.sampled_from(
        [
            "ferry", "strike", "-strikes", "-strike", '"gannet spit"', '-"call off"', "source:wire",
            'source:"Harbour Wire"',
            "-site:bbc.co.uk", 'author:"Lyra Dunmore"', "intitle:pay", "after:2024", "before:2026", "OR", "after:soon",
        ]
    ),
    min_size=1, max_size=7,
).map(" ".join)  # fmt: skip


def shown(query, **asked):
    found = interpret(SearchRequest(query, as_of="2025-08-27"))
    return {chip.text: parse_qs(urlsplit(chip.address).query) for chip in chips({"q": query, **asked}, found)}


def test_each_operator_is_a_chip_whose_link_undoes_it():
    found = shown('ferry "gannet spit" -strike source:"Harbour Wire" after:2024')
    assert {text: asked["q"] for text, asked in found.items()} == {
        "exactly “gannet spit”": ['ferry gannet spit -strike source:"Harbour Wire" after:2024'],
        "without “strike”": ['ferry "gannet spit" source:"Harbour Wire" after:2024'],
        "from Harbour Wire": ['ferry "gannet spit" -strike after:2024'],
        "since 2024": ['ferry "gannet spit" -strike source:"Harbour Wire"'],
    }


def test_each_filter_is_a_chip_of_its_own():
    found = shown("ferry", **{"from": "2025-07-01", "source": ["A", "B"], "language": ["en"]})
    assert found["since 1 July 2025"] == {"q": ["ferry"], "source": ["A", "B"], "language": ["en"]}
    assert found["from A"]["source"] == ["B"]
    assert "language" not in found["in en"]


def test_date_words_are_a_chip_that_searches_for_the_words_instead():
    found = shown("ferry last week")
    assert found == {"last week: 18 August 2025 to 24 August 2025": {"q": ["ferry last week"], "date_words": ["false"]}}


def test_notes_do_not_repeat_what_chips_say():
    found = interpret(SearchRequest('ferry last week "', as_of="2025-08-27"))
    assert len(found.notes) == 2
    assert notes(found) == ["A quotation mark without its partner was ignored."]


@given(TYPED)
def test_without_an_operator_there_is_one_less(query):
    try:
        found = interpret(query)
    except QueryError:
        return
    for typed in found.typed:
        try:
            left = interpret(without(query, typed))
        except QueryError:  # it was all there was
            continue
        assert len(left.typed) == len(found.typed) - 1


@pytest.mark.parametrize("query", ["-strikes -strike ferry", "ferry -strike strike"])
def test_a_longer_operator_with_the_same_beginning_stays(query):
    strike = next(typed for typed in interpret(query).typed if typed.value == "strike")
    assert [typed.value for typed in interpret(without(query, strike)).typed] == (
        ["strikes"] if "-strikes" in query else []
    )
