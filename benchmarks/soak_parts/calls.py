"""One random call: what it answers, and whether that is right or a clear error.

Also the data of such calls: a hierarchy, X and Y, and the containers that users keep
them in.
"""

import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn

import skhmc
from benchmarks.soak_parts.drawn import Drawn, draw, draw_labels
from benchmarks.soak_parts.outcome import REFUSED, RIGHT, WRONG
from skhmc import Hierarchy

__all__ = [
    "FORMS_OF_X",
    "FORMS_OF_HIERARCHIES",
    "Call",
    "Problem",
    "come_of",
    "draw_problem",
    "form_of_Y",
    "generator",
]

OURS = tuple(str(Path(package.__file__).parent) for package in (skhmc, sklearn))
SHORTEST = 20  # characters of a message that can say what was got and expected


class Call(NamedTuple):
    """A call, and how its answer is judged.

    ``fault`` is called with what ``answer`` returns, and says what is wrong, or "".
    A call that ``must_fail`` has something wrong in it: its right answer is an error.
    """

    answer: Callable
    fault: Callable
    shown: str
    must_fail: bool = False


def come_of(call):
    """Return what comes of a call, and a text that says what was wrong or ""."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = call.answer()
        except (ValueError, TypeError) as error:
            if is_clear(error):
                return REFUSED, str(error)
            return WRONG, f"{call.shown}: an unclear error\n{_told(error)}"
        except Exception as error:  # no message of ours
            return WRONG, f"{call.shown}: no error for users\n{_told(error)}"
    if call.must_fail:
        return WRONG, f"{call.shown}: no error"
    fault = call.fault(found)
    return (WRONG, f"{call.shown}: {fault}") if fault else (RIGHT, "")


def is_clear(error):
    """Tell whether an error was raised on purpose, by us or by scikit-learn."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename.startswith(OURS) and len(str(error)) >= SHORTEST


def _told(error):
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"


def generator(rng):
    """Return a generator of numpy that continues one of the standard library."""
    return np.random.default_rng(rng.getrandbits(32))


# -- data ------------------------------------------------------------------------------


class Problem(NamedTuple):
    """What a classifier is given: names of labels in order, X, and Y as floats."""

    drawn: Drawn
    hierarchy: Hierarchy
    X: np.ndarray
    Y: np.ndarray

    @property
    def labels(self):
        return self.hierarchy.labels


def draw_problem(rng, n_rows=None, tree=False, p_unknown=0.2, max_labels=7):
    """Return random data; in one of ``1 / p_unknown`` cases some labels are NaN.

    Values of X are eighths, so that float32 holds them, and some are 0.
    """
    drawn = draw(rng, max_labels, tree=tree, kind=rng.choice(["words", "numbers"]))
    hierarchy = Hierarchy.from_edges(drawn.edges, labels=drawn.labels)
    n_rows = n_rows or rng.randint(12, 24)
    numbers = generator(rng)
    X = numbers.integers(-16, 17, (n_rows, 3)) / 8
    X[numbers.random(X.shape) < 0.2] = 0
    place = {label: k for k, label in enumerate(drawn.labels)}
    Y = np.zeros((n_rows, len(drawn.labels)))
    for row, labels in enumerate(draw_labels(rng, drawn, n_rows)):
        Y[row, [place[label] for label in labels]] = 1
    if rng.random() < p_unknown:
        Y[numbers.random(Y.shape) < 0.15] = np.nan
        Y[0] = np.nan_to_num(Y[0])
    return Problem(drawn, hierarchy, X, Y)


def _frame_of_X(X, rng):
    return pd.DataFrame(X, columns=["length", "width", "mass"])


def _read_only(X, rng):
    X = X.copy()
    X.flags.writeable = False
    return X


FORMS_OF_X = {
    "array": lambda X, rng: X,
    "float32": lambda X, rng: X.astype(np.float32),
    "float16": lambda X, rng: X.astype(np.float16),
    "Fortran": lambda X, rng: np.asfortranarray(X),
    "every other row": lambda X, rng: np.repeat(X, 2, axis=0)[::2],
    "read-only": _read_only,
    "lists": lambda X, rng: X.tolist(),
    "frame": _frame_of_X,
    "csr_matrix": lambda X, rng: sp.csr_matrix(X),
    "csr_array": lambda X, rng: sp.csr_array(X),
    "csc_matrix": lambda X, rng: sp.csc_matrix(X),
    "coo_array": lambda X, rng: sp.coo_array(X),
}


def _shuffled_frame(problem, rng):
    order = rng.sample(range(len(problem.labels)), len(problem.labels))
    frame = pd.DataFrame(problem.Y)
    frame.columns = list(problem.labels)
    return frame.iloc[:, order]


def _names(problem, rng):
    return [
        [label for label, value in zip(problem.labels, row, strict=True) if value == 1]
        for row in problem.Y
    ]


def _lists(problem, rng):
    return problem.Y.tolist()


FORMS_OF_Y = {  # of a Problem; those below hold no NaN
    "array": lambda problem, rng: problem.Y,
    "float32": lambda problem, rng: problem.Y.astype(np.float32),
    "lists": _lists,
    "shuffled frame": _shuffled_frame,
    "objects": lambda problem, rng: problem.Y.astype(object),
}
KNOWN_FORMS_OF_Y = {
    "integers": lambda problem, rng: problem.Y.astype(np.int8),
    "booleans": lambda problem, rng: problem.Y.astype(bool),
    "csr_matrix": lambda problem, rng: sp.csr_matrix(problem.Y),
    "csc_array": lambda problem, rng: sp.csc_array(problem.Y.astype(np.int64)),
    "names": _names,
}


def form_of_Y(problem, rng, shuffled=True):
    """Return the name of a container of Y, and Y in it; columns may be shuffled."""
    forms = FORMS_OF_Y if np.isnan(problem.Y).any() else FORMS_OF_Y | KNOWN_FORMS_OF_Y
    left_out = set() if shuffled else {"shuffled frame"}
    if isinstance(problem.labels[0], int):
        left_out.add("names")  # rows of equal length would look like an array
    names = [name for name in forms if name not in left_out]
    name = rng.choice(names)
    return name, forms[name](problem, rng)


FORMS_OF_HIERARCHIES = {  # that keep the order of the labels
    "hierarchy": lambda problem: problem.hierarchy,
    "parents": lambda problem: problem.drawn.parents,
    "graph": lambda problem: _graph(problem.drawn),
}


def _graph(drawn):
    graph = nx.DiGraph()
    graph.add_nodes_from(drawn.labels)
    graph.add_edges_from(drawn.edges)
    return graph
