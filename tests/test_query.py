import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QueryError
from index.filters import Filters
from search.periods import Period
from search.query import MAX_QUERY_CHARACTERS, Interpreted, SearchRequest, check, interpret


def asked(query, **options):
    return interpret(SearchRequest(query, as_of="2025-08-20", **options))


@pytest.mark.parametrize(
    ("query", "text", "filters"),
    [
        ("Canada peacekeeping logistics", "Canada peacekeeping logistics", Filters()),
        ('"peace agreement" Ukraine', "peace agreement Ukraine", Filters(phrases=("peace agreement",))),
        ("“peace agreement” Ukraine", "peace agreement Ukraine", Filters(phrases=("peace agreement",))),
        ("«cessez le feu»", "cessez le feu", Filters(phrases=("cessez le feu",))),
        ("jaguar -car", "jaguar", Filters(excluded=("car",))),
        ("jaguar NOT car", "jaguar", Filters(excluded=("car",))),
        ('election -"run off" mayor', "election mayor", Filters(excluded=("run off",))),
        ('ferry -(strike OR "run off")', "ferry", Filters(excluded=("strike", "run off"))),
        ("co-ordination in mid-2025", "co-ordination in mid-2025", Filters()),
        ('source:"Harbour Wire" strike', "strike", Filters(sources=("Harbour Wire",))),
        ('source: "Harbour Wire" strike', "strike", Filters(sources=("Harbour Wire",))),
        ("SITE:https://www.bbc.co.uk/news strike", "strike", Filters(sources=("bbc.co.uk",))),
        ("site: bbc.co.uk strike", "strike", Filters(sources=("bbc.co.uk",))),
        ("strike source:Vigie OR source:Wire", "strike", Filters(sources=("Vigie", "Wire"))),
        ("strike -source:Vigie -site:bbc.com", "strike", Filters(excluded_sources=("Vigie", "bbc.com"))),
        ('strike author:"Jane Doe"', "strike", Filters(authors=("Jane Doe",))),
        ("strike author:O’Brien,", "strike", Filters(authors=("O'Brien",))),
        ("intitle:ferry strike", "ferry strike", Filters(title=("ferry",))),
        ('intitle:"ferry strike" wages', "ferry strike wages", Filters(title=("ferry strike",))),
    ],
)
def test_operators_are_read(query, text, filters):
    assert asked(query) == Interpreted(text, filters)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("x before:2025-08-20", None, "2025-08-19"),
        ("x after:2025-08-01", "2025-08-01", None),
        ("x before:2025 after:2024-07", "2024-07-01", "2024-12-31"),
        ("x after:2024 After:2025", "2025-01-01", None),
        ("x before: 2025-08-20", None, "2025-08-19"),
        ('x after:"2025-08-01"', "2025-08-01", None),
    ],
)
def test_a_day_month_or_year_stands_for_its_first_moment(query, first, last):
    found = asked(query)
    assert (found.text, found.filters) == ("x", Filters(first_day=first, last_day=last))
    assert found.notes[0].startswith('Read "')


@pytest.mark.parametrize("word", ["before:soon", "after:2025-13", "before:0001", "site:", "source:!", "intitle:?"])
def test_an_operator_that_cannot_be_read_is_searched_for_as_words(word):
    found = asked(f"storm {word}")
    assert (found.text, found.filters) == (f"storm {word}", Filters())
    assert word in found.notes[0]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("source: says the minister", "source: says the minister"),
        ("after: all the rain", "after: all the rain"),
        ("Avengers: Endgame", "Avengers: Endgame"),
        ("ferry OR boat AND harbour", "ferry boat harbour"),
        ("flood in Portland OR", "flood in Portland OR"),
        ("TO BE OR NOT TO BE", "TO BE OR NOT TO BE"),
        ("+ferry ~boat", "ferry boat"),
        ("(ferry) [strike] {now}", "ferry strike now"),
        ("ferry && boat || - * ~", "ferry boat"),
        ("ferry\\boat", "ferry boat"),
        ("AC/DC C++ R&D", "AC/DC C++ R&D"),
        ('"" - election', "election"),
        ("  spaced \n\t\0 out\x07 ", "spaced out"),
        ("Canada’s ʼtop＇ soldier", "Canada's 'top' soldier"),
        ("co‐op co‑op co–op co—op co−op", "co-op co-op co-op co-op co-op"),
        ("election – results –today", "election results today"),
        ("harb\u00adour \u200bwire", "harbour wire"),
        ("Ｆｅｒｒｙ ﬁre", "Ferry fire"),
        ("half \ud800 a pair", "half a pair"),
    ],
)
def test_what_is_no_operator_is_plain_text(query, text):
    assert asked(query, date_words=False) == Interpreted(text)


