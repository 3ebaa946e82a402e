"""Random fits of every classifier, in two ways that have to say the same.

The data are given once as plain arrays, and once in other containers. Both fits must
give the same probabilities: finite, in [0, 1], in the shape of the labels and coherent.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import BernoulliNB, GaussianNB

from benchmarks.soak_parts.calls import (
    FORMS_OF_HIERARCHIES,
    FORMS_OF_X,
    Call,
    draw_problem,
    form_of_Y,
    generator,
)
from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    HierarchicalVotingClassifier,
    HyperbolicHMC,
    KernelHMC,
    LabelTreeClassifier,
    MaxConstraintClassifier,
)

__all__ = ["CLASSIFIERS"]

P_OTHER = 0.35  # that a parameter is not its default
P_WRONG = 0.1  # that one parameter of a call is wrong
TOLERANCE = 0.01  # solvers stop before the end, and sparse sums round otherwise
OF_WEIGHTS = 0.1  # members that are nearly alike have nearly any weights
OF_SOLVER = 0.15  # see of_rounding
RULES = ["average", "max", "min", "product", "isotonic", None]
ANSWERS = {  # how a classifier answers
    "threshold": [None, 0.0, 0.3, 1.0],
    "proba_format": ["array", "list"],
}
NETWORK = {
    "hidden_layer_sizes": [(4,), (), (3, 3), 5],
    "linear_path": [False, "auto", True],
    "dropout": [0.0, "auto", 0.5],
    "class_weight": [None, "balanced"],
    "optimizer": ["adamw", "adam", "sgd"],
    "learning_rate_init": [0.01, 1e-6],
    "schedule": ["onecycle", "constant"],
    "batch_size": [8, None, 1, 5, 1000],
    "n_sampled_labels": ["auto", None, 2],
    "max_iter": [2, 1],
    "early_stopping": [False, True, "au_prc"],
    "precision": ["float64", "float32"],
    "random_state": [0, 7],
    "sparse_output": [False, True],
    **ANSWERS,
}
SEVERAL = {"n_estimators": [1, 2]}
LOSSES = ["bce", "mcloss", "asl", "zlpr"]
# A class, what it always has, and what else its parameters may be. The first value is
# the usual one here: networks are small.
GIVEN = {
    "HCALClassifier": (
        HCALClassifier,
        {
            **NETWORK,
            **SEVERAL,
            "embedding_dim": [4, 1],
            "temperature": [0.3, 0.01, 10.0],
            "normalize_features": ["auto", True, False],
            "linear_head": ["auto", True, False],
            "perturbation": [0.0, 0.01, 1.0],
            "aggregation": [0.0, 0.5, 1.0],
            "task_weighting": ["adaptive", "equal", "dwa"],
            "gamma": [0.5, 0.01],
            "label_loss": ["auto", "softmax", *LOSSES],
            "leaf_prediction": ["auto", "optional", "mandatory"],
            "coherence": ["auto", "path", *RULES],
        },
    ),
    "HyperbolicHMC": (
        HyperbolicHMC,
        {
            **NETWORK,
            "embedding_dim": [4, 1, 2],
            "mode": ["joint", "flat", "cascade"],
            "embedding_weight": [0.03, 0.0, 1.0],
            "geometry": ["hyperbolic", "euclidean"],
            "similarity": ["cosine", "count", "ppmi", "jaccard"],
            "ranking_sample": [(256, 20), (2, 1)],
            "temperature": [0.1, 1.0],
            "max_radius": [8.0, None, 1.0],
            "tangent_scores": [True, False],
            "structure": ["tree", "dag"],
            "parent_threshold": [0.8, 0.5, 1.0],
            "coherence": ["auto", "learned", *RULES],
        },
    ),
    "MaxConstraintClassifier": (
        MaxConstraintClassifier,
        {**NETWORK, **SEVERAL, "label_loss": LOSSES, "coherence": ["auto", *RULES]},
    ),
    "KernelHMC": (
        KernelHMC,
        {
            "kernel": ["rbf", "cosine", "linear"],
            "gamma": ["auto", 0.5],
            "ridge": ["auto", 0.1, 10.0],
            # fewer than rows are drawn in an order that sparse X has otherwise
            "n_components": ["auto", None, 1000],
            "coherence": RULES,
            "random_state": [0],
            **ANSWERS,
        },
    ),
    "LabelTreeClassifier": (
        LabelTreeClassifier,
        {
            "loss": ["squared_hinge", "log_loss"],
            "negatives": ["siblings", "all"],
            "C": ["auto", 1.0, 100.0],
            "slope": ["auto", 1.0],
            "normalize": [True, False],
            "max_children": [100, 2],
            "weight_threshold": [0.05, 0.0],
            "coherence": ["auto", "min", "product", None],
            "sparse_output": [False, True],
            "random_state": [0],
            **ANSWERS,
        },
    ),
    "CoherentClassifier": (
        CoherentClassifier,
        {
            "estimator": [
                LogisticRegression(),
                BernoulliNB(binarize=0.0),
                GaussianNB(),
            ],
            "coherence": RULES,
            "strategy": ["auto", "per_label"],
            "min_positives": [1, 3],
            **ANSWERS,
        },
    ),
    "HierarchicalThresholdClassifier": (
        HierarchicalThresholdClassifier,
        {
            "estimator": [
                CoherentClassifier(LogisticRegression()),
                KernelHMC(ridge=0.1),
            ],
            "strategy": ["global", "level", "label", "top_down", "set"],
            "metric": ["hierarchical_f1", "f1_macro", "f1_micro", "exact_match"],
            "cv": [KFold(2), KFold(3)],  # others look at the order of the labels
            "shrinkage": [10, 0],
            "max_labels": [None, 2],
            "proba_format": ["array", "list"],
        },
    ),
    "HierarchicalCalibratedClassifier": (
        HierarchicalCalibratedClassifier,
        {
            "estimator": [
                CoherentClassifier(LogisticRegression()),
                KernelHMC(ridge=0.1),
            ],
            "method": ["sigmoid", "temperature", "isotonic"],
            "per": ["auto", "label", "level", "all"],
            "cv": [KFold(2), KFold(3)],  # others look at the order of the labels
            "shrinkage": [10, 0],
            "coherence": RULES,
            "proba_format": ["array", "list"],
        },
    ),
    "HierarchicalVotingClassifier": (
        HierarchicalVotingClassifier,
        {
            "estimators": [
                [
                    ("linear", CoherentClassifier(LogisticRegression())),
                    ("kernel", KernelHMC(ridge=0.1)),
                ]
            ],
            "weights": ["auto", "cv", [1, 2], {"linear": 3, "kernel": 1}],
            "cv": [KFold(2), KFold(3)],  # others look at the order of the labels
            "average": ["proba", "logit"],
            "coherence": RULES,
            "random_state": [0],
            **ANSWERS,
        },
    ),
}
WRONG_VALUES = [-1, 1.5, "no such value", object(), np.nan, ()]
# Values that some parameters of the same kind take, so that they prove nothing.
HARMLESS = {"random_state", "class_weight", "ranking_sample", "hidden_layer_sizes"}


def parameters(choices, rng):
    """Return random parameters of a class."""
    return {
        name: rng.choice(values) if rng.random() < P_OTHER else values[0]
        for name, values in choices.items()
    }


def spoil(options, choices, rng):
    """Put a value that nobody offers in the place of a parameter; return its name."""
    names = sorted(
        name
        for name, values in choices.items()
        if name not in HARMLESS and all(isinstance(v, str | None) for v in values)
    )
    name = rng.choice(names)
    options[name] = rng.choice(WRONG_VALUES)
    return name


def of_rounding(options):
    """Return what label trees may differ by when lengths are rounded to float32.

    The solver of few rows and a large C stops far from its limit, so that the last bit
    of X can cost or gain a round, or another node of a tree that is learnt.
    """
    return OF_SOLVER if options["C"] == 100 or options["max_children"] == 2 else 0


def call_of(name):
    """Return what draws a call of a classifier."""
    kind, choices = GIVEN[name]

    def drawn(rng):
        problem = draw_problem(rng)
        options = parameters(choices, rng)
        wrong = spoil(options, choices, rng) if rng.random() < P_WRONG else None
        x_form = rng.choice(list(FORMS_OF_X))
        # rows are held out by labels, and nodes are learnt, in the order of the labels
        is_ordered = options.get("early_stopping") or options.get("max_children") == 2
        y_form, Y = form_of_Y(problem, rng, shuffled=not is_ordered)
        # the order of the labels is known of a Hierarchy only, beside plain arrays
        is_named = y_form in ("names", "shuffled frame")
        h_form = rng.choice(list(FORMS_OF_HIERARCHIES)) if is_named else "hierarchy"
        if is_ordered and h_form == "parents":  # which has an order of its own
            h_form = "hierarchy"
        weights = None
        if rng.random() < 0.25:
            weights = generator(rng).integers(1, 4, len(problem.X)).astype(float)

        def fit(X, Y, hierarchy):
            clf = clone(kind(hierarchy=hierarchy, **options))
            if "estimator__hierarchy" in clf.get_params():  # it says what is coherent
                clf.set_params(estimator__hierarchy=hierarchy)
            return clf.fit(
                X, Y, **({} if weights is None else {"sample_weight": weights})
            )

        def answer():
            plain = fit(problem.X, problem.Y, problem.hierarchy)
            form = FORMS_OF_X[x_form]
            hierarchy = FORMS_OF_HIERARCHIES[h_form](problem)
            other = fit(form(problem.X, rng), Y, hierarchy)
            return (
                answers(plain, problem.X),
                answers(other, form(problem.X, rng)),
                answers(plain, problem.X[:1]),
            )

        usual = {key: values[0] for key, values in choices.items()}
        shown = {key: v for key, v in options.items() if v is not usual[key]}
        said = f"{name}({shown}), X {x_form}, Y {y_form}, hierarchy {h_form}, "
        said += f"{len(problem.X)} rows, edges {problem.drawn.edges}, "
        said += f"weights {weights is not None}, unknown {np.isnan(problem.Y).any()}"
        # "learned" is coherent with the hierarchy that is learnt
        rule = options.get("coherence", "some rule")
        closed = rule is not None and rule != "learned"
        tolerance = OF_WEIGHTS if options.get("weights") == "cv" else TOLERANCE
        if kind is LabelTreeClassifier and x_form in ("float16", "float32"):
            tolerance = max(tolerance, of_rounding(options))
        return Call(
            answer,
            lambda found: fault(found, problem, closed, tolerance),
            said,
            must_fail=wrong is not None,
        )

    return drawn


class Answers(NamedTuple):
    """What a fitted classifier says, as dense arrays in the order of its labels."""

    names: list
    proba: np.ndarray
    predicted: np.ndarray


def answers(clf, X):
    """Return what a classifier says of rows."""
    proba = clf.predict_proba(X)
    if isinstance(proba, list):
        proba = np.column_stack([columns[:, -1] for columns in proba])
    predicted = clf.predict(X)
    if sp.issparse(predicted):
        predicted = predicted.toarray()
    predicted = np.asarray(predicted)
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    return Answers(list(clf.label_names_), proba, predicted)


def fault(found, problem, closed, tolerance):
    """Say what is wrong with the answers of two fits, and of one row."""
    plain, other, single = found
    for said in (plain, other):
        wrong = shape_fault(said, problem) or value_fault(said)
        if not wrong and closed:
            wrong = coherence_fault(said, problem.drawn.parents)
        if wrong:
            return wrong
    order = [other.names.index(label) for label in plain.names]
    apart = np.abs(other.proba[:, order] - plain.proba).max()
    if apart > tolerance:
        return f"two containers, probabilities {apart:.2g} apart"
    if np.abs(single.proba - plain.proba[:1]).max() > 1e-4:
        return "a row alone has other probabilities"
    return ""


def shape_fault(said, problem):
    """Say whether labels or shapes are not those of the data."""
    if sorted(map(repr, said.names)) != sorted(map(repr, problem.labels)):
        return f"labels are {said.names}"
    shapes = said.proba.shape, said.predicted.shape
    right = problem.Y.shape
    return "" if shapes == (right, right) else f"shapes {shapes}, not {right}"


def value_fault(said):
    """Say whether there is anything but probabilities, 0 and 1."""
    if not np.isfinite(said.proba).all():
        return "probabilities are not finite"
    if said.proba.min() < 0 or said.proba.max() > 1:
        return "probabilities leave [0, 1]"
    return (
        "" if np.isin(said.predicted, (0, 1)).all() else "predictions are not 0 and 1"
    )


def coherence_fault(said, parents):
    """Say which label is above its parent."""
    place = {label: k for k, label in enumerate(said.names)}
    for child, above in parents.items():
        for parent in above:
            for scores in (said.proba, said.predicted):
                if (scores[:, place[child]] > scores[:, place[parent]]).any():
                    return f"{child!r} is above its parent {parent!r}"
    return ""


CLASSIFIERS = {name: call_of(name) for name in GIVEN}
