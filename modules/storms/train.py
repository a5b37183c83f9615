"""Train the storm model: ``python train.py omni_hourly_1999_2001.csv.gz [--output model.skops]``.

Only hours before 2001 are looked at. Candidates are compared by cross-validation over contiguous blocks of about two
months; hours nearer to the held-out block than the features' memory are left out of the fit, so no hour of a block
reaches the fit through a rolling feature. The winner is fitted to the whole period.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import features
import numpy as np
import scores
import training_data
from model import FILE, Model, save
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

BLOCKS = 9
SEED = 20010331
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
MERGE_HOURS = 12.0


def trees(kind: type, rounds: int, leaves: int) -> Any:
    """A boosted ensemble of `rounds` trees with at most `leaves` leaves each."""
    return kind(
        learning_rate=0.03,
        max_iter=rounds,
        max_leaf_nodes=leaves,
        min_samples_leaf=100,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=SEED,
    )


CLASSIFIERS: dict[str, Any] = {
    **{f"logistic regression, C={c}": LogisticRegression(C=c, max_iter=5000) for c in (0.01, 0.03, 0.1)},
    "boosted trees": trees(HistGradientBoostingClassifier, 150, 6),
}
CORRECTIONS: dict[str, Any] = {
    "ridge": Ridge(20000.0),
    **{
        f"boosted trees, {rounds} x {leaves} leaves": trees(HistGradientBoostingRegressor, rounds, leaves)
        for rounds, leaves in ((150, 6), (300, 12))
    },
}


def storm_weight(dst: features.Floats) -> NDArray[np.int64]:
    """Weight of an hour for the correction of Dst: the catalog states minima, and quiet hours are nine in ten."""
    return np.asarray(1 + np.rint(3.0 * np.clip(-dst / 50.0, 0.0, 4.0)), dtype=np.int64)


def folds(size: int) -> list[tuple[NDArray[np.bool_], slice]]:
    """(hours to fit, hours held out) for each block; ``HISTORY_HOURS`` on both sides of a block are in neither."""
    edges = np.linspace(0, size, BLOCKS + 1).astype(int)
    result = []
    for begin, end in pairwise(edges):
        fit = np.ones(size, dtype=bool)
        fit[max(0, begin - features.HISTORY_HOURS) : end + features.HISTORY_HOURS] = False
        result.append((fit, slice(begin, end)))
    return result


def fitted(estimator: Any, matrix: features.Floats, target: NDArray[Any], weight: NDArray[np.int64]) -> Any:
    """A new pipeline of a scaler and the estimator, fitted to each hour as many times as it weighs."""
    rows = np.repeat(np.arange(len(target)), weight)
    return make_pipeline(StandardScaler(), clone(estimator)).fit(matrix[rows], target[rows])


def held_out(
    estimator: Any, matrix: features.Floats, target: NDArray[Any], weight: NDArray[np.int64]
) -> features.Floats:
    """What the candidate says of each hour when the block around it is held out: probabilities, or values."""
    answers = np.empty(len(target))
    for fit, out in folds(len(target)):
        pipeline = fitted(estimator, matrix[fit], target[fit], weight[fit])
        if is_classifier(pipeline):
            answers[out] = pipeline.predict_proba(matrix[out])[:, 1]
        else:
            answers[out] = pipeline.predict(matrix[out])
    return answers


def best(
    candidates: dict[str, Any], matrix: features.Floats, target: NDArray[Any], weight: NDArray[np.int64]
) -> tuple[Any, features.Floats]:
    """The candidate with the smallest (weighted) mean squared error over the held-out blocks, and its answers."""
    answers = {name: held_out(estimator, matrix, target, weight) for name, estimator in candidates.items()}
    errors = {name: float(np.average((answer - target) ** 2, weights=weight)) for name, answer in answers.items()}
    for name, error in errors.items():
        print(f"  {name}: {error:.5g}")
    winner = min(errors, key=lambda name: errors[name])
    print(f"  -> {winner}")
    return candidates[winner], answers[winner]


def threshold_of(probability: features.Floats, hours: training_data.Hours) -> float:
    """The threshold with the best F1 of whole events, held out (ties: the higher one)."""
    truth = scores.storms(hours.time, hours.dst)
    f1 = {}
    for threshold in THRESHOLDS:
        events = scores.merged(hours.time, probability >= threshold, gap_hours=MERGE_HOURS)
        recall, precision = scores.event_scores(truth, events)
        f1[threshold] = 2 * recall * precision / max(recall + precision, 1e-9)
        print(f"  threshold {threshold}: recall {recall:.3f}, precision {precision:.3f}, F1 {f1[threshold]:.3f}")
    return max(f1, key=lambda threshold: (round(f1[threshold], 6), threshold))


def train(hours: training_data.Hours) -> Model:
    """Choose and fit on the given hours, all of which must be before 2001; raises ValueError otherwise."""
    if hours.time.max() >= training_data.TRAIN_STOP:
        raise ValueError(f"training must not see anything from {training_data.TRAIN_STOP} on")
    matrix, names = features.compute(hours.grid)
    complete = slice(features.HISTORY_HOURS, None)
    matrix, hours = matrix[complete], hours.between(hours.time[features.HISTORY_HOURS], None)
    storm = (hours.dst <= training_data.STORM_DST).astype(int)
    residual = hours.dst - matrix[:, names.index("obm_dst")]
    print(f"{hours.time.size} hours from {hours.time[0]} to {hours.time[-1]}, {storm.mean():.1%} of them in a storm")
    even, weight = np.ones(storm.size, dtype=np.int64), storm_weight(hours.dst)
    print("classifier, Brier score:")
    classifier, probability = best(CLASSIFIERS, matrix, storm, even)
    print("correction of Dst, weighted mean squared error (nT²):")
    correction, _ = best(CORRECTIONS, matrix, residual, weight)
    return Model(
        classifier=fitted(classifier, matrix, storm, even),
        correction=fitted(correction, matrix, residual, weight),
        threshold=threshold_of(probability, hours),
        names=names,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the storm model on the hours before 2001.")
    parser.add_argument("csv", type=Path, help="hourly OMNI, e.g. app/amda/sample/data/omni_hourly_1999_2001.csv.gz")
    parser.add_argument("--output", type=Path, default=FILE)
    arguments = parser.parse_args()
    hours = training_data.training(training_data.read(arguments.csv))
    # One thread: sums in one order, so the same model on every machine; and on a busy machine it is faster, too.
    with threadpool_limits(1):
        save(train(hours), arguments.output)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
