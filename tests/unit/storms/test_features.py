"""What the storm module computes before any model: features, frames, intervals, scores."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from app.amda.sample import frames as sample_frames

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "modules" / "storms"
HOURS = ROOT / "app" / "amda" / "sample" / "data" / "omni_hourly_1999_2001.csv.gz"
NAMES = ("features", "frames", "intervals", "scores", "training_data")


@pytest.fixture(scope="module")
def storms() -> Iterator[dict[str, ModuleType]]:
    """The module's files, imported as a script in its folder would, and forgotten afterwards."""
    sys.path.insert(0, str(MODULE))
    try:
        yield {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(MODULE))
        for name in NAMES:
            sys.modules.pop(name, None)


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[s]")


def test_features_of_a_window_are_those_of_the_whole(storms: dict[str, ModuleType]) -> None:
    features, training_data = storms["features"], storms["training_data"]
    whole = training_data.read(HOURS)
    everything, names = features.compute(whole.grid)
    for first, last in ((1000, 1500), (9000, 9001 + features.HISTORY_HOURS), (19_000, whole.time.size)):
        window = whole.between(whole.time[first], whole.time[last - 1] + features.HOUR)
        part, same_names = features.compute(window.grid)
        assert same_names == names
        kept = part[features.HISTORY_HOURS :]
        assert kept.shape[0] > 0
        np.testing.assert_array_equal(kept, everything[first + features.HISTORY_HOURS : last])


def test_features_know_nothing_of_later_hours(storms: dict[str, ModuleType]) -> None:
    features = storms["features"]
    grid = dict(storms["training_data"].read(HOURS).between(None, np.datetime64("1999-07-15T00")).grid)
    before, _ = features.compute(grid)
    changed = {name: np.concatenate([series[:200], series[200:] * 0.5 + 1]) for name, series in grid.items()}
    after, _ = features.compute(changed)
    np.testing.assert_array_equal(after[:200], before[:200])
    assert not np.array_equal(after[200:], before[200:])


def test_dst_and_kp_are_no_inputs(storms: dict[str, ModuleType]) -> None:
    assert set(storms["features"].INPUTS) == {"by_gsm", "bz_gsm", "speed", "density", "pressure"}


def test_the_formula_is_the_recursion_that_was_published(storms: dict[str, ModuleType]) -> None:
    features = storms["features"]
    field = np.abs(np.sin(np.arange(80) / 7.0)) * 6.0
    pressure = 2.0 + np.cos(np.arange(80) / 5.0)
    dst_star, expected = 0.0, []
    for vbs, pdyn in zip(field, pressure, strict=True):
        tau = 2.40 * np.exp(9.74 / (4.69 + vbs))
        dst_star = dst_star * np.exp(-1 / tau) + (-4.4 * (vbs - 0.49) if vbs > 0.49 else 0.0)
        expected.append(dst_star + 7.26 * np.sqrt(pdyn) - 11.0)
    np.testing.assert_allclose(features.obrien_mcpherron(field, pressure), expected, rtol=1e-10)


def test_the_coupling_is_nothing_for_a_northward_field_and_most_for_a_southward_one(
    storms: dict[str, ModuleType],
) -> None:
    coupling = storms["features"].newell_coupling
    speed, still = np.array([400.0]), np.array([0.0])
    assert coupling(speed, still, np.array([5.0]))[0] == pytest.approx(0.0, abs=1e-9)
    southward = coupling(speed, still, np.array([-5.0]))[0]
    assert southward == pytest.approx(400 ** (4 / 3) * 5 ** (2 / 3) * 1e-3)
    assert 0 < coupling(speed, np.array([5.0]), still)[0] < southward


def test_an_hour_is_the_mean_of_its_values_and_fill_values_are_missing(storms: dict[str, ModuleType]) -> None:
    features = storms["features"]
    time = moments("2001-01-01T02:30:00", "2001-01-01T00:00:00", "2001-01-01T00:30:00", "2001-01-01T03:00:00")
    values = {name: np.array([30.0, 100.0, 120.0, 150.0]) for name in features.INPUTS} | {
        "speed": np.array([9999.0, 400.0, 500.0, 300.0])
    }
    hours, grid = features.on_hours(
        time, values, start=np.datetime64("2001-01-01T00:15", "s"), stop=np.datetime64("2001-01-01T03:00", "s")
    )
    assert [str(hour) for hour in hours] == ["2001-01-01T00", "2001-01-01T01", "2001-01-01T02"]
    np.testing.assert_array_equal(grid["speed"], [450.0, np.nan, np.nan])
    np.testing.assert_array_equal(grid["density"], [110.0, np.nan, 30.0])


