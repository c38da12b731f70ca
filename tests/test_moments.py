import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.moments import days, moment


@pytest.mark.parametrize(
    ("published", "shown"),
    [
        (None, "undated"),
        ("2025-08-20", "20 August 2025"),
        ("2025-08-20T15:07:00", "20 August 2025, 15:07"),
        ("2025-08-20T15:07:00+02:00", "20 August 2025, 15:07"),
        ("last spring", "last spring"),
    ],
)
def test_moments_as_people_write_them(published, shown):
    assert moment(published) == shown


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("2025-07-01", None, "since 1 July 2025"),
        (None, "2025-07-01", "until 1 July 2025"),
        ("2025-07-01", "2025-07-01", "1 July 2025"),
        ("2025-07-01", "2025-07-31", "July 2025"),
        ("2025-07-01", "2025-07-30", "1 July 2025 to 30 July 2025"),
        ("2024-01-01", "2024-12-31", "2024"),
        ("2022-01-01", "2024-12-31", "2022 to 2024"),
        ("9999-12-01", "9999-12-31", "December 9999"),
        ("never", "2024-12-31", "never to 2024-12-31"),
        (None, None, "any time"),
    ],
)
def test_intervals_as_people_say_them(first, last, shown):
    assert days(first, last) == shown


@given(st.dates(), st.dates())
def test_any_interval_can_be_said(first, last):
    assert days(first.isoformat(), last.isoformat())
