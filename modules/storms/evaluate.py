"""Measure the model on 2001: ``python evaluate.py omni_hourly_1999_2001.csv.gz [--model model.skops] [--json]``.

Prints the table of the README: the learned model beside two baselines that need no learning. The definitions are in
``scores.py``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import features
import numpy as np
import scores
import training_data
from intervals import merged
from model import FILE, Model, load
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

MERGE_HOURS = 12.0
Measures = dict[str, float]


def measures(
    hours: training_data.Hours, ranking: features.Floats, flags: np.ndarray, predicted: features.Floats | None
) -> Measures:
    """Scores of one method: ``ranking`` grows with the danger, ``flags`` are its storm hours, ``predicted`` is Dst."""
    storm = hours.dst <= training_data.STORM_DST
    truth = scores.storms(hours.time, hours.dst)
    events = merged(hours.time, flags, gap_hours=MERGE_HOURS)
    recall, precision = scores.event_scores(truth, events)
    result = {
        "hourly AUC": float(roc_auc_score(storm, ranking)),
        "hourly average precision": float(average_precision_score(storm, ranking)),
        "storms": float(len(truth)),
        "events": float(len(events)),
        "event recall": recall,
        "event precision": precision,
        "events that reached Dst -40 nT": float(
            np.mean([hours.dst[event.first : event.last + 1].min() <= -40.0 for event in events])
        ),
        "hours flagged": float(np.mean(flags)),
    }
    if predicted is not None:
        result["MAE of minimum Dst"] = scores.minimum_error(truth, events, hours.dst, predicted)
        result["hourly RMSE of Dst"] = float(np.sqrt(np.mean((predicted - hours.dst) ** 2)))
    return result


def evaluate(hours: training_data.Hours, model: Model) -> dict[str, Measures]:
    """Scores of the model and the baselines on the hours from 2001 on; what is before them only feeds features."""
    test = hours.between(training_data.TRAIN_STOP, None)
    tail = slice(hours.time.size - test.time.size, None)
    matrix, names = features.compute(hours.grid)
    formula = matrix[tail, names.index("obm_dst")]
    field = matrix[tail, names.index("vbs_mean_3h")]
    probability, dst = (series[tail] for series in model.judge(hours.grid))
    learned = measures(test, probability, probability >= model.threshold, dst)
    storm = test.dst <= training_data.STORM_DST
    events = merged(test.time, probability >= model.threshold, gap_hours=MERGE_HOURS)
    learned["MAE of the formula, same events"] = scores.minimum_error(
        scores.storms(test.time, test.dst), events, test.dst, formula
    )
    learned["Brier score"] = float(brier_score_loss(storm, probability))
    learned["mean probability"] = float(probability.mean())
    learned["hours in storm"] = float(storm.mean())
    return {
        "storms": learned,
        "O'Brien-McPherron": measures(test, -formula, formula <= training_data.STORM_DST, formula),
        # Gonzalez et al. (1994): a moderate storm needs VBs above about 2.5 mV/m; three-hour mean.
        "VBs > 2.5 mV/m": measures(test, field, field > 2.5, None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the storm model on 2001.")
    parser.add_argument("csv", type=Path, help="hourly OMNI, e.g. app/amda/sample/data/omni_hourly_1999_2001.csv.gz")
    parser.add_argument("--model", type=Path, default=FILE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = evaluate(training_data.read(arguments.csv), load(arguments.model))
    if arguments.json:
        print(json.dumps(results))
        return
    rows = list(results["storms"])
    print(f"| measure | {' | '.join(results)} |\n| --- |{' ---: |' * len(results)}")
    for row in rows:
        print(
            f"| {row} | "
            + " | ".join(f"{result[row]:.3f}" if row in result else "–" for result in results.values())
            + " |"
        )


if __name__ == "__main__":
    main()
