"""The arithmetic of script/benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import workflows
from tests.benchmarks.figures import MEDIAN, Figure, above, pairwise, percentile


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (95, 10), (100, 10), (10, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value


def test_a_promise_is_judged_by_the_percentile_that_it_names() -> None:
    values = [1.0] * 18 + [9.0] * 2
    assert Figure(name="one", values=values, target=5.0).kept is False
    assert Figure(name="one", values=values, target=5.0, judged=MEDIAN).kept is True
    assert Figure(name="one", values=values).kept is None


def test_a_row_tells_the_values_the_promise_and_whether_it_was_kept() -> None:
    row = Figure(name="a ratio", values=[2.0, 3.0, 4.0], unit="×", target=3.5).row()
    assert row.split() == ["a", "ratio", "3.00", "4.00", "×", "p95", "≤", "3.5", "×", "NOT", "KEPT"]
    assert Figure(name="unpromised", values=[1.0]).row().split() == ["unpromised", "1.00", "1.00", "ms"]


def test_ratios_are_taken_of_what_was_measured_side_by_side() -> None:
    assert pairwise([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="zip"):
        pairwise([1.0], [])


def test_what_is_added_is_counted_from_the_median_of_the_bare_ones() -> None:
    assert above([10.0, 20.0], [1.0, 100.0, 3.0]) == [7.0, 17.0]


def test_a_hop_goes_from_the_end_of_a_node_to_the_start_of_the_next() -> None:
    nodes = [workflows.NodeTimes(started=at, ended=at + 1) for at in (10.0, 11.5, 13.0)]
    assert workflows.gaps(nodes) == [500.0, 500.0]
    assert nodes[0].milliseconds == 1000.0


def test_a_fan_out_and_a_chain_have_as_many_nodes_as_asked() -> None:
    (group,) = workflows.fan_out("w", 7)["spec"]["templates"][0]["steps"]
    assert group[0]["withSequence"] == {"count": "7"}
    assert len(workflows.chain("w", 7)["spec"]["templates"][0]["steps"]) == 7


def test_a_nodes_times_are_those_that_its_shim_tells(tmp_path: Path) -> None:
    told = {"later": (12.0, 12.001), "earlier": (10.0, 10.002)}
    for name, (started, finished) in told.items():
        (tmp_path / name).write_text(json.dumps({"started_at": started, "finished_at": finished}))
    nodes = workflows.read_times(tmp_path.iterdir())
    assert [(each.started, each.ended) for each in nodes] == [told["earlier"], told["later"]]
    assert [round(each.milliseconds) for each in nodes] == [2, 1]
