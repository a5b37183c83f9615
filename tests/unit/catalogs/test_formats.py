"""Time tables and catalogs: what is read, what is refused with its line, what is written."""

from __future__ import annotations

import io
import json
import math
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogs import formats
from app.catalogs.formats import Row, catalog, header, timetable, writer

START, STOP = datetime(2008, 7, 3, 1, 2, 3, tzinfo=UTC), datetime(2008, 7, 3, 1, 5, tzinfo=UTC)
CREATED = datetime(2020, 5, 3, 20, 20, 16, tzinfo=UTC)
GENUINE = b"""\
# Name: ML_GTL_IsSOR_AL_cat_0;
# Historic: ;
# Creation Date: 2020-05-03T20:20:16;
# Parameter 1: id:cat_param_id_1; name:column_1; size:1; type:double; unit:; description:; ucd:; utype:;
1992-10-13T06:27:26 1992-10-13T06:30:06 23 0
1992-10-13T06:27:26 1992-10-13T06:27:26 -2.5 1
"""


def table(text: str) -> list[Row]:
    return list(timetable.parse(text.encode().splitlines(keepends=True)))


def events(text: str | bytes, *columns: dict[str, Any]) -> list[list[Any]]:
    lines = (text if isinstance(text, bytes) else text.encode()).splitlines(keepends=True)
    return [row.values for row in catalog.parse(lines, columns=columns)]


def faults(rows: Iterator[Row]) -> list[tuple[int, str]]:
    with pytest.raises(formats.Malformed) as caught:
        list(rows)
    return [(fault.line, fault.message) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "line",
    [
        "2008-07-03T01:02:03 2008-07-03T01:05:00",
        "2008-07-03T01:02:03\t2008-07-03T01:05:00",
        "2008-07-03T01:02:03,2008-07-03T01:05:00",
        "  2008-07-03T01:02:03 ,\t2008-07-03T01:05:00  \r",
        "2008-07-03T01:02:03Z 2008-07-03T01:05:00Z",
        "2008-07-03T01:02:03.000 2008-07-03T01:05:00.000000000",
        "2008-07-03T03:02:03+02:00 2008-07-03T01:05Z",
        "2008-07-03 01:02:03 2008-07-03 01:05:00",
        "2008 07 03 01 02 03 2008 07 03 01 05 00",
        "2008/07/03 01:02:03 2008-07-03-01-05-00",
        "2008 184 01 02 03 2008 184 01 05 00",
        "2008-184T01:02:03,2008:184:01:05:00",
    ],
)
def test_every_way_of_writing_an_interval_is_read(line: str) -> None:
    assert table(line + "\n") == [Row(START, STOP, [])]


def test_a_date_alone_is_its_midnight_and_fractions_are_kept() -> None:
    assert table("2008-07-03 2008-07-04") == [
        Row(datetime(2008, 7, 3, tzinfo=UTC), datetime(2008, 7, 4, tzinfo=UTC), [])
    ]
    (row,) = table("2008-07-03T01:02:03.250 2008-07-03T01:02:03.5Z")
    assert (row.start.microsecond, row.stop.microsecond) == (250_000, 500_000)


def test_amdas_days_of_the_year_count_from_zero() -> None:
    (row,) = table("2001 000 00 00 00 2001 364 00 00 00")
    assert (row.start, row.stop) == (datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 12, 31, tzinfo=UTC))
    assert faults(timetable.parse([b"2001 365 00 00 00 2002 000 00 00 00"]))[0][0] == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# Name: none;\n# Historic: ;\n", "\ufeff# Name: none;\n"])
def test_an_empty_list_is_valid(text: str) -> None:
    assert table(text) == []
    assert events(text, {"name": "probability", "type": "float"}) == []


