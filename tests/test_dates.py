from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.dates import iso_moment, written_moment

PARTS = st.sampled_from(
    "20 2025 1799 9999 99 0 Aug août März . , : - / 15:07 12h30 pm a.m. Uhr ET GMT UTC+25 +9999 "
    "Wed, le um at Z T ago \x00 ² ٢ 99999999999999999999".split(" ")
)
DATE_LIKE = st.lists(PARTS, max_size=7).map(" ".join)
WORDED = ["%B %d, %Y", "%d %b %Y", "%A, %d %B %Y", "%d.%m.%Y"]
MOMENTS = st.datetimes(datetime(1800, 1, 1), datetime(2025, 1, 1), timezones=st.none() | st.timezones())


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2025-08-20", "2025-08-20"),
        ("20250820", "2025-08-20"),
        ("2025-8-2", "2025-08-02"),
        ("2025/08/20", "2025-08-20"),
        ("2025-W34-3", "2025-08-20"),
        ("20 August 2025", "2025-08-20"),
        ("August 20th, 2025", "2025-08-20"),
        ("Sept. 5, 2025", "2025-09-05"),
        ("8/20/2025", "2025-08-20"),
        ("4/3/2025", "2025-04-03"),
        ("mercredi 20 août 2025", "2025-08-20"),
        ("le 1er août 2025", "2025-08-01"),
        ("20. August 2025", "2025-08-20"),
        ("5. März 2025", "2025-03-05"),
        ("20.08.2025", "2025-08-20"),
        ("4.3.2025", "2025-03-04"),
        ("20 de agosto de 2025", "2025-08-20"),
        ("  20 AUG 2025\n", "2025-08-20"),
    ],
)
def test_date_stays_a_date(written, iso):
    assert iso_moment(written) == iso


@pytest.mark.parametrize(
    "written",
    [
        "2025-08-20T15:07:00",
        "2025-08-20 15:07",
        "2025-08-20T15:07:00.987654",
        "August 20, 2025 3:07 pm.",
        "Aug. 20, 2025, 3:07 p.m.",
        "Wednesday, 20 August 2025 at 15:07",
        "20 août 2025 à 15h07",
        "20 août 2025 à 15 h 07",
        "20. August 2025, 15:07 Uhr",
        "20. August 2025 um 15.07 Uhr",
        "20.08.2025, 15:07 Uhr",
        "20/08/2025 15:07",
    ],
)
def test_time_without_a_zone_gets_none(written):
    assert iso_moment(written) == "2025-08-20T15:07:00"


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2025-08-20T15:07:00Z", "2025-08-20T15:07:00+00:00"),
        ("2025-08-20T15:07:00-04:00", "2025-08-20T15:07:00-04:00"),
        ("Wed, 20 Aug 2025 15:07:00 -0400", "2025-08-20T15:07:00-04:00"),
        ("Wed, 20 Aug 2025 15:07:00 GMT", "2025-08-20T15:07:00+00:00"),
        ("20 August 2025 at 15:07 GMT", "2025-08-20T15:07:00+00:00"),
        ("Wed 20 Aug 2025 15.07 BST", "2025-08-20T15:07:00+01:00"),
        ("Aug. 20, 2025 at 3:07 p.m. ET", "2025-08-20T15:07:00-04:00"),
        ("January 20, 2025 3:07 PM ET", "2025-01-20T15:07:00-05:00"),
        ("July 4, 2024 9:00 AM PT", "2024-07-04T09:00:00-07:00"),
        ("Dec 5, 2024 3:07 PM CT", "2024-12-05T15:07:00-06:00"),
    ],
)
def test_time_keeps_its_zone(written, iso):
    assert iso_moment(written) == iso


def test_numbers_are_read_day_first_where_that_is_the_custom():
    assert written_moment("4/3/2025", day_first=True) == "2025-03-04"


@pytest.mark.parametrize(
    "untrue",
    [
        "1799-12-31", "0001-01-01", "2999-01-01", "August 20, 2999", "9999-12-31T23:59:59-12:00", "2025-02-30",
        "Wed, 20 Aug 2999 15:07:00 GMT", "August 2025", "2025", "yesterday", "3 hours ago", "12h30", "ET", "", " ",
    ],
)  # fmt: skip
def test_what_cannot_be_a_moment_in_the_past_is_none(untrue):
    assert iso_moment(untrue) is None


@pytest.mark.parametrize("value", [None, 0, 20250820, 1724166420.5, True, b"2025-08-20", ["2025-08-20"], {}])
def test_what_is_no_text_is_no_moment(value):
    assert iso_moment(value) is None


def test_tomorrow_is_allowed_and_no_later_day():
    today = datetime.now(UTC).date()
    assert iso_moment(today + timedelta(days=1)) is not None
    assert iso_moment(today + timedelta(days=2)) is None


@pytest.mark.parametrize("zone", ["+99999999999999999999", "+9999", "ZZZ", ""])
def test_odd_zone_of_a_mail_date_raises_nothing(zone):
    iso_moment(f"Wed, 20 Aug 2025 15:07:00 {zone}")


@settings(deadline=None)
@given(st.text() | DATE_LIKE)
def test_any_text_gives_nothing_or_a_moment_between_1800_and_tomorrow(text):
    iso = iso_moment(text)
    if iso is not None:
        moment = datetime.fromisoformat(iso)
        assert moment.year >= 1800
        assert moment.replace(tzinfo=moment.tzinfo or UTC) <= datetime.now(UTC) + timedelta(days=1)
        assert iso_moment(iso) == iso


@given(st.dates(date(1800, 1, 1), datetime.now(UTC).date()))
def test_any_date_since_1800_round_trips(day):
    assert iso_moment(day) == iso_moment(str(day)) == iso_moment(f"{day:%Y%m%d}") == str(day)


@given(MOMENTS)
def test_any_moment_since_1800_round_trips_to_the_second(moment):
    iso = moment.isoformat(timespec="seconds")
    assert iso_moment(moment) == iso_moment(moment.isoformat()) == iso


@settings(deadline=None)
@given(st.dates(date(1800, 1, 1), date(2025, 1, 1)), st.sampled_from(WORDED))
def test_any_date_in_words_is_read(day, form):
    assert iso_moment(day.strftime(form)) == str(day)
