import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import _BOUNDARY, _boundaries, sentence_spans, trim

FRAGMENTS = st.sampled_from(
    "The ferry|ran|Gen.|U.S.|J.|p.m.|5|.|?!|…|”|“|)| |\n|\n\n|élan|漢字。|\t|\u2028|\xa0|'".split("|")
)
TEXTS = st.text() | st.lists(FRAGMENTS).map("".join) | st.lists(FRAGMENTS).map(" ".join)


def sentences(text):
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["The ferry ran aground.", "Nobody was hurt."],
        ["Why now?", "Nobody knows!", "Not even the harbour…", "The end."],
        ["“We stay.”", "The crowd cheered."],
        ["He said no to it (twice).", "Then he left."],
        ["It closed at 5 p.m. Friday.", "Nobody complained."],
        ["Le pont est fermé.", "« Nous attendons. »", "Élise rit."],
        ["It cost 3.50 euros.", "2024 was worse."],
        ["He lives in the U.S.", "The bill is dead."],
        ["渡船搁浅了。", "没有人受伤。"],
    ],
)
def test_sentences_are_told_apart(parts):
    joiner = "" if parts[0].endswith("。") else " "
    assert sentences(joiner.join(parts)) == parts


@pytest.mark.parametrize(
    "sentence",
    [
        "Gen. Jennie Carignan spoke with Lt. Col. Mara Voss.",
        "Dr. Okonjo and Mrs. Dunmore of St. Albans met Prof. Byron.",
        "The U.S. Senate and the U.K. Treasury disagree.",
        "J. K. Rowling met C.S. Lewis at 5 p.m. Friday.",
        "Members must ratify it by Sept. 12 or Dec. 1 at the latest.",
        "It sank in the harbour, vs. Dover, approx. 40 years ago.",
        "“Where is it?” she asked.",
        "“No!” he said, and “never.” she added.",
        "Mme. Thériault et M. Aubrac sont partis.",
        "The site news.example.org was down for 2.5 hours.",
        "He waited … and left.",
    ],
)
def test_stop_inside_a_sentence_does_not_end_it(sentence):
    assert sentences(sentence) == [sentence]


def test_short_words_that_are_also_abbreviations_can_end_a_sentence():
    assert sentences("She said no. Then she left.") == ["She said no.", "Then she left."]
    assert sentences("He loves art. Nobody else does.") == ["He loves art.", "Nobody else does."]


@pytest.mark.parametrize(
    "parts",
    [["A list", "of things", "", "and more"], ["He left the U.S.", "", "Police said no more."], ["Kafka, F.", "2"]],
)
def test_line_breaks_always_separate(parts):
    assert sentences("\n".join(parts)) == [part for part in parts if part]


@pytest.mark.parametrize("text", ["", " ", "\n\t\n"])
def test_text_without_words_has_no_sentences(text):
    assert sentences(text) == []


@given(TEXTS)
def test_sentences_are_ordered_and_disjoint(text):
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(TEXTS)
def test_sentences_hold_every_character_but_space(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(TEXTS)
def test_sentences_have_no_space_around_them(text):
    assert all(sentence == sentence.strip() for sentence in sentences(text))


@given(TEXTS)
def test_no_sentence_runs_over_a_line_break(text):
    assert all("\n" not in sentence for sentence in sentences(text))


@given(st.text(" \n\tab"), st.data())
def test_trim_takes_only_white_space_away(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    low, high = trim(text, (start, end))
    assert text[low:high] == text[start:end].strip()
    assert start <= low <= high <= end


def test_row_of_dots_takes_no_time():
    began = time.process_time()
    sentence_spans("." * 10_000)
    assert time.process_time() - began < 1


@given(TEXTS)
def test_boundaries_are_those_of_the_whole_pattern(text):
    assert [match.span() for match in _boundaries(text)] == [match.span() for match in _BOUNDARY.finditer(text)]
