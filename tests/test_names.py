import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.names import Names, folded

WORDS = st.text("abcéÀ ßı\0", min_size=0, max_size=8)


def names(*counted):
    codes = [at for at, (_, count) in enumerate(counted) for _ in range(count)]
    return Names([name for name, _ in counted], np.asarray([*codes, -1], dtype=np.int32))


def test_any_word_of_a_name_may_begin_so_and_the_commonest_comes_first():
    known = names(("The Canadian Press", 2), ("Canada Today", 5), ("Vancouver Sun", 9), ("Le Canard", 2))
    assert known.beginning_with("can", 9) == ["Canada Today", "Le Canard", "The Canadian Press"]
    assert known.beginning_with("can", 1) == ["Canada Today"]
    assert known.beginning_with("canadian pr", 9) == ["The Canadian Press"]


def test_case_and_accents_do_not_count():
    assert names(("Maude Thériault", 1)).beginning_with("THE", 9) == ["Maude Thériault"]


def test_words_of_two_names_are_not_one_name():
    assert names(("Harbour", 1), ("Wire", 1)).beginning_with("harbour wi", 9) == []


def test_names_that_nothing_has_any_more_and_nothing_typed_find_nothing():
    assert names(("Gone", 0)).beginning_with("go", 9) == []
    assert names(("Here", 1)).beginning_with(" \0 ", 9) == []


@given(st.lists(WORDS, unique=True, max_size=8), WORDS)
def test_it_finds_what_a_look_at_every_name_finds(stored, typed):
    known = names(*((name, 1) for name in stored))
    sought = folded(typed).split()

    def fits(name):
        words = folded(name).split()
        return any(
            words[at : at + len(sought) - 1] == sought[:-1] and words[at + len(sought) - 1].startswith(sought[-1])
            for at in range(len(words) - len(sought) + 1)
        )

    assert known.beginning_with(typed, 99) == (sorted(filter(fits, stored)) if sought else [])
