from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.timelines import timeline

COUNTED = st.dictionaries(
    st.dates(date(1700, 1, 1), date(2100, 1, 1)), st.integers(1, 50), min_size=2, max_size=40
).map(lambda days: tuple((day.isoformat(), count) for day, count in sorted(days.items())))


@given(COUNTED)
def test_every_article_is_in_the_bar_of_its_day_and_bars_leave_no_gap(days):
    found = timeline(days)
    assert sum(bar.count for bar in found.bars) == sum(count for _, count in days)
    for day, _ in days:
        assert [bar.count > 0 for bar in found.bars if bar.first_day <= day <= bar.last_day] == [True]
    edges = [(date.fromisoformat(bar.first_day), date.fromisoformat(bar.last_day)) for bar in found.bars]
    assert all((after - before).days == 1 for (_, before), (after, _) in pairwise(edges))
    assert max(bar.height for bar in found.bars) == 1
    assert Counter(bar.count > 0 for bar in found.bars)[True] == Counter(bar.height > 0 for bar in found.bars)[True]


@pytest.mark.parametrize(
    ("first", "last", "unit", "bars"),
    [
        ("2025-08-20", "2025-08-21", "day", 2),
        ("2025-01-31", "2025-03-01", "day", 30),
        ("2024-12-31", "2025-06-01", "month", 7),
        ("1999-05-05", "2025-06-01", "year", 27),
        ("9998-05-05", "9999-12-31", "month", 20),
        ("9900-05-05", "9999-12-31", "year", 100),
        ("0012-05-05", "2025-06-01", "year", 120),
    ],
)
def test_the_longer_the_time_the_longer_a_bar(first, last, unit, bars):
    found = timeline(((first, 1), (last, 1)))
    assert (found.unit, len(found.bars)) == (unit, bars)


def test_what_is_very_old_shares_the_first_bar():
    first = timeline((("0012-05-05", 2), ("1906-03-03", 1), ("2025-06-01", 1))).bars[0]
    assert (first.label, first.first_day, first.last_day, first.count) == ("until 1906", "0012-01-01", "1906-12-31", 3)


def test_one_day_is_no_timeline():
    assert timeline(()) is None
    assert timeline((("2025-08-20", 7),)) is None


def test_bars_are_named_for_people():
    assert timeline((("2025-08-20", 1), ("2025-08-21", 1))).bars[0].label == "20 August 2025"
    assert timeline((("2025-01-20", 1), ("2025-08-21", 1))).bars[0].label == "January 2025"
    assert timeline((("1925-01-20", 1), ("2025-08-21", 1))).bars[0].label == "1925"
