from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from index.sentences import sentence_spans
from index.terms import Word, analyse, as_word
from search.highlight import Marker, Span

TEXT = "Canada’s peacekeepers arrived. The élections were held on Sunday! Logistics, he said, is hard."


def highlights(text: str, words: Iterable[Word | str], phrases: tuple[str, ...] = ()) -> list[Span]:
    return Marker(words, phrases).highlights(text)


def best_sentence(text: str, words: Iterable[Word]) -> Span:
    return Marker(words).best_sentence(text)


def asked(query: str) -> list[Word]:
    return [as_word(term.stem) for term in analyse(query)]


def words(query: str) -> list[str]:
    return [TEXT[start:end] for start, end in highlights(TEXT, asked(query))]


def test_words_are_found_by_stem_and_without_accents():
    assert words("peacekeeping logistics elections") == ["peacekeepers", "élections", "Logistics"]


def test_possessives_are_found():
    assert words("canada") == ["Canada"]


def test_parts_of_words_are_not():
    assert words("log peace") == []


def test_the_sentence_with_most_of_the_query_is_best():
    assert TEXT[slice(*best_sentence(TEXT, asked("elections on Sunday")))] == "The élections were held on Sunday!"


def test_without_a_matching_word_the_first_sentence_is_best():
    assert best_sentence(TEXT, asked("volcano")) == (0, 30)


def marked(text: str, *words: Word | str, phrases: tuple[str, ...] = ()) -> list[str]:
    return [text[start:end] for start, end in highlights(text, words, phrases)]


def test_every_wording_is_marked():
    assert marked("Color or colour, not collar", Word((("colour",), ("color",)))) == ["Color", "colour"]


def test_a_compound_is_one_span_however_it_is_written():
    text = "Peace-keeping, peacekeeping and peace keeping keep the peace"
    whole = ["Peace-keeping", "peacekeeping"]
    assert marked(text, "peacekeep") == whole
    assert marked(text, Word((("peac", "keep"), ("peacekeep",)))) == [*whole, "peace keeping", "keep", "peace"]


def test_names_with_an_apostrophe_are_one_span():
    for word in ("obrien", Word((("o", "brien"), ("obrien",)))):
        assert marked("O’Brien’s and OBrien, o", word) == ["O’Brien", "OBrien"]


def test_a_phrase_is_one_span_where_it_stands_side_by_side():
    text = "The Bank of Canada: a bank, Canada"
    assert marked(text, "bank", "canada", phrases=("bank of Canada",)) == ["Bank of Canada", "bank", "Canada"]
    assert marked(text, phrases=("", "Canada bank", "of canada a")) == ["of Canada: a"]


@given(st.text("ab o'’-", max_size=40), st.lists(st.text("ab o'-", max_size=6), max_size=3))
def test_spans_do_not_overlap(text, phrases):
    words = [Word((tuple(term.stem for term in analyse(phrase)) or ("a",), ("ab",))) for phrase in phrases]
    spans = highlights(text, words, phrases)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@given(st.text(max_size=300), st.text(max_size=40))
def test_spans_lie_inside_any_text(text, query):
    words = asked(query)
    start, end = best_sentence(text, words)
    assert 0 <= start <= end <= len(text)
    previous = 0
    for low, high in highlights(text, words):
        assert previous <= low < high <= len(text)
        previous = high


@given(st.text("ab o’. -\n", max_size=60), st.lists(st.sampled_from(["a", "b", "ab", "o"]), max_size=3))
def test_both_at_once_is_each_by_itself_and_the_best_sentence_has_most_words(text, stems):
    words = [Word(((stem,), ("a", "b"))) for stem in stems]
    marker = Marker(words)
    spans, best = marker.both(text)
    assert (spans, best) == (marker.highlights(text), marker.best_sentence(text))

    def matched(span):
        there = {term.stem for term in analyse(text[slice(*span)])}
        return sum(any(there.issuperset(wording) for wording in word.alternatives) for word in words)

    assert best == max(sentence_spans(text) or [(0, len(text))], key=matched)