@pytest.mark.parametrize(
    ("query", "text", "note"),
    [
        ('mayor "resigns', "mayor resigns", "quotation mark"),
        ("mayor „resigns", "mayor resigns", "quotation mark"),
        ("ferr* strike", "ferr strike", '"ferr*"'),
        ("ferry -intitle:strike", "ferry", '"-intitle:strike"'),
    ],
)
def test_what_was_meant_and_ignored_is_said(query, text, note):
    found = asked(query)
    assert found.text == text
    assert note in found.notes[0]


@pytest.mark.parametrize("query", ["", "   ", "-ferry", "-source:Vigie", '"', "?!", "-", "*", "()", "\\"])
def test_a_query_without_anything_to_find_is_refused(query):
    with pytest.raises(QueryError) as refused:
        interpret(query)
    assert refused.value.field == "q"


@pytest.mark.parametrize(
    "query", ['source:"Harbour Wire" after:2025-01-01', "author:Doe -strike", "last week", "before:2025"]
)
def test_filters_alone_are_a_query(query):
    found = asked(query)
    assert found.text == ""
    assert found.filters


def test_date_words_become_a_period_and_a_note():
    found = asked('"last week tonight" last week?')
    assert (found.text, found.phrases) == ("last week tonight?", ("last week tonight",))
    assert (found.filters.first_day, found.filters.last_day) == ("2025-08-11", "2025-08-17")
    assert found.period == Period("last week", "2025-08-11", "2025-08-17")
    assert found.notes == ('Read "last week" as 2025-08-11 to 2025-08-17.',)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("ferry last week", {"date_words": False}),
        ("ferry last week", {"filters": Filters(first_day="2024-01-01")}),
        ("ferry last week before:2024", {}),
    ],
)
def test_date_words_stay_text_where_days_are_given_or_nobody_wants_them_read(query, options):
    found = asked(query, **options)
    assert (found.text, found.period) == ("ferry last week", None)


def test_filters_of_request_and_text_hold_together():
    own = Filters(first_day="2025-01-01", last_day="2025-06-30", sources=("Vigie", "Wire"), languages=("fr",))
    found = asked('source:wire "night ferry" -strike after:2024 before:2025-03', filters=own)
    assert found.filters == Filters(
        "2025-01-01", "2025-02-28", sources=("wire",), languages=("fr",), phrases=("night ferry",), excluded=("strike",)
    )


def test_filters_that_contradict_each_other_let_nothing_pass_and_say_so():
    found = asked("ferry after:2025 before:2024 source:Wire", filters=Filters(sources=("Vigie",)))
    assert (found.filters.first_day, found.filters.last_day) == ("2025-01-01", "2023-12-31")
    assert found.filters.sources == found.filters.excluded_sources == ("Wire",)
    assert sum("No article can be" in note for note in found.notes) == 2


def test_a_query_that_is_too_long_is_refused():
    with pytest.raises(QueryError, match="longer than"):
        interpret("a" * (MAX_QUERY_CHARACTERS + 1))


SIGNS = ['"', "-", "(", ")", "OR ", "NOT ", "site:", "before:", "intitle:", "2025", "-07", " ", "ferry", "*", "“", "–"]
SYNTAX = st.lists(st.sampled_from([*SIGNS, "last week"]), max_size=15).map("".join)


@given(st.text(max_size=200) | SYNTAX)
def test_any_text_is_read_or_refused(query):
    try:
        found = asked(query)
    except QueryError as refused:
        assert refused.field == "q"
        return
    assert found.filters or any(character.isalnum() or character == "_" for character in found.text)
    assert not set('"“”„«»\ue000') & set(found.text)


@given(st.lists(st.from_regex(r"[a-zé]{1,9}('s|-[a-z]+)?", fullmatch=True), min_size=1, max_size=8))
def test_plain_words_are_read_as_they_stand(words):
    text = " ".join(words)
    assert asked(text, date_words=False).text == text


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
        ({"as_of": "today"}, "as_of"),
        ({"filters": Filters(first_day="2025-02-01", last_day="2025-01-01")}, "from"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(change, field):
    with pytest.raises(QueryError) as refused:
        check(SearchRequest("ferry", **change))
    assert refused.value.field == field