def test_an_hour_without_enough_measurements_is_not_known(storms: dict[str, ModuleType]) -> None:
    features = storms["features"]
    grid = {name: np.ones(30) for name in features.INPUTS}
    grid["bz_gsm"][10:17] = np.nan
    known = features.known(grid)
    assert not known[:5].any()
    assert known[11:16].all()
    assert not known[16:18].any()
    assert known[23:].all()


def test_turning_to_gsm_undoes_what_the_sample_amda_turned(storms: dict[str, ModuleType]) -> None:
    time = moments("1999-07-01T14:00:00", "2000-03-20T06:00:00", "2000-12-21T18:00:00", "2001-10-11T23:00:00")
    y, z = np.array([4.6, -3.0, 0.0, 12.0]), np.array([0.4, -9.0, -45.0, 1.5])
    seconds = time.astype("int64")
    turned = [
        sample_frames.gsm_to_gse(a, b, unix_seconds=float(s))
        for a, b, s in zip(y.tolist(), z.tolist(), seconds, strict=True)
    ]
    back = storms["frames"].gse_to_gsm(time, np.array([a for a, _ in turned]), np.array([b for _, b in turned]))
    np.testing.assert_allclose(back, [y, z], atol=1e-9)


def test_the_dipole_leans_to_dusk_in_march_and_to_dawn_in_september(storms: dict[str, ModuleType]) -> None:
    """The Earth's axis leans towards ecliptic longitude 90 degrees by 23.4, and the dipole turns around it, 11 away."""
    day = np.timedelta64(1, "h") * np.arange(24)
    for equinox, lean in (("2000-03-20T00:00:00", 23.4), ("2000-09-22T00:00:00", -23.4)):
        angles = np.degrees(storms["frames"].dipole_angle(np.datetime64(equinox, "s") + day))
        assert angles.mean() == pytest.approx(lean, abs=1.0)
        assert np.ptp(angles) == pytest.approx(21.5, abs=2.0)


def test_a_pause_of_twelve_hours_parts_storms_and_a_shorter_one_does_not(storms: dict[str, ModuleType]) -> None:
    merged = storms["intervals"].merged
    hours = np.arange("2001-01-01T00", "2001-01-03T00", dtype="datetime64[h]")
    flags = np.zeros(hours.size, dtype=bool)
    flags[[2, 14, 27]] = True
    found = merged(hours, flags, gap_hours=12.0)
    assert [(str(event.start), str(event.stop)) for event in found] == [
        ("2001-01-01T02", "2001-01-01T15"),
        ("2001-01-02T03", "2001-01-02T04"),
    ]
    assert merged(hours, np.zeros(hours.size, dtype=bool), gap_hours=12.0) == []
    assert len(merged(hours, np.ones(hours.size, dtype=bool), gap_hours=0.0)) == 1


def test_the_hours_hold_the_storms_that_are_known(storms: dict[str, ModuleType]) -> None:
    whole = storms["training_data"].read(HOURS)
    assert len(storms["scores"].storms(whole.time, whole.dst)) == 93


def test_training_is_given_nothing_of_2001(storms: dict[str, ModuleType]) -> None:
    training_data = storms["training_data"]
    given = training_data.training(training_data.read(HOURS))
    assert str(given.time[-1]) == "2000-12-31T23"
    assert given.dst.size == given.time.size == given.grid["speed"].size == 13_186


def test_a_hit_shares_time_and_its_error_is_that_of_the_minimum(storms: dict[str, ModuleType]) -> None:
    scores, interval = storms["scores"], storms["intervals"].Interval
    hours = np.arange("2001-01-01T00", "2001-01-01T10", dtype="datetime64[h]")

    def span(first: int, last: int) -> object:
        return interval(hours[first], hours[last] + np.timedelta64(1, "h"), first, last)

    truth, events = [span(1, 2), span(6, 7)], [span(2, 4), span(5, 5), span(8, 9)]
    assert scores.event_scores(truth, events) == (0.5, 1 / 3)
    dst = np.array([0, -60, -80, 0, 0, 0, -55, -51, 0, 0.0])
    predicted = np.array([0, -99, -70, -75, 0, 0, -50, -60, -70, 0.0])
    assert scores.minimum_error(truth, events, dst, predicted) == pytest.approx(5.0)
