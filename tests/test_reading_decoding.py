import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import SourceError
from index.reading.decoding import decoded
from index.reading.text import read_text

TEXTS = [
    ("cp1252", "La préfète a déclaré que le pont resterait fermé jusqu’à l’été ; c’est très gênant."),
    ("cp1252", "Der Bürgermeister von Köln sagte, die Brücke bleibe für längere Zeit geschlossen. Straße gesperrt."),
    ("cp1252", "El alcalde dijo que mañana abrirá la estación. ¿Cuándo? «Pronto», respondió la señora Núñez."),
    ("cp1252", "A ponte não abrirá amanhã, disse a presidente da câmara: “há razões de segurança”."),
    ("cp1252", "Broen åbner på mandag, siger borgmesteren i København, Søren Ærø."),
    ("cp1252", "Brúin opnar á mánudag, segir bæjarstjórinn í Þorlákshöfn. Það var gott."),
    ("cp1252", "The council’s “plan” — worth £5m — was refused by Müller, Núñez, Søren, Besançon and Žižek…"),
    ("cp1252", "A naïve question about the café’s crockery, said the mayor."),
    ("cp1250", "Burmistrz Łodzi powiedział, że most będzie zamknięty do jesieni. Mieszkańcy są wściekli."),
    ("iso8859-2", "Burmistrz Łodzi powiedział, że most będzie zamknięty do jesieni. Mieszkańcy są wściekli."),
    ("cp1250", "Starosta řekl, že most zůstane zavřený až do podzimu. Příští týden začnou práce."),
    ("cp1250", "A polgármester szerint a híd őszig zárva marad, és a költségek nőnek. Győr"),
    ("cp1250", "Gradonačelnik je rekao da će most biti zatvoren do jeseni. Čekaju već šest mjeseci."),
    ("cp1250", "Primarul a spus că podul va rămâne închis până la toamnă, şi oraşul aşteaptă. Maşinile stau."),
    ("cp1254", "Belediye başkanı köprünün sonbahara kadar kapalı kalacağını söyledi. Işıklar söndü."),
    ("cp1257", "Meras sakė, kad tiltas bus uždarytas iki rudens. Žmonės laukia šešis mėnesius."),
    ("cp1257", "Mērs teica, ka tilts būs slēgts līdz rudenim. Cilvēki gaida jau sešus mēnešus."),
    ("mac_roman", "Un café très gênant, l’été dernier à Orléans."),
    ("cp850", "Un café très gênant, voilà l'été. Der Bürgermeister ist schön."),
    ("cp1251", "Мэр сообщил, что мост останется закрытым до осени. Жители возмущены этим решением."),
    ("cp1251", "Мер повідомив, що міст залишиться закритим до осені. Її рішення обурило мешканців міста."),
    ("cp1253", "Ο δήμαρχος είπε ότι η γέφυρα θα μείνει κλειστή μέχρι το φθινόπωρο."),
    ("cp1256", "قال رئيس البلدية إن الجسر سيبقى مغلقا حتى الخريف."),
    ("shift_jis", "市長は、橋は秋まで閉鎖されると述べた。住民は怒っている。"),
    ("big5", "市長表示，大橋將關閉至秋季。居民們對此感到憤怒。"),
    ("euc_kr", "시장은 다리가 가을까지 폐쇄될 것이라고 말했다. 주민들은 분노하고 있다."),
    ("koi8-r", "Мэр сообщил, что мост останется закрытым до осени. Жители возмущены этим решением."),
    ("cp866", "Мэр сообщил, что мост останется закрытым до осени. Жители возмущены этим решением."),
    ("iso8859-5", "Кметът съобщи, че мостът ще остане затворен до есента. Жителите са възмутени."),
    ("cp1251", "Градоначелник је рекао да ће мост бити затворен до јесени."),
    (
        "gb18030",
        "市长表示，大桥将关闭至秋季。居民们对此感到愤怒。他说，维修工程将于六月开始，至少持续三个月。交通将绕行。",
    ),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_text_without_a_declaration_is_read_in_its_own_encoding(encoding, text):
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("word", "naïve café Müller señor façade cœur “quoted” it’s £5 20°".split())
def test_one_word_in_an_english_text_is_windows_1252(word):
    text = f"The mayor said that the word {word} had been used in the council before."
    assert decoded(text.encode("cp1252")) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_wide_characters_are_read_with_and_without_their_mark(encoding):
    text = "A ferry ran aground off Gannet Spit."
    assert decoded(text.encode(encoding)) == text


def test_lines_in_two_encodings_are_each_read_in_their_own():
    lines = ["Le café ouvre à l’été.", "La préfète a parlé.", "Déjà vu, ça."]
    for foreign in range(3):
        data = b"\n".join(line.encode("cp1252" if number == foreign else "utf-8") for number, line in enumerate(lines))
        assert decoded(data) == "\n".join(lines)
    mostly_foreign = b"\n".join(line.encode("utf-8" if number == 0 else "cp1252") for number, line in enumerate(lines))
    assert decoded(mostly_foreign) == "\n".join(lines)


def test_a_lost_byte_costs_one_character():
    text = "Le café ouvre à l’été, dit la préfète."
    assert decoded(text.encode().replace(b"caf\xc3\xa9", b"caf\xc3")) == text.replace("é ouvre", "\ufffd ouvre")


@pytest.mark.parametrize("data", [b"", b" \n\t", bytes(range(256)), b"\0" * 100, b"MZ\x90\0\3\0\0\0\4\0\0\0" * 9])
def test_what_is_empty_or_no_text_is_refused(data):
    with pytest.raises(SourceError, match=r"empty|not text"):
        decoded(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(data):
    try:
        read_text(data)
    except SourceError as error:
        assert str(error)


@given(st.text(max_size=200))
def test_text_in_utf8_comes_back_as_it_was(text):
    text = text.encode("utf-8", "replace").decode("utf-8")
    try:
        assert decoded(text.encode()) == text.removeprefix("\ufeff")
    except SourceError:
        assert not text.strip() or sum(character < " " for character in text)
