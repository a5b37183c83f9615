"""The learned model: how it is kept, and what it says of an hour."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import features
import numpy as np
import skops.io
from numpy.typing import NDArray

FILE = Path(__file__).with_name("model.skops")
# Nothing else is ever constructed from the file: a model file of someone else cannot run code here.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.utils._bunch.Bunch"]


@dataclass(frozen=True)
class Model:
    """Two estimators over the same features.

    ``classifier`` gives the probability that Dst <= -50 nT in an hour. ``correction`` is added to the empirical Dst
    of O'Brien and McPherron (feature ``obm_dst``) and gives the predicted Dst. ``threshold`` is the probability that
    served best in cross-validation; ``names`` are the features in their order.
    """

    classifier: Any
    correction: Any
    threshold: float
    names: list[str]

    def judge(self, grid: dict[str, features.Floats]) -> tuple[features.Floats, features.Floats]:
        """Probability of a storm (0..1) and predicted Dst (nT) of each hour of a grid (see ``features.on_hours``).

        Both are NaN where too much is missing. The first ``features.HISTORY_HOURS`` hours lack history: drop them.
        """
        matrix, names = features.compute(grid)
        if names != self.names:
            raise ValueError(f"the model was trained on other features; run train.py again ({self.names} != {names})")
        usable: NDArray[np.bool_] = features.known(grid) & np.isfinite(matrix).all(axis=1)
        probability, dst = np.full(usable.size, np.nan), np.full(usable.size, np.nan)
        if usable.any():
            known = matrix[usable]
            probability[usable] = self.classifier.predict_proba(known)[:, 1]
            dst[usable] = known[:, names.index("obm_dst")] + self.correction.predict(known)
        return probability, dst


def save(model: Model, path: Path) -> None:
    """Write the model as a skops archive."""
    skops.io.dump(dict(vars(model)), path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)


def load(path: Path = FILE) -> Model:
    """Read a model; raises ``skops.io.exceptions.UntrustedTypesFoundException`` if it holds any type not listed."""
    return Model(**skops.io.load(path, trusted=TRUSTED))
