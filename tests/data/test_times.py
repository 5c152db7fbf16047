from datetime import UTC, date, datetime

import pytest

from hf_vft.data.times import read_times
from hf_vft.errors import DataError

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T10:00:00Z", "2026-03-01 10:00:00", "2026-03-01T10:00",
        "2026-03-01 11:00 +01:00",
        "2026-03-01T05:00:00.000-0500", "2026-03-01 10:00:00 UTC", "20260301T100000",
        "20260301100000", "2026:03:01 10:00:00", "2026:03:01 12:00:00+02:00", "2026/3/1 10:00",
        "1772359200", 1772359200, 1772359200.0, "1772359200000", 1772359200000000,
        "1 Mar 2026 10:00", "March 1, 2026 10:00 AM", "Sun, 01 Mar 2026 10:00:00 GMT",
        datetime(2026, 3, 1, 10), TEN,
    ],
)  # fmt: skip
def test_what_means_one_moment_is_read_as_that_moment(value):
    assert read_times([value], "t").moments == [TEN]


def test_spellings_and_zones_may_be_mixed():
    mixed = [
        "2026-03-01T10:00:00Z",
        "2026-03-01 10:00:00",
        "2026-03-01T11:00:00.5+01:00",
        "2026-03-01",
    ]
    found = read_times(mixed, "t")
    assert not found.unread
    assert found.moments[2].microsecond == 500_000
    assert found.moments[3] == read_times([date(2026, 3, 1)], "t").moments[0]


def test_days_and_months_are_told_apart_by_the_column_as_a_whole():
    day_first = read_times(["01/03/2026 10:00", "13/03/2026 10:00"], "t").moments
    assert [m.month for m in day_first] == [3, 3]
    month_first = read_times(["03/01/2026 10:00", "03/13/2026 10:00"], "t").moments
    assert [m.month for m in month_first] == [3, 3]
    assert read_times(["04/04/2026"], "t").moments[0].month == 4


def test_what_may_be_either_is_asked_for_and_the_answer_is_taken():
    ambiguous = ["01/03/2026 10:00", "02/03/2026 10:00"]
    with pytest.raises(DataError, match=r"'01/03/2026 10:00' may begin.*data\.time_format"):
        read_times(ambiguous, "taken")
    assert read_times(ambiguous, "t", time_format="day_first").moments[0] == TEN
    assert read_times(ambiguous, "t", time_format="month_first").moments[0].month == 1
    assert read_times(["1.3.26 10h"], "t", time_format="%d.%m.%y %Hh").moments == [TEN]
    with pytest.raises(DataError, match=r"before months .* and after them"):
        read_times(["13/03/2026", "03/13/2026"], "t")


def test_what_cannot_be_read_is_left_unread_and_nothing_takes_its_place():
    values = [
        "2026-03-01 10:00",
        "yesterday",
        None,
        "0001-01-01",
        "1970-01-01 00:00:05",
        float("nan"),
    ]
    found = read_times(values, "t")
    assert found.moments == [TEN, None, None, None, None, None]
    assert found.unread == [1, 2, 3, 4, 5]
    assert read_times(["1772359200", "17", "soon"], "t").unread == [1, 2]


def test_a_column_without_any_time_is_refused():
    with pytest.raises(DataError, match=r"column 'time': none of 2 values is a time, 'morning'"):
        read_times(["morning", "evening"], "time")