def test_a_genuine_catalog_of_amda_is_read_with_its_header() -> None:
    rows = list(catalog.parse(GENUINE.splitlines(keepends=True)))
    assert [row.values for row in rows] == [[23, 0], [-2.5, 1]]
    assert rows[1].start == rows[1].stop, "AMDA has events without duration"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("yesterday 2008-07-03T01:05:00", "start 'yesterday' is not a time"),
        ("2008-07-03T01:02:03 tomorrow", "stop 'tomorrow' is not a time"),
        ("2008-07-03T01:02:03", "there is no stop"),
        ("2008-13-03T01:02:03 2008-07-03T01:05:00", "start '2008-13-03T01:02:03' is not a time"),
        ("2008-07-03T01:02:03 2008-07-03T25:05:00", "stop '2008-07-03T25:05:00' is not a time"),
        ("2008-07-03T01:05:00 2008-07-03T01:02:03", "stop 2008-07-03T01:02:03 is before start 2008-07-03T01:05:00"),
        ("2008-07-03T01:02:03 2008-07-03T01:05:00 0.5", "nothing after start and stop; here is '0.5'"),
        ("start,stop", "start 'start' is not a time"),
        ("0001-01-01T00:00:00+10:00 2008-07-03T01:05:00", "is not a time"),
        ("٢٠٠٨-07-03T01:02:03 2008-07-03T01:05:00", "is not a time"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(line: str, said: str) -> None:
    text = f"# Name: x;\n\n2008-07-03T01:02:03 2008-07-03T01:05:00\n{line}\n"
    ((number, message),) = faults(timetable.parse(text.encode().splitlines(keepends=True)))
    assert number == 4
    assert said in message


def test_every_fault_is_told_up_to_a_hundred() -> None:
    good = b"2008-07-03T01:02:03 2008-07-03T01:05:00\n"
    found = faults(timetable.parse([b"bad\n", good, b"\xff\xfe\n", good, b"worse\n"]))
    assert [line for line, _ in found] == [1, 3, 5]
    assert found[1][1] == "not UTF-8 text"
    consumed = iter([b"bad\n"] * 1000)
    assert len(faults(timetable.parse(consumed))) == 100
    assert len(list(consumed)) == 900, "nothing is read after the hundredth fault"


def test_a_line_without_end_is_a_fault_and_never_in_memory_as_a_whole() -> None:
    good = b"2008-07-03T01:02:03 2008-07-03T01:05:00\n"
    file = io.BytesIO(good + b"9" * 5_000_000 + b"\n" + b"bad\n")
    found = faults(timetable.parse(formats.read_lines(file)))
    assert [line for line, _ in found] == [2, 3]
    assert "longer than" in found[0][1]
    file.seek(0)
    assert max(map(len, formats.read_lines(file))) < 70_000


def test_undeclared_values_are_what_they_look_like() -> None:
    line = "2008-07-03T01:02:03 2008-07-03T01:05:00 1 -2.5e3 SW NaN 1_000 .5 007 99999999999999999999\n"
    assert events(line) == [[1, -2500.0, "SW", None, "1_000", 0.5, 7, "99999999999999999999"]]


def test_declared_types_are_kept() -> None:
    columns = [
        {"name": "p", "type": "float"},
        {"name": "n", "type": "int"},
        {"name": "region", "type": "str"},
        {"name": "sure", "type": "bool"},
    ]
    (values,) = events("2008-07-03T01:02:03 2008-07-03T01:05:00 1 3.0 7 true\n", *columns)
    assert values == [1.0, 3, "7", True]
    assert [type(value) for value in values] == [float, int, str, bool]
    assert events("2008-07-03T01:02:03,2008-07-03T01:05:00,,nan,,\n", *columns) == [[None, None, "", None]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("high -80", "p: 'high' is not a number"),
        ("inf -80", "p: 'inf' is not a finite number"),
        ("1e999 -80", "p: '1e999' is too large"),
        ("0.5 -80.5", "n: '-80.5' is not a whole number"),
        ("0.5 99999999999999999999", "n: '99999999999999999999' is not a whole number of at most 18 digits"),
        ("0.5", "1 value after start and stop, where 2 are declared: p, n"),
        ("0.5 1 2", "3 values after start and stop, where 2 are declared: p, n"),
        ("1_0 1", "p: '1_0' is not a number"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_told_by_name(values: str, said: str) -> None:
    columns = [{"name": "p", "type": "float"}, {"name": "n", "type": "int"}]
    lines = [f"2008-07-03T01:02:03 2008-07-03T01:05:00 {values}\n".encode()]
    ((number, message),) = faults(catalog.parse(lines, columns=columns))
    assert number == 1
    assert said in message


def test_without_declaration_every_event_has_as_many_values_as_the_first() -> None:
    lines = [b"2008-07-03T01:02:03 2008-07-03T01:05:00 1 2\n", b"2008-07-03T01:02:03 2008-07-03T01:05:00 1\n"]
    assert faults(catalog.parse(lines)) == [(2, "1 value after start and stop, where the first event has 2")]


def test_strings_may_be_quoted_and_hold_no_control_characters() -> None:
    text = {"name": "region", "type": "str"}
    assert events('2008-07-03T01:02:03,2008-07-03T01:05:00,"bow, shock",x\n', text, text) == [["bow, shock", "x"]]
    assert events('2008-07-03T01:02:03 2008-07-03T01:05:00 "bow shock" x\n', text, text) == [["bow shock", "x"]]
    assert events("2008-07-03T01:02:03,2008-07-03T01:05:00,bow shock\n", text) == [["bow shock"]]
    assert (
        "control" in faults(catalog.parse([b"2008-07-03T01:02:03 2008-07-03T01:05:00 a\x00b\n"], columns=[text]))[0][1]
    )


def test_columns_without_declaration_are_numbered_and_the_first_holds_the_classes() -> None:
    assert catalog.columns_of([0, 0.5, "SW", None]) == [
        {"name": "param_0", "type": "int", "unit": ""},
        {"name": "param_1", "type": "float", "unit": ""},
        {"name": "param_2", "type": "str", "unit": ""},
        {"name": "param_3", "type": "float", "unit": ""},
    ]
    (column,) = catalog.columns_of([0], classmap={"SW": 0}, colormap={"SW": [241, 196, 15]})
    assert (column["name"], column["classmap"]) == ("classes", {"SW": 0})
    assert catalog.columns_of([], classmap={"SW": 0}) == []


def test_the_header_of_a_time_table_is_amdas() -> None:
    made = header.lines(
        type="TT",
        name="shocks",
        description="Bow shocks\n\nof Mars; all",
        columns=[{"name": "ignored"}],
        start=START,
        stop=STOP,
        created=CREATED,
    )
    assert list(made) == [
        "# Name: shocks;",
        "# Description:",
        "# Bow shocks;",
        "# ;",
        "# of Mars, all;",
        "# ListStartDate: 2008-07-03T01:02:03",
        "# ListStopDate: 2008-07-03T01:05:00",
        "# Contact: CDPP",
        "# Historic: ;",
        "# Creation Date: 2020-05-03T20:20:16;",
    ]


def test_the_header_of_a_catalog_has_its_classes_and_parameters() -> None:
    made = list(
        header.lines(
            type="CAT",
            name="regions",
            description="Plasma regions",
            columns=[
                {"name": "classes", "type": "str"},
                {"name": "p", "type": "float", "unit": "nT", "description": "peak", "ucd": "phys.magField;stat.max"},
            ],
            start=START,
            stop=STOP,
            created=CREATED,
            classmap={"FS": 1, "SW": 0},
            colormap={"SW": [241, 196, 15]},
        )
    )
    assert made[2:7] == ["# Plasma regions;", "# ;", "# Classes: ;", "# * 0: SW;", "# * 1: FS;"]
    assert made[-2:] == [
        "# Parameter 1: id:param_0; name:classes; size:1; type:string; unit:; "
        "description:0 : SW [241,196,15] - 1 : FS; ucd:; utype:;",
        "# Parameter 2: id:param_1; name:p; size:1; type:double; unit:nT; description:peak; "
        "ucd:phys.magField,stat.max; utype:;",
    ]


def test_nothing_in_a_text_breaks_the_header_and_an_empty_list_has_no_dates() -> None:
    made = list(
        header.lines(
            type="CAT",
            name="O'Brien\n2001-01-01T00:00:00 2001-01-02T00:00:00;",
            description="a\r\nb\x0bc",
            columns=[{"name": "x\ny;", "unit": "a;b"}],
            start=None,
            stop=None,
            created=CREATED,
        )
    )
    assert all(line.startswith("#") and "\n" not in line for line in made)
    assert "# ListStartDate:" in made
    assert made[0] == "# Name: O'Brien 2001-01-01T00:00:00 2001-01-02T00:00:00,;"
    assert list(catalog.parse(f"{line}\n".encode() for line in made)) == []


def test_events_are_written_in_whole_seconds_that_lose_nothing() -> None:
    early, late = START.replace(microsecond=900_000), STOP.replace(microsecond=1)
    rows = [
        Row(early, late, [1, 0.1, "bow shock; x", None, True, ""]),
        Row(START, STOP, []),
        Row(START, datetime.max.replace(tzinfo=UTC), []),
    ]
    assert list(writer.lines(rows)) == [
        "2008-07-03T01:02:03 2008-07-03T01:05:01 1 0.1 bow_shock;_x NaN 1 _",
        "2008-07-03T01:02:03 2008-07-03T01:05:00",
        "2008-07-03T01:02:03 9999-12-31T23:59:59",
    ]


seconds = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)).map(
    lambda when: when.replace(microsecond=0)
)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='",'), min_size=1)
columns_and_values = st.sampled_from(
    [
        ("float", st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        ("int", st.none() | st.integers(-(10**17), 10**17)),
        ("bool", st.none() | st.booleans()),
        ("str", words),
    ]
)


@given(st.data())
def test_what_is_written_is_read_again(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(columns_and_values, max_size=4))
    columns = [{"name": f"c{index}", "type": kind} for index, (kind, _) in enumerate(kinds)]
    row = st.builds(
        lambda start, length, *values: Row(start, start + timedelta(seconds=length), list(values)),
        seconds,
        st.integers(0, 10**6),
        *(values for _, values in kinds),
    )
    rows = data.draw(st.lists(row, max_size=5))
    lines = [f"{line}\n".encode() for line in writer.lines(rows)]
    assert list(catalog.parse(lines, columns=columns)) == rows


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_whatever_break_the_readers(content: bytes) -> None:
    lines = content.splitlines(keepends=True)
    for rows in (timetable.parse(lines), catalog.parse(lines), catalog.parse(lines, columns=[{"name": "x"}])):
        try:
            found = list(rows)
        except formats.Malformed as error:
            assert error.faults
        else:
            json.dumps([row.values for row in found], allow_nan=False)


def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    line = b"2001-03-28T00:00:00 2001-03-28T01:00:00 0.5 -80.5 SW\n"
    tracemalloc.start()
    try:
        total = math.fsum(row.values[0] for row in catalog.parse(line for _ in range(100_000)))  # type: ignore[misc]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 50_000.0
    assert peak < 2_000_000
