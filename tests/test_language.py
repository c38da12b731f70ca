"""The language of an article: as declared, as its words tell, and where both disagree. The texts are invented."""

import pytest

from index.extraction.language import declared_language, detect_language, language_tag, settled_language

TEXTS = {
    "en": "After thirty years the seals have come back to the old harbour, and nobody in the village knows why.",
    "de": "Nach dreißig Jahren sind die Robben in den alten Hafen zurückgekehrt, und niemand im Dorf weiß, warum.",
    "fr": "Après trente ans, les phoques sont revenus dans le vieux port, et personne au village ne sait pourquoi.",
    "es": "Después de treinta años las focas han vuelto al viejo puerto, y nadie en el pueblo sabe por qué.",
    "it": "Dopo trent'anni le foche sono tornate nel vecchio porto, e nessuno nel paese sa perché lo hanno fatto.",
    "nl": "Na dertig jaar zijn de zeehonden teruggekeerd in de oude haven, en niemand in het dorp weet waarom.",
    "pl": "Po trzydziestu latach foki wróciły do starego portu i nikt we wsi nie wie, dlaczego tak się stało.",
    "ru": "Через тридцать лет тюлени вернулись в старую гавань, и никто в деревне не знает, почему.",
    "ja": "三十年ぶりにアザラシが古い港に戻ってきた。その理由は村の誰にも分からないという。",
    "ko": "삼십 년 만에 물개들이 옛 항구로 돌아왔지만 마을의 누구도 그 이유를 알지 못한다고 한다.",
}


@pytest.mark.parametrize(("language", "text"), TEXTS.items(), ids=TEXTS.keys())
def test_the_words_tell_the_language(language: str, text: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("text", ["", "OK", "Taxi Hotel Restaurant", "4711 0815 12345 " * 20, "🦭" * 100])
def test_too_few_words_tell_nothing(text: str) -> None:
    assert detect_language(text) is None


@pytest.mark.parametrize(
    ("declared", "tag"),
    [
        ("en", "en"), ("en_US", "en-US"), ("EN-us", "en-US"), ("en_US.UTF-8", "en-US"), ("de-DE", "de-DE"),
        ("zh-hans-cn", "zh-Hans-CN"), ("es-419", "es-419"), ("eng", "en"), ("English", "en"), ("deutsch", "de"),
        ("iw", "he"), ("jp", "ja"), ("fil", "fil"),
        ("", None), (None, None), ("xx", None), ("und", None), ("utf-8", None), ("{{ lang }}", None), ("default", None),
    ],
)  # fmt: skip
def test_a_declaration_becomes_a_tag(declared: str | None, tag: str | None) -> None:
    assert language_tag(declared) == tag


def test_the_first_declaration_counts_and_takes_its_region_from_another() -> None:
    assert declared_language(["", None, "de", "en_US", "de_AT"]) == "de-AT"
    assert declared_language(["nonsense language", None]) is None


def test_a_declaration_stays_unless_the_words_are_certain_of_another() -> None:
    german = " ".join([TEXTS["de"]] * 6)
    assert settled_language("en-US", german) == "de"
    assert settled_language("de-CH", german) == "de-CH"
    assert settled_language("en-US", TEXTS["de"][:60]) == "en-US"
    assert settled_language(None, german) == "de"
    assert settled_language(None, "OK") is None


def test_the_written_forms_of_norwegian_are_one_language() -> None:
    text = "Etter tretti år er selene tilbake i den gamle havnen, og ingen i bygda vet hvorfor det er slik. " * 6
    assert settled_language("nb-NO", text) == "nb-NO"
