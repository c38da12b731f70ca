import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.periods import Period, days_for_people, find_period

WEDNESDAY = date(2025, 8, 20)


def days(text, today=WEDNESDAY):
    found = find_period(text, today)
    return found and (found[0].first_day, found[0].last_day)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("court ruling yesterday", "2025-08-19", "2025-08-19"),
        ("today", "2025-08-20", "2025-08-20"),
        ("floods last week", "2025-08-11", "2025-08-17"),
        ("floods previous week", "2025-08-11", "2025-08-17"),
        ("floods this week", "2025-08-14", "2025-08-20"),
        ("floods in the past week", "2025-08-14", "2025-08-20"),
        ("floods last month", "2025-07-01", "2025-07-31"),
        ("floods past month", "2025-07-21", "2025-08-20"),
        ("floods this month", "2025-08-01", "2025-08-31"),
        ("floods last year", "2024-01-01", "2024-12-31"),
        ("floods this year", "2025-01-01", "2025-12-31"),
        ("floods past 3 days", "2025-08-18", "2025-08-20"),
        ("floods in the last two weeks", "2025-08-07", "2025-08-20"),
        ("floods over the past 3 months", "2025-05-21", "2025-08-20"),
        ("floods last 2 years", "2023-08-21", "2025-08-20"),
        ("storm last weekend", "2025-08-16", "2025-08-17"),
        ("3 days ago", "2025-08-17", "2025-08-17"),
        ("two weeks ago", "2025-08-04", "2025-08-10"),
        ("2 months ago", "2025-06-01", "2025-06-30"),
        ("a year ago", "2024-01-01", "2024-12-31"),
    ],
)
def test_words_counted_from_today_are_read(text, first, last):
    assert days(text) == (first, last)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("fire on Monday night", "2025-08-18", "2025-08-18"),
        ("fire on Wednesday", "2025-08-20", "2025-08-20"),
        ("fire last Wednesday", "2025-08-13", "2025-08-13"),
        ("strike since Monday", "2025-08-18", None),
        ("strike since July 2025", "2025-07-01", None),
        ("strike since 2019", "2019-01-01", None),
        ("strike since last week", "2025-08-11", None),
        ("floods in July 2025", "2025-07-01", "2025-07-31"),
        ("floods in July", "2025-07-01", "2025-07-31"),
        ("floods in September", "2024-09-01", "2024-09-30"),
        ("floods in 2019", "2019-01-01", "2019-12-31"),
        ("ruling on 20 August 2025", "2025-08-20", "2025-08-20"),
        ("ruling August 20, 2025?", "2025-08-20", "2025-08-20"),
        ("ruling on Sept. 3, 2024", "2024-09-03", "2024-09-03"),
        ("ruling on the 4th of March", "2025-03-04", "2025-03-04"),
        ("ruling on 2025-08-20", "2025-08-20", "2025-08-20"),
        ("wildfires July 2025", "2025-07-01", "2025-07-31"),
        ("rates before August 2024", None, "2024-07-31"),
        ("rates before 20 August 2025", None, "2025-08-19"),
        ("rates until July 2025", None, "2025-07-31"),
        ("rates after 4 July 2025", "2025-07-05", None),
        ("rates after 2019", "2020-01-01", None),
        ("rates by 2020", None, "2020-12-31"),
        ("rates from July to September 2024", "2024-07-01", "2024-09-30"),
        ("rates between November and March", "2024-11-01", "2025-03-31"),
        ("rates between 2019 and 2021", "2019-01-01", "2021-12-31"),
        ("rates from 3 to 10 August", "2025-08-03", "2025-08-10"),
        ("rates from Monday to Friday", "2025-08-11", "2025-08-15"),
    ],
)
def test_moments_in_a_frame_are_read(text, first, last):
    assert days(text) == (first, last)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("séisme hier", "2025-08-19", "2025-08-19"),
        ("séisme la semaine dernière", "2025-08-11", "2025-08-17"),
        ("séisme le mois dernier", "2025-07-01", "2025-07-31"),
        ("séisme l’an dernier", "2024-01-01", "2024-12-31"),
        ("séisme cette semaine", "2025-08-14", "2025-08-20"),
        ("séisme au cours des 3 derniers jours", "2025-08-18", "2025-08-20"),
        ("séisme il y a deux semaines", "2025-08-04", "2025-08-10"),
        ("séisme en juillet 2025", "2025-07-01", "2025-07-31"),
        ("séisme en mars", "2025-03-01", "2025-03-31"),
        ("grève depuis lundi", "2025-08-18", None),
        ("grève lundi dernier", "2025-08-18", "2025-08-18"),
        ("arrêt le 20 août 2025", "2025-08-20", "2025-08-20"),
        ("avant le 1er août 2025", None, "2025-07-31"),
        ("jusqu'en 2019", None, "2019-12-31"),
        ("entre juillet et septembre 2024", "2024-07-01", "2024-09-30"),
        ("du 3 au 10 août 2025", "2025-08-03", "2025-08-10"),
    ],
)
def test_french_is_read_as_english_is(text, first, last):
    assert days(text) == (first, last)


