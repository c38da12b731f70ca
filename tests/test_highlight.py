from hypothesis import given
from hypothesis import strategies as st

from index.terms import analyse
from search.highlight import best_sentence, highlights

TEXT = "Canada’s peacekeepers arrived. The élections were held on Sunday! Logistics, he said, is hard."


def weights(query: str) -> dict[str, float]:
    return {term.stem: 1.0 for term in analyse(query)}


def words(query: str) -> list[str]:
    return [TEXT[start:end] for start, end in highlights(TEXT, weights(query))]


def test_words_are_found_by_stem_and_without_accents():
    assert words("peacekeeping logistics elections") == ["peacekeepers", "élections", "Logistics"]


def test_possessives_are_found():
    assert words("canada") == ["Canada"]


def test_parts_of_words_are_not():
    assert words("log peace") == []


def test_the_sentence_with_most_of_the_query_is_best():
    assert TEXT[slice(*best_sentence(TEXT, weights("elections on Sunday")))] == "The élections were held on Sunday!"


def test_without_a_matching_word_the_first_sentence_is_best():
    assert best_sentence(TEXT, weights("volcano")) == (0, 30)


@given(st.text(max_size=300), st.text(max_size=40))
def test_spans_lie_inside_any_text(text, query):
    stems = weights(query)
    start, end = best_sentence(text, stems)
    assert 0 <= start <= end <= len(text)
    previous = 0
    for low, high in highlights(text, stems):
        assert previous <= low < high <= len(text)
        previous = high
