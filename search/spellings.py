"""British and American spellings of English words.

The rules go by endings and make non-words too ("doctour", "promize"): whoever asks keeps only spellings
that occur. What they must not make is another word: "four" is not "for", "meet" is not "met", "filling"
is not "filing". So each rule says how much of a word has to stand before its ending.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

# Words whose other spellings are kept at hand; finding them takes longer than all else that a query's words cost.
_WORDS_KEPT = 1 << 14
# Below this only the words of _WORDS have another spelling.
_SHORTEST = 5


def _pairs(written: str) -> tuple[tuple[str, str], ...]:
    """British and American, as "grey/gray"."""
    return tuple((british, american) for british, american in (pair.split("/") for pair in written.split()))


# Words in -ise on both sides; in -ize, the stemmer would make "expert" and "parade" of them.
_ALWAYS_ISE = (
    "adv|advert|chast|circumc|compr|comprom|dem|desp|dev|disgu|enterpr|exc|exerc|expert|franch|improv|merchand"
    "|parad|prem|prom|rev|superv|surm|surpr|telev"
)
_AFTER_LL = "(?P<end>ed|ing|er|ers|or|ors|ous|ery)"
_PLURAL = "(?P<end>s?)"
_AFTER_IS = "(?P<end>e|es|ed|er|ers|ing|able|ation|ations|ational)"
_AFTER_OUR = (
    "(?P<end>(?:s|ed|ing|ings|er|ers|able|ably|al|ally|ful|fully|ite|ites|itism|hood|hoods|ist|ists|less|y|ly)?)"
)
# British, American, and where they stand: {} is either of them.
_ENDINGS = (
    # colour, neighbourhood, favourite; four, tour and flour are too short.
    ("our", "or", rf"^(?!devo)(?P<start>[a-z]{{3,}}|od){{}}{_AFTER_OUR}$"),
    # organise, realisation; rise, size and prize are too short.
    ("is", "iz", rf"^(?!(?:{_ALWAYS_ISE})i[sz])(?P<start>[a-z]{{3,}}){{}}{_AFTER_IS}$"),
    ("ys", "yz", r"^(?P<start>[a-z]{3,}){}(?P<end>e|es|ed|er|ers|ing)$"),
    # Not by rule: "membre" and "septembre" are French.
    ("re", "er", rf"^(?P<start>\w*(?:cent|theat|met|lit|fib|calib|sab|spect|somb|lust|meag|noeuv)){{}}{_PLURAL}$"),
    ("red", "ered", r"^(?P<start>\w*cent){}(?P<end>)$"),
    ("ring", "ering", r"^(?P<start>\w*cent){}(?P<end>)$"),
    ("ogue", "og", rf"^(?P<start>[a-z]{{3,}}){{}}{_PLURAL}$"),
    ("c", "s", r"^(?P<start>(?:def|off|pret|lic)en){}(?P<end>e|es|ed|ing|eless)$"),
    # Here the s is British: to practise.
    ("s", "c", r"^(?P<start>practi){}(?P<end>e|es|ed|ing)$"),
    # travelled, modelling, counsellor; filling and calling are too short, and refilled is not refiled.
    ("ll", "l", rf"^(?!refi|retel|unfi)(?P<start>[a-z]{{3,}}[aeiou]|(?:f|d)ue|dia){{}}{_AFTER_LL}$"),
    ("l", "ll", r"^(?P<start>fulfi|enro|insta|disti|insti|appa){}(?P<end>s|ful|fully|ment|ments)?$"),
)
# Greek and Latin diphthongs, by the part of a word that they stand in.
_PARTS = _pairs(
    "paedi/pedi paedo/pedo haem/hem aemi/emi aesth/esth archaeo/archeo palaeo/paleo gynaec/gynec faec/fec foet/fet"
    " caesarea/cesarea mediaeval/medieval oestr/estr oesoph/esoph oedem/edem rrhoea/rrhea noeuvre/neuver"
    " noeuvri/neuveri"
)
# Words by themselves, with any of _INFLECTIONS.
_WORDS = _pairs(
    "grey/gray tyre/tire kerb/curb plough/plow snowplough/snowplow mould/mold moult/molt smoulder/smolder"
    " programme/program sceptic/skeptic jewellery/jewelry jeweller/jeweler aluminium/aluminum moustache/mustache"
    " pyjama/pajama cosy/cozy judgement/judgment acknowledgement/acknowledgment ageing/aging doughnut/donut"
    " artefact/artifact sulphur/sulfur yoghurt/yogurt gaol/jail whisky/whiskey whiskies/whiskeys woollen/woolen"
    " liquorice/licorice likeable/likable furore/furor chilli/chili wilful/willful skilful/skillful"
)
_INFLECTIONS = r"(?P<end>(?:s|es|d|ed|er|ers|ing|ings|y|ier|ism|al|ally|d?ment|ly)?)"


@lru_cache(_WORDS_KEPT)
def other_spellings(word: str) -> tuple[str, ...]:
    """How `word` (folded, as the index spells it) may be written on the other side of the Atlantic, if differently.

    Most rules know no dictionary, so keep only what occurs.
    """
    return tuple(dict.fromkeys(other for other in _others(word) if other != word))


def _others(word: str) -> Iterator[str]:
    if _any_word().match(word):
        for pattern, replacement in _word_rules():
            if match := pattern.match(word):
                yield replacement + match["end"]
    if len(word) < _SHORTEST:
        return
    for pattern, replacement in _ending_rules():
        if match := pattern.match(word):
            yield match["start"] + replacement + (match["end"] or "")
    for pair in _PARTS:
        for one, other in (pair, pair[::-1]):
            if one in word:
                yield word.replace(one, other)


@cache
def _ending_rules() -> list[tuple[re.Pattern[str], str]]:
    pairs = [
        (shape.replace("{}", one, 1), other)
        for british, american, shape in _ENDINGS
        for one, other in ((british, american), (american, british))
    ]
    return [(re.compile(shape), other) for shape, other in pairs]


@cache
def _word_rules() -> list[tuple[re.Pattern[str], str]]:
    pairs = [pair for both in _WORDS for pair in (both, both[::-1])]
    return [(re.compile(f"^{one}{_INFLECTIONS}$"), other) for one, other in pairs]


@cache
def _any_word() -> re.Pattern[str]:
    """What all words begin with that a rule of _word_rules speaks of: most words are none of them."""
    return re.compile("|".join(word for pair in _WORDS for word in pair))
