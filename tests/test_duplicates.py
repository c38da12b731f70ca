import random
import subprocess
import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.duplicates import (
    FINGERPRINTS,
    LEAST_SHARED,
    CopyFacts,
    days_apart,
    fingerprints,
    head_of,
    is_copy,
    shared_words,
)

SUBJECTS = "The harbour master|A night ferry|The island council|One of the pilots|The storm|An old lighthouse".split(
    "|"
)
VERBS = "warned|carried|closed|delayed|repaired|measured|counted|refused|opened|photographed".split("|")
OBJECTS = "every fishing boat|the northern pier|forty tonnes of salt|a school of seals|the tide tables".split("|")
ENDINGS = "before dawn|after the vote|without a licence|in heavy fog|for the third time|near the old quarry".split("|")
BOILERPLATE = (
    "This report was prepared by the newsroom of the Northern Press Association and is distributed to member papers in "
    "eleven countries. No part of it may be sold on or archived for resale without written permission. Corrections "
    "are sent to all members as soon as they are known."
)


def sentences(seed: int, count: int) -> list[str]:
    """Invented news. Every run of eight words has a name in it that no other sentence has."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        name = "".join(chr(ord("a") + int(digit)) for digit in f"{seed:02}{number:04}")
        lines.append(
            f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {name}ton {chance.choice(OBJECTS)} and "
            f"{chance.choice(VERBS)} {name}ville {chance.choice(OBJECTS)} {chance.choice(ENDINGS)} in {name}ham."
        )
    return lines


def story(seed: int, count: int = 30) -> str:
    return " ".join(sentences(seed, count))


def shared(text: str, other: str) -> int:
    return len(np.intersect1d(fingerprints(text), fingerprints(other)))


WORDS = st.text(alphabet=st.characters(categories=["Ll", "Nd"], max_codepoint=0x24F), min_size=1, max_size=9)
TEXTS = st.lists(WORDS, min_size=0, max_size=120).map(" ".join)


@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_being_a_copy_goes_both_ways(text, other):
    for apart in (None, 0.0, 400.0):
        assert is_copy(text, other, apart) == is_copy(other, text, apart)


@given(TEXTS, st.floats(0.5, 1))
@settings(max_examples=60, deadline=None)
def test_a_part_and_its_whole_go_both_ways(text, share):
    part = text[: int(share * len(text))]
    assert is_copy(text, part) == is_copy(part, text)


@given(st.lists(WORDS, min_size=20, max_size=150))
@settings(max_examples=60, deadline=None)
def test_every_text_long_enough_is_a_copy_of_itself_and_found_as_one(words):
    text = " ".join(words)
    assert is_copy(text, text)
    assert shared(text, text) >= LEAST_SHARED or len(set(words)) < 4  # one word over and over is one shingle


@given(st.text(max_size=400), st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_no_text_is_too_odd_to_look_at(text, other):
    values = fingerprints(text)
    assert values.dtype == np.int64
    assert len(values) <= FINGERPRINTS
    assert (np.diff(values) > 0).all()
    assert ((values >= 0) & (values < 2**47)).all()
    is_copy(text, other)


@given(st.lists(WORDS, min_size=8, max_size=60), st.sampled_from([", ", "\n\n", " — ", "… ", "\t«"]))
@settings(max_examples=60, deadline=None)
def test_fingerprints_do_not_depend_on_space_and_punctuation(words, between):
    assert (fingerprints(" ".join(words)) == fingerprints(between.join(words))).all()


def test_fingerprints_do_not_depend_on_case_accents_and_quotes():
    text = "Señor Müller’s “café” naïvely reopened in Zürich after São Paulo's élite résumé"
    plain = "SENOR MULLER'S \"CAFE\" NAIVELY REOPENED IN ZURICH AFTER SAO PAULO'S ELITE RESUME"
    assert len(fingerprints(text)) > 3
    for other in (plain, unicodedata.normalize("NFD", text), text.upper()):
        assert (fingerprints(text) == fingerprints(other)).all()


def test_fingerprints_are_what_stored_ones_were():
    text = "The island council closed the northern pier before dawn, and nobody knows when it will open again."
    assert fingerprints(text).tolist() == [
        41878128068354,
        42908176334896,
        62496165271481,
        63471790243711,
        64680246936016,
        80550121238508,
        99394830856689,
        115502481975286,
        124859545347155,
        130438953121063,
    ]


def test_fingerprints_are_the_same_in_another_process():
    code = f"from index.duplicates import fingerprints; print(fingerprints({story(5)!r}).tolist())"
    shown = [subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}) for seed in "12"]
    assert shown[0] == shown[1] == f"{fingerprints(story(5)).tolist()}\n".encode()


def test_a_text_of_any_length_has_few_fingerprints():
    assert len(fingerprints(story(1, 2000))) == FINGERPRINTS
    assert len(fingerprints("Too short to tell.")) == 0


def copy_cases():
    original = sentences(1, 30)
    chance = random.Random(4)
    combined = [
        "Pier shut as gale nears",
        "Ferries stood still on Friday, our reporter writes.",
        *original[1:18],
        BOILERPLATE,
    ]
    chance.shuffle(combined)
    edited = [" ".join("upon" if chance.random() < 0.03 else w for w in line.split()) for line in original]
    return {
        "the same text": original,
        "trimmed to 60 % from the end": original[:18],
        "trimmed to 60 % throughout": [line for place, line in enumerate(original) if place % 5 not in (1, 3)],
        "under a new headline and lede": ["Gale nears", "Nobody went out on Friday, fishers told us.", *original[1:]],
        "with boilerplate": [*original, BOILERPLATE],
        "in another order": chance.sample(original, 30),
        "lightly edited": edited,
        "all at once": combined,
        "an update with a fifth more": [*original, *sentences(77, 7)],
    }


@pytest.mark.parametrize(("how", "copy"), copy_cases().items(), ids=copy_cases())
def test_copies_are_found_and_known(how, copy):
    text = " ".join(copy)
    assert shared(story(1), text) >= LEAST_SHARED
    assert is_copy(story(1), text)
    assert is_copy(story(1), text, 2)


def other_cases():
    original = sentences(1, 30)
    return {
        "an unrelated article": (story(1), story(2)),
        "an unrelated article with the same boilerplate": (f"{story(1)} {BOILERPLATE}", f"{story(2)} {BOILERPLATE}"),
        "a brief with the same boilerplate": (f"{story(1, 3)} {BOILERPLATE}", f"{story(2, 4)} {BOILERPLATE}"),
        "a follow-up with 30 % background": (story(1), " ".join([*sentences(3, 21), *original[21:]])),
        "a digest of six": (story(1, 10), " ".join(story(seed, 10) for seed in range(1, 7))),
        "two long reads with one gallery": (
            " ".join([*sentences(8, 40), *sentences(1, 60)]),
            " ".join([*sentences(1, 60), *sentences(9, 40)]),
        ),
    }


@pytest.mark.parametrize(("what", "texts"), other_cases().items(), ids=other_cases())
def test_what_only_shares_words_is_no_copy(what, texts):
    assert not is_copy(*texts)


def lottery(*numbers: int) -> str:
    drawn = "-".join(map(str, numbers))
    return (
        f"The winning numbers in the Lucky Six game were: {drawn}. Players match all six numbers to win the jackpot. "
        "For more information about the game, players can visit the website of the state lottery or ask at any "
        "licensed shop. Tickets are sold until one hour before each drawing, and winnings can be claimed all year."
    )


def test_the_same_frame_around_other_figures_is_no_copy():
    assert max(shared_words(lottery(3, 9, 17, 21, 33, 40), lottery(5, 11, 18, 29, 36, 44))) > 0.7
    assert not is_copy(lottery(3, 9, 17, 21, 33, 40), lottery(5, 11, 18, 29, 36, 44))
    assert is_copy(lottery(3, 9, 17, 21, 33, 40), lottery(3, 9, 17, 21, 33, 40))


def test_a_brief_must_be_nearly_the_same():
    brief = story(1, 2)
    assert 20 <= len(brief.split()) < 50
    assert is_copy(brief, brief + " Reuters")
    assert not is_copy(brief, f"{sentences(1, 2)[0]} {sentences(2, 1)[0]}")
    assert not is_copy("Photos of the week: storms over the island", "Photos of the week: storms over the island")


def test_months_later_only_the_nearly_whole_text_is_a_reprint():
    original = sentences(1, 30)
    assert is_copy(story(1), story(1), 400)
    assert is_copy(story(1), " ".join([*original, BOILERPLATE]), 400)
    rewritten = " ".join([*original[:20], *sentences(2, 10)])
    assert is_copy(story(1), rewritten, 1)
    assert not is_copy(story(1), rewritten, 400)
    # The notice in place of a paid article, a hundred words or so, is no story that is reprinted.
    assert is_copy(story(1, 6), story(1, 6), 1)
    assert not is_copy(story(1, 6), story(1, 6), 400)


def test_every_version_of_a_growing_story_is_a_copy_of_the_last():
    versions = [story(1, count) for count in (20, 25, 31, 39, 49)]
    assert all(is_copy(before, after, 0.2) for before, after in pairwise(versions))


CHINESE = (
    "港务局长周五早上宣布,由于大风即将来临,北码头从今天起关闭,所有渡轮停航三天。岛上的居民说,这是今年第三次停航,"
    "超市里的面包和牛奶已经卖完。学校将改为线上授课,医院准备了备用发电机。气象台预计风力在周日晚上减弱,届时将重新评估航线。"
)
HINDI = (
    "बंदरगाह प्रमुख ने शुक्रवार सुबह बताया कि तेज़ हवा के कारण उत्तरी घाट आज से बंद रहेगा और सभी नावें तीन दिन तक नहीं चलेंगी। "
    "द्वीप के निवासियों ने कहा कि इस साल यह तीसरी बार है और दुकानों में रोटी और दूध ख़त्म हो चुके हैं। स्कूल में पढ़ाई घर से होगी "
    "और अस्पताल ने बिजली का दूसरा इंतज़ाम कर लिया है। "
    "मौसम विभाग का अनुमान है कि रविवार रात तक हवा धीमी पड़ जाएगी और तब नावें फिर चलेंगी।"
)


@pytest.mark.parametrize("text", [CHINESE, HINDI], ids=["Chinese", "Hindi"])
def test_scripts_without_spaces_and_with_vowel_signs_are_read(text):
    half = text[len(text) // 3 :]
    assert shared(text, half) >= LEAST_SHARED
    assert is_copy(text, half)
    assert not is_copy(text, text[::-1])


def test_hindi_words_are_whole():
    # Were vowel signs no part of a word, this one would be many words, and enough for a shingle.
    assert len(fingerprints("द्वीप के निवासियों")) == 0


def test_the_head_is_the_earliest_complete_copy():
    copies = [
        CopyFacts(1, "2025-08-20T09:00:00Z", 400),  # the first flash, trimmed
        CopyFacts(2, "2025-08-20T12:00:00+02:00", 1000),  # 10:00 UTC
        CopyFacts(3, "2025-08-20T10:30:00Z", 1050),
        CopyFacts(4, None, 1000),
        CopyFacts(5, "2025-08-20", 1000),  # some time of that day
    ]
    assert head_of(copies) == 1
    assert head_of(copies[::-1]) == 3
    assert head_of(copies[2:]) == 0
    assert head_of(copies[3:]) == 1


def test_copies_of_the_same_moment_go_by_arrival():
    assert head_of([CopyFacts(9, "2025-08-20", 100), CopyFacts(4, "2025-08-20", 100)]) == 1
    assert head_of([CopyFacts(9, None, 100), CopyFacts(4, "not a date", 100)]) == 1
    with pytest.raises(ValueError, match="empty"):
        head_of([])


def test_days_between_moments():
    assert days_apart("2025-08-20", "2025-08-23") == 3
    assert days_apart("2025-08-20T23:00:00-02:00", "2025-08-21T01:00:00Z") == 0
    assert days_apart("2025-08-20", None) is None
    assert days_apart("soon", "2025-08-20") is None


def test_a_very_long_text_is_bounded():
    long = "word " * 400_000
    assert len(fingerprints(long)) == 1
    assert is_copy(long, long)
