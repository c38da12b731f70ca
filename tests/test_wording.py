"""The words of a query, held against a corpus."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.slips import beginnings, slips
from index.terms import TermDocument, Terms, Word
from search.spellings import other_spellings
from search.wording import worded

PASSAGES = (
    "The government of Montréal raised its climate change budget",
    "Governments and parliament on climate change, for four hours",
    "A peacekeeping force; the harbor, a color, an organized defense center",
    "Beyoncé met Tiff Macklem and Conor O’Brien on the moon",
    "The moors, the mood and more moors",
)


def corpus(texts: Iterable[str]) -> Terms:
    terms = Terms.create(None)
    terms.add(TermDocument(number, text) for number, text in enumerate(texts))
    terms.commit()
    return terms


@pytest.fixture(scope="module")
def vocabulary() -> Terms:
    return corpus(PASSAGES)


def alternatives(text: str, vocabulary: Terms) -> list[list[str]]:
    return [[" ".join(stems) for stems in word.alternatives] for word in worded(text, vocabulary, correct=False).words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("climate budgets", [["climat"], ["budget"]]), ("the budget of the budgets", [["budget"]]),
        ("to be or not to be", [["to"], ["be"], ["or"], ["not"]]), ("", []), ("… — !", []),
        ("don't panic", [["panic"]]), ("beyonce", [["beyonc"]]), ("Beyoncé", [["beyonc"]]),
        ("colour", [["colour", "color"]]), ("color", [["color"]]),
        ("colour color", [["colour", "color"]]), ("harbours", [["harbour", "harbor"]]),
        ("organising defence", [["organis", "organiz"], ["defenc", "defens"]]), ("four fours", [["four"]]),
        ("peacekeeping", [["peacekeep"]]), ("peace-keeping", [["peac keep", "peacekeep"]]),
        ("peace‑keeping troops", [["peac keep", "peacekeep"], ["troop"]]), ("keeping-peace", [["keep peac"]]),
        ("Macklem’s", [["macklem"]]), ("Macklem's", [["macklem"]]), ("Macklemʼs", [["macklem"]]),
        ("O'Brien", [["o brien", "obrien"]]), ("o’brien’s", [["o brien", "obrien"]]), ("OBrien", [["obrien"]]),
        ("up-to-the-minute", [["minut"]]), ("a-b-c", [["b"]]), ("O'Reilly", [["o reilli"]]),
        ("climate climate-change", [["climat"], ["climat chang"]]),
    ],
)  # fmt: skip
def test_words_have_the_wordings_that_the_corpus_has(text: str, expected: list[list[str]], vocabulary: Terms) -> None:
    assert alternatives(text, vocabulary) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("goverment", "government"), ("Govermnent budget", "Government budget"), ("montrael", "montreal"),
        ("govrenmnet", "government"), ("climatechange", "climate change"), ("parlaiment’s votes", "parliament’s votes"),
        ("goverment goverment", "government government"), ("goverment-run", "government-run"),
    ],
)  # fmt: skip
def test_slips_are_put_right(text: str, meant: str, vocabulary: Terms) -> None:
    wording = worded(text, vocabulary, correct=True)
    assert wording.text == meant
    assert wording.words == worded(meant, vocabulary, correct=False).words
    for typed, corrected in wording.corrections:
        assert typed in text
        assert corrected in meant


@pytest.mark.parametrize(
    "text",
    [
        "government", "colour", "peace-keeping", "mon", "govermen7", "xylophone", "volcanoes",
        "moooonnn", "ths", "日本語日本", "centre of gravitas", "teh", "onclimate",
    ],
)  # fmt: skip
def test_what_is_known_short_or_near_nothing_stays(text: str, vocabulary: Terms) -> None:
    wording = worded(text, vocabulary, correct=True)
    assert (wording.text, wording.corrections) == (text, ())


def test_nothing_is_corrected_unasked_or_in_quotes(vocabulary: Terms) -> None:
    assert worded("goverment", vocabulary, correct=False).corrections == ()
    wording = worded("Goverment montrael", vocabulary, correct=True, phrases=("of the goverment",))
    assert wording.text == "Goverment montreal"


def test_the_same_first_letter_comes_before_frequency() -> None:
    terms = corpus(["market", "market", "parkets"])
    assert worded("parket", terms, correct=True).text == "parket"  # the stem is known
    terms = corpus(["market", "market", "packet"])
    assert worded("parket", terms, correct=True).text == "packet"


def test_in_a_large_corpus_one_passage_is_not_enough() -> None:
    assert worded("goverment", corpus(["government"] + ["ferry"] * 1_000), correct=True).corrections == ()
    assert worded("goverment", corpus(["government"] * 2 + ["ferry"] * 1_000), correct=True).text == "government"


@given(st.text(max_size=60), st.booleans())
def test_any_text_has_words_that_can_be_searched_for(text: str, correct: bool) -> None:
    terms = corpus(PASSAGES)
    wording = worded(text, terms, correct=correct)
    assert all(isinstance(word, Word) and all(word.alternatives) for word in wording.words)
    terms.search(wording.words, 3)
    if not wording.corrections:
        assert wording.text == text


@pytest.mark.parametrize(
    "pair",
    (
        "colour/color favourites/favorites neighbourhood/neighborhood organise/organize realisation/realization"
        " paralysed/paralyzed centre/center kilometres/kilometers theatre/theater catalogue/catalog defence/defense"
        " licence/license travelled/traveled modelling/modeling counsellor/counselor fulfil/fulfill programme/program"
        " paediatric/pediatric foetus/fetus manoeuvre/maneuver grey/gray tyres/tires kerb/curb jewellery/jewelry"
        " aluminium/aluminum ploughed/plowed mouldy/moldy scepticism/skepticism practise/practice"
    ).split(),
)
def test_british_and_american_spellings_lead_to_each_other(pair: str) -> None:
    british, american = pair.split("/")
    assert american in other_spellings(british)
    assert british in other_spellings(american)


@pytest.mark.parametrize(
    "word",
    (
        "four for hour tour flour rise size prize promise expertise paradise filling filing calling refilled meet met"
        " september member number israel michael goes poetry devour vogue sense"
    ).split(),
)
def test_other_words_have_no_other_spelling(word: str) -> None:
    assert not other_spellings(word)


def alignment(left: str, right: str) -> int:
    """Optimal string alignment as it is defined."""
    if not left or not right:
        return len(left) + len(right)
    cost = min(
        alignment(left[:-1], right) + 1,
        alignment(left, right[:-1]) + 1,
        alignment(left[:-1], right[:-1]) + (left[-1] != right[-1]),
    )
    swapped = len(left) > 1 and len(right) > 1 and left[-2:] == right[:-3:-1]
    return min(cost, alignment(left[:-2], right[:-2]) + 1) if swapped else cost


@given(st.text("abc", max_size=5), st.text("abc", max_size=5), st.integers(1, 2))
def test_slips_are_those_of_the_definition(left: str, right: str, most: int) -> None:
    assert slips(left, right, most) == min(alignment(left, right), most + 1)


@given(st.text("abc", min_size=4, max_size=5), st.text("abc", max_size=6))
def test_a_word_one_slip_away_has_one_of_the_beginnings(word: str, other: str) -> None:
    if slips(word, other, 1) <= 1:
        assert any(map(other.startswith, beginnings(word)))
