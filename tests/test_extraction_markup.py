"""Bytes of web pages in all their encodings, and pages made to hurt their reader."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.article import Article
from index.errors import SourceError
from index.extraction import markup, read_page
from index.extraction.markup import decoded_page, parsed

FRENCH = "Le maire a été élu à Sète, où naît l’été : « C’est déjà ça », dit-il. Coût : 12 €."
CZECH = "Žluťoučký kůň se vrátil do Plzně a starosta řekl, že příště pojede vlakem."
RUSSIAN = "Мэр города сказал в понедельник, что паром вернётся на остров в мае."
GREEK = "Ο δήμαρχος είπε τη Δευτέρα ότι το πλοίο θα επιστρέψει στο νησί τον Μάιο."
JAPANESE = "町長は月曜日、連絡船が五月に島へ戻ると発表した。住民は太鼓で迎えた。"
CHINESE = "市长星期一表示，渡轮将于五月返回该岛，居民们敲锣打鼓迎接。"
KOREAN = "시장은 월요일에 여객선이 5월에 섬으로 돌아온다고 밝혔다."


def page(text: str, charset: str | None = None) -> str:
    declared = f'<meta charset="{charset}">' if charset else ""
    return f"<html><head>{declared}<title>x</title></head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("text", "charset", "codec"),
    [
        (FRENCH, "utf-8", "utf-8"),
        (FRENCH, "iso-8859-1", "cp1252"),
        (FRENCH, "windows-1252", "cp1252"),
        (CZECH, "windows-1250", "cp1250"),
        (CZECH, "iso-8859-2", "iso-8859-2"),
        (RUSSIAN, "windows-1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (GREEK, "iso-8859-7", "iso-8859-7"),
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "euc-jp", "euc-jp"),
        (JAPANESE, "iso-2022-jp", "iso-2022-jp"),
        (CHINESE, "gb2312", "gb18030"),
        (CHINESE, "big5", "big5hkscs"),
        (KOREAN, "euc-kr", "cp949"),
    ],
)
def test_an_encoding_counts_whether_page_or_server_declares_it(text, charset, codec):
    if codec == "big5hkscs":
        text = "市長星期一表示，渡輪將於五月返回該島。"
    assert text in decoded_page(page(text, charset).encode(codec))
    assert text in decoded_page(page(text).encode(codec), charset=charset)


@pytest.mark.parametrize("text", [FRENCH, CZECH, RUSSIAN, GREEK, JAPANESE, CHINESE, KOREAN])
@pytest.mark.parametrize("wrong", ["iso-8859-1", "windows-1251", "shift_jis", "no-such-charset", "rot13", "utf-16"])
def test_utf_8_is_read_as_such_whatever_is_declared(text, wrong):
    assert text in decoded_page(page(text, wrong).encode("utf-8"), charset=wrong)


def test_latin_text_without_a_declaration_is_windows_1252():
    assert FRENCH in decoded_page(page(FRENCH * 3).encode("cp1252"))


def test_the_server_counts_before_the_page():
    assert RUSSIAN in decoded_page(page(RUSSIAN, "iso-8859-1").encode("koi8-r"), charset="koi8-r")


def test_a_declaration_that_the_bytes_contradict_does_not_count():
    assert JAPANESE in decoded_page(page(JAPANESE, "euc-jp").encode("euc-jp"), charset="utf-8")


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_decides(mark, codec):
    text = decoded_page(mark + page(FRENCH, "windows-1251").encode(codec), charset="koi8-r")
    assert FRENCH in text
    assert not text.startswith("\ufeff")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_without_its_mark(codec):
    assert FRENCH in decoded_page(page(FRENCH).encode(codec))


def test_an_xml_declaration_counts():
    xhtml = '<?xml version="1.0" encoding="windows-1250"?>' + page(CZECH)
    assert CZECH in decoded_page(xhtml.encode("cp1250"))


def test_utf_8_that_lost_a_few_bytes_stays_utf_8():
    damaged = page(RUSSIAN * 5, "windows-1251").encode("utf-8").replace("Мэр".encode(), b"\xd0", 1)
    assert RUSSIAN in decoded_page(damaged)


def test_nul_bytes_and_control_characters_are_dropped():
    assert decoded_page(page(FRENCH).replace("maire", "ma\0ire\x08\x1f").encode()) == page(FRENCH)


def test_halves_of_a_character_are_joined_or_replaced():
    assert decoded_page("<p>\ud83d\ude00 \ud83d</p>") == "<p>😀 \ufffd</p>"


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b" \n\t", "empty"), ("\ufeff ", "empty")])
def test_an_empty_page_is_refused(data, reason):
    with pytest.raises(SourceError, match=reason):
        decoded_page(data)


def test_binary_data_is_refused():
    with pytest.raises(SourceError, match="binary data"):
        decoded_page(bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a million tags deep", "<div>" * 1_000_000, "too much markup"),
        ("deep", "<div>" * 5_000 + "x", "too deeply nested"),
        ("a million siblings", "<p>x</p>" * 1_000_000, "too much markup"),
        ("siblings", "<p>x</p>" * 65_000, "too much markup"),
        ("attributes", "<p " + " ".join(f"a{n}=1" for n in range(60_000)) + ">x</p>", "too many attributes"),
        ("attributes in disguise", "<p " + " ".join(f'a{n}=">"' for n in range(60_000)) + ">x", "too many attributes"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_a_page_too_large_to_be_an_article_is_refused_before_it_costs_anything(name, data, reason):
    with pytest.raises(SourceError, match=reason):
        parsed(f"<html><body>{data}")


def test_a_page_nested_deeper_than_the_parser_s_first_limit_is_read():
    text = "The board met, and all was well in the end, though not before midnight struck."
    assert read_page(f"<html><body>{'<div>' * 600}<p>{text}</p>").text == text


def test_a_long_attribute_or_an_entity_bomb_costs_nothing():
    text = "The board met, and all was well in the end, though not before midnight struck."
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    article = read_page(f'{bomb}<html><body><p data-x="{"x" * 2_000_000}">{text}</p><p>&b;</p>')
    assert text in article.text
    assert "aaaa" not in article.text


def test_too_much_text_is_refused():
    with pytest.raises(SourceError, match="too much text"):
        read_page("<html><body><p>" + "word " * 700_000)


def test_lists_nested_beyond_recursion_are_read():
    text = "The board met, and all was well in the end, though not before midnight struck."
    assert text in read_page(f"<html><body>{'<ul><li>' * 900}{text}").text


def test_attributes_are_counted_as_the_parser_counts_them():
    assert markup._most_attributes('<p a=1 b="2 c=3" d>x</p><br/>') == 3


TAGS = st.sampled_from(
    "html head body div p a ul li table tr td blockquote article h1 h2 span br figure figcaption script style "
    "time x-box pre form input aside nav title meta".split()
)
ATTRIBUTES = st.sampled_from(
    [
        "",
        ' class="related"',
        ' class="live update"',
        ' href="/x"',
        " hidden",
        ' style="display:none"',
        ' class="',
        "=",
        "<",
    ]
)
WORDS = st.text(st.characters(blacklist_categories=()), max_size=30) | st.sampled_from(
    ["By Ora Finch", "10:42", "The harbour board met on Tuesday and talked about the pier until midnight struck."]
)
PIECES = st.lists(
    st.one_of(st.builds("<{}{}>".format, TAGS, ATTRIBUTES), st.builds("</{}>".format, TAGS), WORDS), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(PIECES)
def test_any_tangle_of_tags_gives_an_article_or_a_reason(pieces):
    try:
        article = read_page("".join(pieces), url=URL)
    except SourceError as refusal:
        assert str(refusal)
    else:
        assert isinstance(article, Article)
        assert article.text.strip()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.none() | st.text(max_size=12), st.booleans())
def test_any_bytes_give_an_article_or_a_reason(data, charset, tagged):
    try:
        article = read_page(b"<html><body><p>" + data if tagged else data, charset=charset)
    except SourceError as refusal:
        assert str(refusal)
    else:
        article.text.encode("utf-8")


URL = "https://paper.example/2024/05/a-story-with-a-name"
