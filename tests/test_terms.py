"""BM25 over passages, against a reference implementation."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tantivy
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import IndexDamaged
from index.filters import Filters
from index.terms import (
    _STEMS,
    TermDocument,
    Terms,
    Word,
    _analyzer,
    analyse,
    day_ordinal,
    places_of,
    spellings,
    stems_in,
)

K1, B = 1.2, 0.75
# tantivy stores a length in one byte, which is exact up to this many words.
MOST_WORDS = 40
VOCABULARY = ["ferry", "harbour", "strike", "whale", "gannet", "budget"]
words = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=MOST_WORDS)
corpora = st.lists(words, min_size=1, max_size=12).map(lambda texts: dict(enumerate(map(" ".join, texts), start=2**40)))
queries = st.lists(st.sampled_from([*VOCABULARY, "unheard"]), min_size=1, unique=True).map(
    lambda query: [term.stem for term in analyse(" ".join(query))]
)


def document(number: int, text: str, **fields: object) -> TermDocument:
    known = {"day": None, "source": "", "authors": (), "language": "", **fields}
    return TermDocument(number, text, **{**known, "day": day_ordinal(known["day"])})


def indexed(texts: Mapping[int, str], folder: Path | None = None) -> Terms:
    terms = Terms.create(folder)
    terms.add(document(number, text) for number, text in texts.items())
    terms.commit()
    return terms


def bm25(texts: Mapping[int, str], stems: Sequence[str]) -> dict[int, float]:
    """The passages in which a stem occurs, each with its score as Lucene defines it."""
    counts = {number: Counter(term.stem for term in analyse(text)) for number, text in texts.items()}
    average = sum(map(Counter.total, counts.values())) / len(counts)
    scores: dict[int, float] = {}
    for stem in stems:
        having = [number for number in counts if counts[number][stem]]
        idf = math.log(1 + (len(counts) - len(having) + 0.5) / (len(having) + 0.5))
        for number in having:
            often, length = counts[number][stem], counts[number].total()
            share = often / (often + K1 * (1 - B + B * length / average))
            scores[number] = scores.get(number, 0.0) + idf * (K1 + 1) * share
    return scores


@settings(max_examples=40, deadline=None)
@given(texts=corpora, stems=queries, size=st.integers(1, 15))
def test_search_scores_as_the_reference_does(texts: dict[int, str], stems: list[str], size: int) -> None:
    expected = bm25(texts, stems)
    found, scores = indexed(texts).search(stems, size)
    assert scores.tolist() == pytest.approx(sorted(expected.values(), reverse=True)[:size], rel=1e-5)
    assert scores.tolist() == pytest.approx([expected[number] for number in found.tolist()], rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(texts=corpora, stems=queries, data=st.data())
def test_scores_of_given_passages_are_those_of_search(
    texts: dict[int, str], stems: list[str], data: st.DataObject
) -> None:
    terms = indexed(texts)
    asked = data.draw(st.lists(st.sampled_from([*texts, 7]), unique=True))
    found = dict(zip(*(column.tolist() for column in terms.search(stems, len(texts))), strict=True))
    scores = terms.scores(stems, np.asarray(asked, dtype=np.int64))
    assert scores.tolist() == pytest.approx([found.get(number, 0.0) for number in asked], rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(texts=corpora, stems=queries)
def test_no_score_is_above_the_ideal(texts: dict[int, str], stems: list[str]) -> None:
    terms = indexed(texts)
    assert max(terms.search(stems, 1)[1], default=0.0) <= terms.ideal(stems) * (1 + 1e-6)
    assert terms.ideal(stems) == pytest.approx((K1 + 1) * sum(map(terms.idf, stems)))


@pytest.mark.parametrize(("having", "removed"), [(10, range(10, 100)), (99, range(1, 99))])
def test_no_score_is_above_the_ideal_after_removals(tmp_path: Path, having: int, removed: range) -> None:
    terms = indexed({number: "whale" if number < having else "ferry" for number in range(101)}, tmp_path)
    terms.remove(removed)
    terms.commit()
    assert 0 < terms.search(["whale"], 1)[1][0] <= terms.ideal(["whale"]) * (1 + 1e-6)


def test_idf_is_that_of_lucene() -> None:
    terms = indexed({1: "ferry", 2: "ferry strike", 3: "whale"})
    assert terms.idf("ferri") == pytest.approx(math.log(1 + 1.5 / 2.5))
    assert terms.idf("unheard") == pytest.approx(math.log(1 + 3.5 / 0.5))


def test_an_empty_index_finds_nothing() -> None:
    terms = Terms.create(None)
    assert len(terms) == len(terms.numbers()) == len(terms.matching(["ferri"])) == 0
    assert len(terms.search(["ferri"], 5)[0]) == 0
    assert terms.scores(["ferri"], np.asarray([1])).tolist() == [0.0]


several = st.lists(
    st.lists(st.lists(st.sampled_from(["ferri", "harbour", "strike", "unheard"]), min_size=1, max_size=2), min_size=1)
    .map(lambda alternatives: Word(tuple(map(tuple, alternatives)))),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(texts=corpora, asked=several)
def test_no_score_of_words_with_alternatives_is_above_the_ideal(texts: dict[int, str], asked: list[Word]) -> None:
    terms = indexed(texts)
    found, scores = terms.search(asked, len(texts))
    assert max(scores, default=0.0) <= terms.ideal(asked) * (1 + 1e-6)
    assert terms.scores(asked, found).tolist() == pytest.approx(scores.tolist(), rel=1e-5)


def test_every_wording_is_worth_what_the_commonest_is() -> None:
    terms = indexed({1: "red colour", 2: "red color", 3: "big color", 4: "red colour color", 5: "a whale"})
    word = Word((("colour",), ("color",)))
    british, american, _, both, neither = terms.scores([word], np.arange(1, 6))
    assert british == pytest.approx(american, rel=1e-5)
    assert both < british  # longer, and one word all the same
    assert neither == 0
    assert terms.ideal([word]) == pytest.approx(terms.ideal(["color"]))


def test_a_wording_that_does_not_occur_is_worth_nothing() -> None:
    terms = indexed({1: "color", 2: "whale", 3: "keep"})
    assert terms.ideal([Word((("colour",), ("color",)))]) == pytest.approx(terms.ideal(["color"]))
    assert terms.ideal([Word((("peac", "keep"), ("peacekeep",)))]) == pytest.approx(terms.ideal(["peacekeep"]))


@pytest.mark.parametrize(
    "text", ["peace-keeping", "peace\u2010keeping", "peace‑keeping", "Peace–Keeping", "peacekeeping"]
)
def test_hyphenated_words_are_found_as_one(text: str) -> None:
    terms = indexed({1: f"The {text} force", 2: "The keeping of peace"})
    assert terms.search(["peacekeep"], 5)[0].tolist() == [1]
    assert terms.matching(["forc", "peacekeep"]).tolist() == []  # the joined form stands beside nothing


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("O’Brien’s boat", "obrien"), ("o'brien", "obrien"), ("OʼBrien", "obrien"), ("D'Angelo", "dangelo"),
        ("l’eau d’Ottawa", ""), ("state-of-the-art", ""), ("2014-15", ""), ("COVID-19", "covid19"),
        ("re\u00adport", "report"),
    ],
)  # fmt: skip
def test_compounds_are_joined_and_what_only_looks_like_one_is_not(text: str, joined: str) -> None:
    terms = indexed({1: text})
    unwanted = ("leau", "dottawa", "stateoftheart", "oftheart", "201415")
    assert [word for word in (joined, *unwanted) if terms.known(word)] == ([joined] if joined else [])


@pytest.fixture(scope="module")
def press() -> Terms:
    terms = Terms.create(None)
    coast = document(1, "ferry aground", day="2024-09-08", source="Coastline", authors=("Ann", "Bo"), language="en")
    strike = document(2, "ferry strike", day="2025-01-15", source="Harbour", authors=("Bo",), language="en-CA")
    budget = document(3, "ferry budget", day="2025-08-20", source="Harbour", authors=("Cy",), language="fr")
    terms.add([coast, strike, budget, document(4, "ferry whale")])
    terms.commit()
    return terms


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), [1, 2, 3, 4]),
        (Filters(first_day="2025-01-15"), [2, 3]), (Filters(last_day="2025-01-15"), [1, 2]),
        (Filters(first_day="2024-09-09", last_day="2025-08-19"), [2]),
        (Filters(first_day="2025-08-20", last_day="2025-08-20"), [3]),
        (Filters(sources=("Harbour",)), [2, 3]), (Filters(sources=("Harbour", "Coastline")), [1, 2, 3]),
        (Filters(sources=("harbour",)), []), (Filters(excluded_sources=("Harbour",)), [1, 4]),
        (Filters(authors=("Ann", "Cy")), [1, 3]), (Filters(languages=("en-CA", "fr")), [2, 3]),
        (Filters(authors=("Bo",), languages=("en",), last_day="2024-12-31"), [1]),
    ],
)  # fmt: skip
def test_clauses_leave_what_the_filters_ask_for(press: Terms, filters: Filters, expected: list[int]) -> None:
    found, scores = press.search(["ferri"], 10, press.clauses(filters))
    assert sorted(found.tolist()) == expected
    assert scores.tolist() == pytest.approx(press.scores(["ferri"], found).tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ferry", [1, 2, 3]), ("ferries’ crews", [1, 3]), ("crew ferry", [2]), ("to be or not to be", [4]),
        ("ferry crews strike", [3]), ("crews strike ferry", []), ("fermé jusqu’à", [5]), ("ferme jusqu a", [5]),
        ("unheard", []), ("ferry unheard", []),
    ],
)  # fmt: skip
def test_matching_finds_words_side_by_side(words: str, expected: list[int]) -> None:
    terms = indexed({
        5: "Le pont restera fermé jusqu’à l’automne", 1: "The ferry crew left", 2: "A crew, a crew: ferry",
        3: "Ferry crews strike", 4: "To be, or not to be",
    })  # fmt: skip
    assert terms.matching([term.stem for term in analyse(words)]).tolist() == expected


def test_changes_are_seen_after_the_commit_and_by_whoever_opens_the_folder(tmp_path: Path) -> None:
    terms = indexed({1: "ferry", 2: "whale", 3: "ferry strike"}, tmp_path / "terms")
    other = Terms.open(tmp_path / "terms")
    terms.remove([1, 99])
    terms.add([document(4, "ferry budget")])
    assert terms.numbers().tolist() == [1, 2, 3]
    terms.commit()
    other.refresh()
    for index in (terms, other, Terms.open(tmp_path / "terms")):
        assert index.numbers().tolist() == [2, 3, 4]
        assert sorted(index.search(["ferri"], 10)[0].tolist()) == [3, 4]


@pytest.mark.parametrize("damage", ["delete", "cut off"])
@pytest.mark.parametrize("ending", ["meta.json", ".term", ".idx", ".fast", ".fieldnorm", ".store"])
def test_a_damaged_file_is_reported_when_the_index_is_opened(tmp_path: Path, ending: str, damage: str) -> None:
    indexed({1: "ferry strike", 2: "whale"}, tmp_path)
    (file,) = tmp_path.glob(f"*{ending}")
    whole = file.read_bytes()
    file.unlink()
    if damage == "cut off":
        file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IndexDamaged, match=r"is not a term index \(.*\)\. Run: dateline check --repair"):
        Terms.open(tmp_path)


def test_an_index_with_other_fields_is_damaged(tmp_path: Path) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("passage", indexed=True, fast=True)
    tantivy.Index(builder.build(), path=str(tmp_path)).writer(20_000_000, 1).commit()
    with pytest.raises(IndexDamaged, match="another version of Dateline wrote it"):
        Terms.open(tmp_path)


def test_a_folder_without_an_index_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("terms")
    for path in (tmp_path, tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(IndexDamaged):
            Terms.open(path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ferri"], [1, 2]), (["ferri", "strike"], [1]), (["strike", "ferri"], []), (["harbour"], []), ([], []),
        ([Word((("harbour",), ("ferri",))), "strike"], [1]), ([Word((("peacekeep",), ("peac", "keep")))], [3]),
    ],
)  # fmt: skip
def test_titles_are_searched_alone(words: list[Word | str], expected: list[int]) -> None:
    terms = Terms.create(None)
    titles = {1: "Ferry strike", 2: "Strikes: the ferry", 3: "Peace-keeping"}
    terms.add(document(number, f"{title}\nThe harbour", title=title) for number, title in titles.items())
    terms.commit()
    assert terms.in_title(words).tolist() == expected


def test_words_are_counted_as_they_are_spelled_and_by_stem() -> None:
    terms = indexed({1: "Ferries, ferries", 2: "ferry", 3: "Café"})
    assert [terms.known(word) for word in ("ferries", "ferry", "ferri", "cafe")] == [1, 1, 0, 1]
    assert [terms.frequency(stem) for stem in ("ferri", "ferries", "cafe")] == [2, 0, 1]


def test_removed_passages_do_not_count() -> None:
    terms = indexed({1: "ferry", 2: "ferry", 3: "whale"})
    terms.remove([1, 3])
    terms.commit()
    assert (
        [terms.known(word) for word in ("ferry", "whale")] == [1, 0] == [terms.frequency(s) for s in ("ferri", "whale")]
    )


@pytest.mark.parametrize(
    ("word", "distance", "expected"),
    [
        ("goverment", 1, ["government"]), ("governmnet", 1, ["government"]), ("overnment", 1, ["government"]),
        ("xgovernment", 1, ["government"]), ("ogvernment", 1, ["government"]), ("hovernment", 1, ["government"]),
        ("govrments", 1, []), ("goverments", 2, ["government", "governments"]), ("montrael", 1, ["montreal"]),
        ("government", 1, ["governments"]), ("", 1, []), ("日本", 2, []),
    ],
)  # fmt: skip
def test_near_words_are_slips_away_commonest_first(word: str, distance: int, expected: list[str]) -> None:
    terms = indexed({1: "Government", 2: "the government of Montréal", 3: "governments"})
    assert list(terms.near(word, distance)) == expected


@given(st.text())
def test_spellings_go_with_terms_one_by_one(text: str) -> None:
    assert len(spellings(text)) == len(analyse(text))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("L’été à Montréal", "l'ete a montreal"), ("naïve café", "NAIVE CAFE"), ("jusqu’à", "jusqu'a"),
        ("Straße", "strasse"), ("running ferries", "runs ferry"),
    ],
)  # fmt: skip
def test_accents_apostrophes_case_and_endings_are_folded(left: str, right: str) -> None:
    assert [term.stem for term in analyse(left)] == [term.stem for term in analyse(right)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L’été à Montréal", ["L", "été", "à", "Montréal"]), ("😀 boats’ naïve", ["boats", "naïve"]),
        ("Straße—日本語, 5 km", ["Straße", "日本語", "5", "km"]), ("", []), ("… — !", []),
        (f"a {'x' * 80} b", ["a", "b"]),
    ],
)  # fmt: skip
def test_offsets_count_characters(text: str, expected: list[str]) -> None:
    assert [text[term.start : term.end] for term in analyse(text)] == expected


def test_stop_words_are_known_in_english_and_french() -> None:
    flags = {term.stem: term.stop_word for term in analyse("The strike des matelots à Montréal ÉTÉ was l’été")}
    assert [stem for stem, stop_word in flags.items() if stop_word] == ["the", "des", "was", "l"]


LONG = "x" * 70
texts_of_all_kinds = st.lists(
    st.text("aB1é’'-. _\u0905\u093f\u2160\u24d0\u0301\n", max_size=30)
    | st.sampled_from([f"a {LONG} b", "e-mail O’Brien"]),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(texts=texts_of_all_kinds)
def test_words_are_cut_as_tantivy_cuts_them(texts: list[str]) -> None:
    for text in texts:
        tokens = _analyzer(_STEMS).pre_tokenize(text).tokens
        expected = [(token.text, token.char_offset_from, token.char_offset_to) for token in tokens]
        assert stems_in(text) == expected
        some = {stem for stem, _, _ in expected[::2]}
        assert places_of(some, text) == [place for place in expected if place[0] in some]


@settings(max_examples=60, deadline=None)
@given(texts=texts_of_all_kinds, data=st.data())
def test_matches_are_what_tantivy_would_say(texts: list[str], data: st.DataObject) -> None:
    numbered = dict(enumerate(texts, start=2**40))
    terms = indexed(numbered)
    numbers = np.asarray([*numbered, 7])
    stems = sorted({term.stem for text in texts for term in analyse(text)} | {"unheard"})
    asked = [Word(((stem,),)) for stem in data.draw(st.lists(st.sampled_from(stems), max_size=4, unique=True))]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(stems), st.sampled_from(stems)), max_size=3, unique=True))
    found = terms.matches(asked, numbers, pairs)
    scores = dict(zip(*(column.tolist() for column in terms.search(asked, len(texts))), strict=True))
    assert found.bm25.tolist() == pytest.approx([scores.get(n, 0.0) for n in numbers.tolist()], rel=1e-4)
    having = [(sum(map(terms.idf, pair)), terms.matching(pair)) for pair in pairs]
    together = [sum(worth for worth, at in having if number in at) for number in numbers.tolist()]
    assert found.pairs.tolist() == pytest.approx(together, rel=1e-5)
    occurring = [(terms.idf(word.alternatives[0][0]), terms.matching(word.alternatives[0])) for word in asked]
    worths = [sum(worth for worth, at in occurring if number in at) for number in numbers.tolist()]
    assert found.coverage.tolist() == pytest.approx(worths, rel=1e-5)


def test_an_index_without_the_words_of_its_passages_is_damaged(tmp_path: Path) -> None:
    indexed({1: "ferry"}, tmp_path)
    (tmp_path / "words.json").unlink()
    with pytest.raises(IndexDamaged, match="words"):
        Terms.open(tmp_path)


def test_articles_know_their_words_but_not_what_stands_side_by_side() -> None:
    terms = Terms.create(None)
    terms.add([TermDocument(1, "whale whale ferry", spelled=False), TermDocument(2, "ferry strike", spelled=False)])
    terms.commit()
    numbers = np.asarray([1, 2])
    found, scores = terms.search(["whale", "ferri"], 2)
    matches = terms.matches(["whale", "ferri"], numbers, [("whale", "ferri")])
    assert dict(zip(found.tolist(), scores.tolist(), strict=True)) == pytest.approx(
        dict(zip(numbers.tolist(), matches.bm25.tolist(), strict=True)), rel=1e-5
    )
    assert not matches.pairs.any()
