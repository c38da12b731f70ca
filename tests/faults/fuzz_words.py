"""Targets that are given text: queries, date words, moments, addresses, sentences and passages."""

from datetime import date

from fuzzing import Target, encoded, text_of, words_of

from index.article import tidy
from index.dates import iso_moment
from index.errors import QueryError
from index.passages import PassageSettings, count_words, passage_spans
from index.sentences import sentence_spans
from index.urls import normalised_url
from search.periods import find_period
from search.query import MAX_QUERY_CHARACTERS, Interpreted, SearchRequest, interpret, without

_TODAY = date(2025, 8, 20)
_SETTINGS = (PassageSettings(), PassageSettings(8, 10, 3))

QUERIES = (
    'ferry strike', '"exact phrase" -word', '-"a phrase" NOT word OR other AND one',
    'source:bbc.com author:"J. Smith"',
    'site:example.org -site:other.org intitle:budget', "before:2025-08 after:2024", "-(this that) wild* -ferry",
    "before: 2025-08-20 site: example.org", "last week in March 2024", "climatechange", "don't «quoted» — dash – five",
    "مرحبا שלום \u202eabc\u202c", "ﷺ" * 40, "\ud800\udfff a", "NOT NOT A OR", 'a "b" c" d', "東京 大阪 𠮷野家",
    "e\u0301 ½ Ⅳ ﬁ",
)  # fmt: skip
QUERY_WORDS = words_of(
    'OR AND NOT - + ~ " ( ) * : site: source: author: before: after: intitle: " « » ’ – — last week since 2019 from'
    " to between depuis entre et yesterday ago il y a 2025-08-20 0000-00-00 31.02.2024 99999 ferry strike \u202e"
    " \u200b \u200d \ue000 \ufeff \x00 \x1b ﷺ İ ß ﬁ www. https:// .com"
)
DATE_WORDS = words_of(
    "last past previous this week month year day days weeks since after before until till by from to between and in"
    " on during the of yesterday today ago weekend monday friday january february march may sept. 2019 2024 1899 2099"
    " 0000 30 31 99 999 one twelve an a hier aujourd'hui il y a depuis entre et du au jusqu'à semaine dernière mois"
    " dernier an années passé lundi mars février août le la l' d' 2024-02-30 2024-12-31 1st 2nd next 's , . ? :"
)


def _query(data: bytes) -> None:
    query = text_of(data)
    request = SearchRequest(query, as_of=_TODAY.isoformat())
    try:
        found = interpret(request)
    except QueryError:
        return
    assert len(query) <= MAX_QUERY_CHARACTERS
    assert "\ue000" not in found.text or "\ue000" in query, "a placeholder is left"
    for typed in found.typed:
        shorter = without(query, typed)
        assert typed.text not in ("", " ")
        _again(shorter)
    if found.text:
        _again(found.text)


def _again(query: str) -> Interpreted | None:
    try:
        return interpret(SearchRequest(query, as_of=_TODAY.isoformat()))
    except QueryError:
        return None


def _period(data: bytes) -> None:
    text = text_of(data)
    found = find_period(text, _TODAY)
    if found is None:
        return
    period, rest = found
    flat = " ".join(text.replace("’", "'").split())
    assert period.words in flat
    assert len(rest) <= len(flat)
    for day in (period.first_day, period.last_day):
        assert day is None or date.fromisoformat(day).isoformat() == day
    assert period.first_day or period.last_day
    assert not (period.first_day and period.last_day) or period.first_day <= period.last_day
    assert period.days


def _moment(data: bytes) -> None:
    found = iso_moment(text_of(data))
    assert found is None or iso_moment(found) == found, f"{found!r} is read as {iso_moment(found)!r}"


def _address(data: bytes) -> None:
    url = text_of(data)
    once = normalised_url(url)
    assert normalised_url(once) == once, f"{once!r} becomes {normalised_url(once)!r}"


