"""One fit to a data set of the Clus collection, by the protocol of publications."""

from __future__ import annotations

import os
import platform
import time

import numpy as np
import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch

from skhmc._meta.voting import HierarchicalVotingClassifier
from skhmc._networks.hcal import HCALClassifier
from skhmc._networks.hyperbolic import HyperbolicHMC
from skhmc._networks.max_constraint import MaxConstraintClassifier
from skhmc._utils.version import package_version
from skhmc.datasets import fetch_clus
from skhmc.hierarchy import Hierarchy
from skhmc.metrics import au_prc_score
from skhmc.reproduce._published import PUBLISHED

__all__ = ["CUT", "ESTIMATORS", "NAMES", "cut", "reproduce", "table_steps"]

NAMES = tuple(PUBLISHED["C-HMCNN(h)"])  # data sets that have published figures
ESTIMATORS = {
    kind.__name__: kind
    for kind in (
        HCALClassifier,
        HierarchicalVotingClassifier,
        HyperbolicHMC,
        MaxConstraintClassifier,
    )
}
# standard deviations; chosen on validation rows (benchmarks.tune preprocessing)
CUT = 2


def reproduce(
    name: str,
    estimator: str = "HCALClassifier",
    *,
    seed: int = 0,
    device: str = "cpu",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Fit an estimator to a Clus data set and score it as publications do.

    Parameters
    ----------
    name : str
        Name of the data set, as :func:`skhmc.datasets.fetch_clus` takes it; one of the
        eleven that have published figures.
    estimator : str, default="HCALClassifier"
        Name of the estimator, which has its default parameters: "HCALClassifier",
        "HierarchicalVotingClassifier" (the recommended blend), "HyperbolicHMC" or
        "MaxConstraintClassifier".
    seed : int, default=0
        The ``random_state`` of the estimator.
    device : str, default="cpu"
        Where networks are trained, such as "cpu" or "cuda".
    data_home : str or path-like, default=None
        Folder of the data, see :func:`skhmc.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download missing files.

    Returns
    -------
    Bunch
        With these attributes:

        score : float
            The AU(PRC) of the fit.
        published : dict of float
            The AU(PRC) of published methods, by name.
        seconds : float
            How long the fit took.
        model : Pipeline
            The fitted steps and the estimator.
        data : Bunch
            The data set, as ``fetch_clus`` returns it.
        versions : dict of str
            Versions of Python and of the packages that the figure depends on.

    Raises
    ------
    ValueError
        When ``name`` or ``estimator`` is not one of these.
    OSError
        When files are missing and cannot be downloaded; the message says what to do.

    Notes
    -----
    The estimator is fitted to the training and the validation rows. Missing values are
    replaced by the mean of the feature, features are standardised and cut at two
    standard deviations. AU(PRC), the micro-averaged area under the precision-recall
    curve, is that of the test rows over all labels but the roots of the Gene Ontology.

    ``python -m benchmarks.accuracy`` makes its fits in the same way, each in a process
    of one thread. Other numbers of threads, processors and versions of PyTorch add up
    numbers in another order, and the figure differs in its last digits.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> from skhmc.reproduce import reproduce
    >>> found = reproduce("enron")  # doctest: +SKIP
    >>> found.score, found.published["C-HMCNN(h)"]  # doctest: +SKIP
    (0.756..., 0.756)
    """
    for given, known in ((name, NAMES), (estimator, ESTIMATORS)):
        if given not in known:
            raise ValueError(f"Got {given!r}, expected one of {', '.join(known)}.")
    data: Bunch = fetch_clus(name, data_home, download_if_missing)
    Y = data.target.toarray().astype(np.int64)
    rows = np.concatenate([data.train, data.valid])
    model = make_pipeline(
        *table_steps(), _build(estimator, data.hierarchy, seed, device)
    )
    start = time.perf_counter()
    model.fit(data.data[rows], Y[rows])
    seconds = time.perf_counter() - start
    score = au_prc_score(
        Y[data.test],
        model.predict_proba(data.data[data.test]),
        hierarchy=data.hierarchy,
        exclude=np.array(data.label_names)[~data.eval_mask].tolist() or None,
    )
    return Bunch(
        score=float(score),
        published={method: figures[name] for method, figures in PUBLISHED.items()},
        seconds=seconds,
        model=model,
        data=data,
        versions=_versions(),
    )


def cut(at: float) -> FunctionTransformer:
    """Return the step that cuts standardised features at both ends."""
    return FunctionTransformer(np.clip, kw_args={"a_min": -at, "a_max": at})


def table_steps() -> list[BaseEstimator]:
    """Return the steps: means for missing values, one scale, no tails."""
    return [SimpleImputer(keep_empty_features=True), StandardScaler(), cut(CUT)]


def _build(
    estimator: str, hierarchy: Hierarchy, seed: int, device: str
) -> BaseEstimator:
    """Return an estimator with its default parameters, not fitted."""
    clf = ESTIMATORS[estimator](hierarchy=hierarchy, random_state=seed)
    return clf.set_params(device=device) if "device" in clf.get_params() else clf


def _versions() -> dict[str, str]:
    found = {module.__name__: module.__version__ for module in (np, sklearn, torch)}
    python = {"python": platform.python_version()}
    return python | found | {"skhmc": package_version()}
