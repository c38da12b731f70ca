import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.article import Article, Passage
from index.sentences import sentence_spans
from search.excerpts import fitting, inside, portion, shortened
from search.hits import Hit

TEXT = "Nobody expected it. The ferry ran aground at dawn. Divers came. They found a hole, and a very old anchor in it."


def hit(text=TEXT, best="The ferry ran aground at dawn.", marks=("ferry",), before="Ahoy. "):
    start = text.index(best)
    marked = tuple((text.index(mark), text.index(mark) + len(mark)) for mark in marks)
    return Hit(
        rank=1, score=1.0, article=Article("a", "A", before + text), text=text, highlights=marked, more_passages=0,
        passage=Passage(1, 1, len(before), len(before) + len(text)), best_sentence=(start, start + len(best)),
    )  # fmt: skip


def sound(found):
    """Its offsets still point where they say."""
    start, end = found.passage.start, found.passage.end
    assert found.article.text[start:end] == found.text != ""
    for low, high in (*found.highlights, found.best_sentence):
        assert 0 <= low < high <= len(found.text)


def test_a_passage_that_fits_stays():
    assert shortened(hit(), len(TEXT)) == hit()


def test_the_best_sentence_stays_whole_with_those_beside_it_that_fit():
    found = shortened(hit(), 55)
    assert found.text == "The ferry ran aground at dawn. Divers came."
    assert found.text[slice(*found.highlights[0])] == "ferry"
    assert found.text[slice(*found.best_sentence)] == "The ferry ran aground at dawn."
    assert found.passage_id == f"a:{found.passage.start}-{found.passage.end}"
    assert shortened(hit(), 65).text == "Nobody expected it. The ferry ran aground at dawn. Divers came."
    sound(found)


def test_a_sentence_that_is_too_long_is_cut_between_words_around_its_first_mark():
    long = "So " + "it went " * 40 + "until the ferry sank off the spit."
    assert shortened(hit(long, long, ()), 20).text == "So it went it went"
    found = shortened(hit(long, long), 20)
    assert "ferry" in found.text
    assert found.text[slice(*found.highlights[0])] == "ferry"
    assert set(found.text.split()) <= set(long.split())
    sound(found)


def test_text_without_spaces_is_cut_anyway():
    found = shortened(hit("渡船" * 100, "渡船" * 100, ()), 50)
    assert len(found.text) == 50
    sound(found)


def test_hits_that_fit_are_kept_and_one_always_is():
    three = [hit()] * 3
    assert len(fitting(three, 3 * len(TEXT))) == 3
    assert len(fitting(three, 3 * len(TEXT) - 1)) == 2
    assert [len(found.text) <= 50 for found in fitting(three, 50)] == [True]
    assert fitting([], 50) == ()


@given(st.text("ab. \n日", min_size=1, max_size=200).filter(str.strip), st.data())
def test_however_short_it_gets_its_offsets_hold(text, data):
    sentence = data.draw(st.sampled_from(sentence_spans(text)))
    mark = data.draw(st.sampled_from([match for match in range(len(text)) if not text[match].isspace()]))
    whole = Hit(
        rank=1, score=1.0, article=Article("a", "A", text), passage=Passage(1, 1, 0, len(text)), text=text,
        highlights=((mark, mark + 1),), best_sentence=sentence, more_passages=0,
    )  # fmt: skip
    most = data.draw(st.integers(5, 250))
    found = shortened(whole, most)
    assert len(found.text) <= most
    sound(found)


@given(st.text("ab. \n日", min_size=1, max_size=300), st.integers(1, 100))
def test_portions_give_the_text_again(text, most):
    end, found = 0, ""
    while end < len(text):
        start, after = portion(text, end, most)
        assert start == end < after <= end + most
        found, end = found + text[start:after], after
    assert found == text


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (300, TEXT),
        (60, "Nobody expected it. The ferry ran aground at dawn. "),
        (30, "Nobody expected it. "),
        (50, "Nobody expected it. The ferry ran aground at dawn."),
        (45, "Nobody expected it. The ferry ran aground at "),
        (10, "Nobody "),
    ],
)
def test_portions_end_with_a_sentence_where_that_is_not_wasteful(most, said):
    start, end = portion(TEXT, 0, most)
    assert TEXT[start:end] == said


def test_spans_seen_through_a_window():
    assert inside([(0, 2), (3, 6), (8, 9)], (4, 8)) == ((0, 2),)
