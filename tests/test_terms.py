"""BM25 over passages, against a reference implementation."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import IndexDamaged
from index.filters import Filters
from index.terms import TermDocument, Terms, analyse, day_ordinal

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
    assert terms.scores(stems, np.asarray(asked, dtype=np.int64)).tolist() == [found.get(n, 0.0) for n in asked]


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
    assert scores.tolist() == press.scores(["ferri"], found).tolist()


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


def test_a_folder_without_an_index_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("terms")
    for path in (tmp_path, tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(IndexDamaged):
            Terms.open(path)


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
