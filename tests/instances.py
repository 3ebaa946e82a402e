"""Fast instances of every estimator: a new one joins the tests by a row per table."""

from sklearn.model_selection import KFold
from sklearn.naive_bayes import BernoulliNB
from sklearn.tree import DecisionTreeClassifier

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

# No randomness in training and one batch: weights and repeated rows are equivalent.
DETERMINISTIC = [
    HCALClassifier(
        hidden_layer_sizes=(16,),
        embedding_dim=8,
        dropout=0.0,
        perturbation=0.0,
        batch_size=None,
        precision="float64",
        learning_rate_init=0.01,
        max_iter=60,
        random_state=0,
    ),
    HyperbolicHMC(
        hidden_layer_sizes=(16,),
        embedding_dim=8,
        dropout=0.0,
        batch_size=None,
        precision="float64",
        learning_rate_init=0.01,
        max_iter=60,
        random_state=0,
    ),
    MaxConstraintClassifier(
        hidden_layer_sizes=(16,),
        dropout=0.0,
        batch_size=None,
        precision="float64",
        learning_rate_init=0.01,
        max_iter=60,
        random_state=0,
    ),
]
# As users have them, only smaller.
DEFAULT = [
    HCALClassifier(hidden_layer_sizes=(64,), batch_size=16, max_iter=40),
    HyperbolicHMC(
        hidden_layer_sizes=(64,), batch_size=16, max_iter=40, learning_rate_init=0.01
    ),
    MaxConstraintClassifier(
        hidden_layer_sizes=(64,), batch_size=16, max_iter=40, learning_rate_init=0.01
    ),
]
# (id, instance): tiny, with all randomness of the defaults. For the contract tests,
# where it does not matter how good predictions are.
FAST = [
    (
        "hcal",
        HCALClassifier(
            hidden_layer_sizes=(8,),
            embedding_dim=4,
            learning_rate_init=0.01,
            batch_size=16,
            max_iter=3,
            random_state=0,
        ),
    ),
    (
        "hyperbolic",
        HyperbolicHMC(
            hidden_layer_sizes=(8,),
            embedding_dim=4,
            learning_rate_init=0.01,
            batch_size=16,
            max_iter=3,
            random_state=0,
        ),
    ),
    (
        "max_constraint",
        MaxConstraintClassifier(
            hidden_layer_sizes=(8,),
            learning_rate_init=0.01,
            batch_size=16,
            max_iter=3,
            random_state=0,
        ),
    ),
]
# (id, instance): estimators around another. They join the contract tests of what is
# handed over and what comes back, not those of training.
AROUND = [
    (
        "calibrated",
        HierarchicalCalibratedClassifier(
            CoherentClassifier(
                DecisionTreeClassifier(max_depth=3, random_state=0),
                strategy="per_label",
            ),
            cv=KFold(2),
        ),
    ),
    (
        "threshold",
        HierarchicalThresholdClassifier(
            CoherentClassifier(
                DecisionTreeClassifier(max_depth=3, random_state=0),
                strategy="per_label",
            ),
            cv=KFold(2),
        ),
    ),
    (
        "voting",
        HierarchicalVotingClassifier(
            [
                # one tree per label: of several splits that are equally good for all
                # labels, scikit-learn's tree of several takes one by their order
                (
                    "trees",
                    CoherentClassifier(
                        DecisionTreeClassifier(max_depth=3, random_state=0),
                        strategy="per_label",
                    ),
                ),
                ("bayes", BernoulliNB()),
            ]
        ),
    ),
]
# (id, instance): estimators that are no networks and have none inside. They join the
# contract tests of those around others, the tests of weights and the common checks.
KERNELS = [("kernel", KernelHMC(gamma=0.1, ridge=0.01))]
# (id, instance): as these. Nothing is held out, and solvers go on until they are exact.
LABEL_TREES = [
    (
        "label_tree",
        LabelTreeClassifier(
            C=1.0,
            slope=2.0,
            weight_threshold=0.0,
            tol=1e-9,
            max_iter=100_000,
            random_state=0,
        ),
    )
]
