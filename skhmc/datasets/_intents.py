"""Questions and commands to a voice assistant, each with its intent."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy

__all__ = ["load_intents"]

FILE = Path(__file__).parent / "data" / "intents.csv.gz"
DESCR = """\
Questions and commands to a voice assistant
-------------------------------------------

9000 short texts in English. Each has one of 150 intents, such as "banking > balance",
and the domain above it, one of 10. All intents are equally frequent: 40 training texts
and 20 test texts each.

{attribution}"""


def load_intents(*, return_X_y: bool = False) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load texts with 150 intents in 10 domains, a part of CLINC150.

    The file is included, so that nothing is downloaded. Its licence is CC BY 3.0:
    whoever passes the texts on names the authors, who are in ``DESCR``.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` only.

    Returns
    -------
    Bunch or tuple (data, target)
        data : ndarray of shape (9000,), object
            The texts, as str.
        target : ndarray of shape (9000, 160), int
            Indicators of the intent and of the domain of each text.
        intents : ndarray of shape (9000,), object
            The intent of each text, as str; another form of ``target``, for a 1-D y.
        hierarchy : Hierarchy
            Tree of domains and intents, whose labels are the columns of ``target``.
        label_names, target_names : list of str
            Names of the labels: ``"banking"``, ``"banking > balance"`` and so on.
        train, test : ndarray of int
            Row positions of the published split: 6000 and 3000 texts.
        eval_mask : ndarray of shape (160,), bool
            All True: no label is left out of scores.
        filename : str
            The file with the columns text, intent and part. It begins with comments,
            so read it by ``pandas.read_csv(filename, comment="#")``.
        DESCR : str
            A description, with authors, source, licence, and what was changed.

    References
    ----------
    Larson, Mahendran, Peper, Clarke, Lee, Hill, Kummerfeld, Leach, Laurenzano, Tang and
    Mars, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction",
    EMNLP-IJCNLP 2019.

    Examples
    --------
    >>> from skhmc.datasets import load_intents
    >>> intents = load_intents()
    >>> intents.hierarchy
    Hierarchy(160 labels, 150 edges, tree of depth 1)
    >>> intents.data[650], intents.intents[650]
    ("what's the amount of money accumulated in my bank accounts", 'banking > balance')
    >>> intents.hierarchy.children_of("banking")[:2]
    ['banking > account blocked', 'banking > balance']
    """
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        lines = file.read().splitlines()
    attribution = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(lines[len(attribution) :]))
    data = np.array([row["text"] for row in rows], dtype=object)
    intents = np.array([row["intent"] for row in rows], dtype=object)
    hierarchy = Hierarchy.from_paths(sorted(set(intents)), sep=" > ")
    target = np.zeros((len(rows), hierarchy.n_labels), dtype=int)
    target[np.arange(len(rows)), [hierarchy.position(name) for name in intents]] = 1
    target = close_upward(target, hierarchy)
    if return_X_y:
        return data, target
    in_train = np.array([row["part"] == "train" for row in rows])
    return Bunch(
        data=data,
        target=target,
        intents=intents,
        hierarchy=hierarchy,
        label_names=list(hierarchy.labels),
        target_names=list(hierarchy.labels),
        train=np.flatnonzero(in_train),
        test=np.flatnonzero(~in_train),
        eval_mask=np.ones(hierarchy.n_labels, dtype=bool),
        filename=str(FILE),
        DESCR=DESCR.format(
            attribution="\n".join(line.removeprefix("# ") for line in attribution)
        ),
    )
