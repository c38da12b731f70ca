import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.passages import PassageSettings, count_words, passage_spans
from index.sentences import sentence_spans

USUAL = PassageSettings()
SETTINGS = st.integers(5, 200).map(PassageSettings.about)
FRAGMENTS = st.sampled_from(
    ["The", "ferry", "ran", "aground.", "2025", "漢字", "가나", "é", " ", "\n", "\n\n", "\n\nGale\n\n"]
)
TEXTS = st.text() | st.lists(FRAGMENTS, max_size=300).map(" ".join) | st.lists(FRAGMENTS, max_size=80).map("".join)


def passages(text, settings=USUAL):
    return [text[start:end] for start, end in passage_spans(text, settings)]


def prose(words, sentence=10):
    """A paragraph of so many words, all different, in sentences of equal length."""
    numbered = [f"word{number}" for number in range(words)]
    groups = [numbered[start : start + sentence] for start in range(0, words, sentence)]
    return " ".join(f"{' '.join(group).capitalize()}." for group in groups)


def test_short_article_is_one_passage():
    text = "A ferry ran aground.\n\nNobody was hurt."
    assert passages(text) == [text]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_text_without_words_has_no_passages(text):
    assert passages(text) == []


def test_paragraphs_are_packed_to_the_target():
    text = "\n\n".join(prose(50) for _ in range(6))
    assert [count_words(passage) for passage in passages(text)] == [150, 150]


def test_passages_begin_and_end_with_paragraphs():
    paragraphs = [prose(words) for words in (70, 60, 90, 120, 45)]
    for passage in passages("\n\n".join(paragraphs)):
        assert set(passage.split("\n\n")) <= set(paragraphs)


def test_short_last_paragraph_joins_the_passage_before():
    text = f"{prose(150)}\n\n{prose(20)}"
    assert passages(text) == [text]


@pytest.mark.parametrize("heading", ["What happens next", "Was steht an?", "II. The Ledger", "1984"])
def test_no_passage_runs_across_a_heading(heading):
    above, below = prose(30), prose(60)
    assert passages(f"{above}\n\n{heading}\n\n{below}") == [above, f"{heading}\n\n{below}"]


def test_headings_that_follow_each_other_stay_together():
    text = f"World\n\nWhat happens next in the strait\n\n{prose(60)}"
    assert passages(f"{prose(30)}\n\n{text}") == [prose(30), text]


@pytest.mark.parametrize("line", ["Nobody was hurt.", "“We stay”", "– a list item", "and so on", "Two\nlines"])
def test_other_short_lines_are_no_headings(line):
    text = f"{prose(30)}\n\n{line}\n\n{prose(60)}"
    assert passages(text) == [text]


def test_long_paragraph_is_cut_between_sentences():
    text = prose(1000, sentence=20)
    starts = {start for start, _ in sentence_spans(text)}
    ends = {end for _, end in sentence_spans(text)}
    spans = passage_spans(text, USUAL)
    assert len(spans) > 5
    assert all(start in starts and end in ends for start, end in spans)


def test_endless_sentence_is_cut_between_words():
    text = prose(1000, sentence=1000)
    found = passages(text)
    assert [count_words(passage) for passage in found] == [150] * 6 + [100]
    assert re.findall(r"\w+", " ".join(found)) == re.findall(r"\w+", text)


@given(TEXTS, SETTINGS)
def test_passages_are_ordered_and_disjoint(text, settings):
    spans = passage_spans(text, settings)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(TEXTS, SETTINGS)
def test_passages_hold_every_word(text, settings):
    assert "".join("".join(passages(text, settings)).split()) == "".join(text.split())


@given(TEXTS, SETTINGS)
def test_no_passage_is_longer_than_max_words(text, settings):
    assert all(count_words(passage) <= settings.max_words for passage in passages(text, settings))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("The ferry ran aground.", 4),
        ("l’élève d’Élise", 4),
        ("渡船搁浅了", 5),
        ("フェリー", 4),
        ("페리가 좌초", 5),
        ("2025年8月20日", 6),
        ("NATO首脳会議", 5),
    ],
)
def test_characters_of_scripts_without_spaces_count_as_words(text, words):
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("words", "expected"), [(150, USUAL), (75, PassageSettings(75, 90, 20)), (300, PassageSettings(300, 360, 80))]
)
def test_settings_for_another_length_keep_the_proportions(words, expected):
    assert PassageSettings.about(words) == expected


@given(st.integers(1, 2000))
def test_settings_of_any_length_are_in_order(words):
    settings = PassageSettings.about(words)
    assert settings.min_words <= settings.target_words == words <= settings.max_words