@pytest.mark.parametrize(
    ("text", "today", "first", "last"),
    [
        ("last week", "2025-01-01", "2024-12-23", "2024-12-29"),
        ("last week", "2025-08-18", "2025-08-11", "2025-08-17"),
        ("last week", "2025-08-17", "2025-08-04", "2025-08-10"),
        ("this week", "2025-08-18", "2025-08-12", "2025-08-18"),
        ("last month", "2024-03-31", "2024-02-01", "2024-02-29"),
        ("last month", "2025-01-31", "2024-12-01", "2024-12-31"),
        ("last year", "2024-02-29", "2023-01-01", "2023-12-31"),
        ("past year", "2024-02-29", "2023-03-01", "2024-02-29"),
        ("yesterday", "2024-03-01", "2024-02-29", "2024-02-29"),
        ("in February", "2024-02-29", "2024-02-01", "2024-02-29"),
        ("on 29 February", "2025-08-20", "2024-02-29", "2024-02-29"),
        ("in December", "2025-01-01", "2024-12-01", "2024-12-31"),
    ],
)
def test_months_years_and_leap_days_end_where_they_do(text, today, first, last):
    assert days(text, date.fromisoformat(today)) == (first, last)


@pytest.mark.parametrize(
    "text",
    """2022 World Cup|Boeing 737|24 hours|9/11 attacks|May said|after May said|March for our lives|turnout in March for
    our lives|Today show|the Today programme|USA Today|the 1975|Black Monday|Friday the 13th|on Friday the 13th|Sunday
    Times|on Sunday Times front page|Super Tuesday|on Super Tuesday|last week tonight|Last Week Tonight|Last Year at
    Marienbad|goals in 2022 World Cup|since 2020 election|before November 2024 election|the July 2025 floods|law of 29
    July 1881|Blade Runner 2049|in the 2020s|in 2019-2020|in May Day protests|Mars rover|sur Mars|hier ist Berlin
    """.replace("\n    ", " ").split("|"),
)  # fmt: skip
def test_a_name_is_no_date(text):
    assert find_period(text, WEDNESDAY) is None


@pytest.mark.parametrize(
    "text",
    [
        "warmer than last year",
        "sales down from last year",
        "compared with last month",
        "after last year's election",
        "the last week of July",
        "66 million years ago",
        "10,000 years ago",
        "half a year ago",
        "between 10 and 20 people",
        "from November 2024 to March",
        "When is the next eclipse after April 2024?",
    ],
)
def test_a_comparison_an_event_or_a_doubt_is_no_period(text):
    assert find_period(text, WEDNESDAY) is None


@pytest.mark.parametrize("text", ["net zero by 2030", "jobs before 2026", "in 2050", "since 31 June 2025", "next week"])
def test_the_future_and_the_impossible_are_no_period(text):
    assert find_period(text, WEDNESDAY) is None


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("What did the court decide this week?", "What did the court decide?"),
        ("What did the court decide last week?", "What did the court decide?"),
        ("Yesterday's earthquake", "earthquake"),
        ("Today, a court ruled", "a court ruled"),
        ("news from last week", "news"),
        ("last week", ""),
    ],
)
def test_the_date_words_leave_the_text(text, rest):
    found = find_period(text, WEDNESDAY)
    assert found is not None
    assert found[1] == rest


def test_of_two_dates_the_one_counted_from_today_is_the_period():
    assert days("reports last week on the fire in 2019") == ("2025-08-11", "2025-08-17")
    assert days("the fire in 2019 and the fire in 2021") is None


def test_a_period_is_told_to_people():
    assert Period("last week", "2025-08-11", "2025-08-17").days == "2025-08-11 to 2025-08-17"
    assert days_for_people("2025-08-11", "2025-08-11") == "2025-08-11"
    assert days_for_people("2025-08-11", None) == "2025-08-11 or later"
    assert days_for_people(None, "2025-08-11") == "2025-08-11 or earlier"


WORDS = (
    "since before after until by from to between and in on the last past this 2 3 31 three days weeks months years"
    " week month year ago yesterday today Monday July February 2024 2019 29 depuis entre et hier le août dernier"
    " ferry , ?"
).split()


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), st.dates())
def test_a_period_never_ends_before_it_begins(text, today):
    found = find_period(text, today)
    if found:
        period, rest = found
        assert period.first_day or period.last_day
        assert (period.first_day or "") <= (period.last_day or "9999-12-31")
        assert period.words in " ".join(text.split())
        assert len(rest) < len(text)


@given(st.text(max_size=200))
def test_any_text_has_a_period_or_none(text):
    find_period(text, WEDNESDAY)


def test_without_date_words_no_library_is_loaded():
    code = (
        "import sys\nfrom datetime import date\nfrom search.periods import find_period\n"
        "for text in ('Canada peacekeeping logistics', '2022 World Cup', 'May said', 'Boeing 737', 'Black Monday'):\n"
        "    assert find_period(text, date(2025, 8, 20)) is None\n"
        "print('dateparser' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("What did the court decide this week about shingles?", False),
        ("Which airline is slashing 31,000 flights during November 2024?", False),
        ("On Saturday the home team won for the first time since:", False),
        ("What did the court decide last week?", True),
        ("wildfire evacuation orders in the towns of the interior last week", True),
    ],
)
def test_in_a_long_question_the_time_is_the_events(text, read):
    assert (find_period(text, date(2025, 8, 21)) is not None) == read