def _sentences(data: bytes) -> None:
    text = text_of(data)
    end = 0
    for first, last in sentence_spans(text):
        assert end <= first < last <= len(text)
        assert not text[end:first].strip(), "something is in no sentence"
        assert not (text[first].isspace() or text[last - 1].isspace())
        end = last
    assert not text[end:].strip()


def _passages(data: bytes) -> None:
    text = tidy(text_of(data))
    assert tidy(text) == text
    for settings in _SETTINGS:
        end = words = 0
        for first, last in passage_spans(text, settings):
            assert end <= first < last <= len(text)
            assert count_words(text[first:last]) <= settings.max_words
            words += count_words(text[first:last])
            end = last
        assert words == count_words(text)


_STORIES = (
    "A ferry ran aground. Nobody was hurt, J. Smith of the U.S. Coast Guard said. It was 5 p.m. on Friday.",
    "HEADING\n\nText below it “quoted.” More…\n\n\n東京。大阪！名古屋\nLine\u2028other\u2029end",
    "word " * 400, "No. 2 Court. She said no. Then she left.", "a.b.c. " * 60,
)  # fmt: skip
_STORY_WORDS = words_of(
    '. ! ? … 。 ！ " ” » ’ ) ( « \n \n\n \r\n \u2028 \u2029 \x0b \x1c \x85 \xa0 U.S. Dr. No. A a 1 東 — -'
)
_URLS = (
    "https://www.example.org/a/b.html?utm_source=x&id=3#top", "HTTP://User@M.Example.org:80//amp/story.amp.html",
    "https://www.google.com/amp/s/example.org/story", "https://a-b.cdn.ampproject.org/c/s/example.org/story/amp/",
    "http://[::1]:8000/%e9%zz?q=%ff&cid=12", "ftp://x", "https://exämple.org/ß?b=1&a=2&&=", "//x", "http://", "",
)  # fmt: skip
_URL_WORDS = words_of(
    "http:// https:// www. m. amp. mobile. /amp /amp/ .amp .amp.html /index.html /default.aspx ? & = # @ : :80 :443"
    " // ; utm_source= cid= ref= 12 %2F %3F %25 %ff %00 [::1] [ ] google.com/amp/s/ x.cdn.ampproject.org/c/s/ . .."
    " xn-- ℀"
)
_MOMENTS = (
    "2025-08-20", "2025-08-20T15:07:00Z", "2025-08-20T15:07:00.123456-04:00", "Wed, 20 Aug 2025 15:07:00 GMT",
    "August 20, 2025 3:07 pm ET", "20 août 2025 à 15 h 07", "20.8.2025, 15:07 Uhr", "4/3/2025", "20250820",
    "2025-W34-3",
    "Wed, 20 Aug 2025 15:07:00 -0000", "20 Aug 2025 at 3:07 p.m. PT",
)  # fmt: skip
_MOMENT_WORDS = words_of(
    "2025 1800 0001 9999 10000 -08- -20 T Z +25:00 -99:99 +0530 GMT EST ET PT UTC 15:07 24:00 3:07pm p.m. h Uhr à at"
    " Mon, Wed, Aug August août Januar enero 31 30 29 / . , W53 -366 1e9"
)

TARGETS = (
    Target("queries", _query, encoded(QUERIES), QUERY_WORDS, longest=10_000),
    Target(
        "date-words",
        _period,
        encoded(
            (
                "ferry strike last week",
                "council since July 2025",
                "entre 2019 et 2021",
                "from 3 to 10 August budget",
                "il y a trois mois incendie",
                "on Monday evening storm",
                "le 3 mars 2024",
                "before 2024-02-30",
                "past 999 years",
            )
        ),
        DATE_WORDS,
        longest=1_000,
    ),
    Target("moments", _moment, encoded(_MOMENTS), _MOMENT_WORDS, longest=300),
    Target("addresses", _address, encoded(_URLS), _URL_WORDS, longest=20_000),
    Target("sentences", _sentences, encoded(_STORIES), _STORY_WORDS, longest=20_000),
    Target("passages", _passages, encoded(_STORIES), _STORY_WORDS, longest=20_000),
)
