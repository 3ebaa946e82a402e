"""verbose=1: plans, bars and times. Warnings of fits inside a fit: each kind once."""

import re
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    KernelHMC,
    MaxConstraintClassifier,
)
from skhmc._utils.warnings import each_kind_once, kept_warnings, kind_of, warn_user
from skhmc.audit import MissingAnnotationDetector

H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
rng = np.random.default_rng(0)
KINDS = rng.integers(0, 3, 40)
X = rng.normal(size=(40, 4)) + KINDS[:, None]
Y = np.column_stack([KINDS > 0, KINDS == 1, KINDS == 2]).astype(int)
BAYES = CoherentClassifier(GaussianNB(), H)


# -- networks --------------------------------------------------------------------------


def test_networks_say_what_they_train(capsys):
    small = {"hidden_layer_sizes": (8,), "random_state": 0}
    clf = MaxConstraintClassifier(
        H, max_iter=3, batch_size=16, n_estimators=2, verbose=1, **small
    ).fit(X, Y)
    shown = capsys.readouterr().err
    n_weights = sum(w.numel() for w in clf.net_.module_.parameters())
    assert (
        f"[MaxConstraintClassifier] Trains 2 networks of {n_weights:,} weights for 3 "
        f"labels on 40 samples, device cpu: 3 epochs of 3 steps, 9 in all. Takes at "
        f"least " in shown
    )
    memory = re.search("at least ([0-9.]+) (kB|MB) of memory beside X and y", shown)
    n_bytes = float(memory[1]) * {"kB": 1e3, "MB": 1e6}[memory[2]]
    assert n_bytes > 4 * 4 * n_weights  # with gradients, and two means of AdamW's
    first = shown.index("The first epoch took")
    assert re.match(r"The first .* s: the other 2 take less than 0.1 ", shown[first:])
    assert shown.index("Trains") < first < shown.index("3/3")


def test_one_epoch_leaves_nothing_to_expect(capsys):
    HCALClassifier(H, hidden_layer_sizes=(8,), max_iter=1, verbose=1).fit(X, Y)
    shown = capsys.readouterr().err
    assert "1 network of" in shown and "1 epoch of" in shown and "took" not in shown


# -- bars ------------------------------------------------------------------------------

AROUND = [
    (CoherentClassifier(GaussianNB(), H), ["labels: 100%.*3/3"]),
    (
        HierarchicalThresholdClassifier(BAYES, cv=2),
        ["folds: 100%.*2/2", "searches of thresholds: 100%.*4/4"],
    ),
    (
        HierarchicalThresholdClassifier(
            BAYES, cv=2, strategy="set", dependence="tuned"
        ),
        ["folds: 100%.*2/2", "values of dependence: 100%.*5/5"],
    ),
    (HierarchicalCalibratedClassifier(BAYES, cv=2), ["folds: 100%.*2/2"]),
    (
        HierarchicalVotingClassifier(
            [("a", BAYES), ("b", BAYES)], H, weights="cv", cv=2
        ),
        ["members: 100%.*2/2", "members without a fold: 100%.*2/2"],
    ),
]


@pytest.mark.parametrize(("estimator", "bars"), AROUND)
def test_estimators_around_others_show_bars_when_asked(estimator, bars, capsys):
    quiet = estimator.fit(X, Y).predict_proba(X)
    assert capsys.readouterr() == ("", "")
    loud = estimator.set_params(verbose=1).fit(X, Y).predict_proba(X)
    estimator.set_params(verbose=0)
    np.testing.assert_array_equal(loud, quiet)
    out, shown = capsys.readouterr()
    assert out == ""
    for bar in bars:
        assert re.search(f"{type(estimator).__name__}: {bar}", shown)


def test_the_detector_shows_a_bar_when_asked(capsys):
    detector = MissingAnnotationDetector(BAYES, cv=2).fit(X, Y)
    assert capsys.readouterr() == ("", "")
    loud = clone(detector).set_params(verbose=1).fit(X, Y)
    out, shown = capsys.readouterr()
    assert out == "" and re.search("MissingAnnotationDetector: folds: 100%.*2/2", shown)
    np.testing.assert_array_equal(loud.proba_, detector.proba_)


def test_classes_are_calibrated_with_a_bar(capsys):
    y = np.array(["mammal", "cat", "dog"])[KINDS]
    HierarchicalCalibratedClassifier(GaussianNB(), H, cv=2, verbose=1).fit(X, y)
    assert "folds: 100%" in capsys.readouterr().err
    frozen = FrozenEstimator(BAYES.fit(X, Y))
    HierarchicalCalibratedClassifier(frozen, verbose=1).fit(X, Y)
    assert capsys.readouterr().err == ""  # nothing is fitted


# -- warnings --------------------------------------------------------------------------

RARE = Y.copy()  # a dog in the first two samples, which the first of two folds tests
RARE[:, 2] = 0
RARE[:2] = [[1, 0, 1]] * 2
HALVES = KFold(2)
QUARTERS = KFold(4)


def caught(fit):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit()
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    "kind", [HierarchicalThresholdClassifier, HierarchicalCalibratedClassifier]
)
def test_folds_warn_once(kind, n_jobs):
    clf = kind(KernelHMC(H, gamma=0.1, ridge=0.1), cv=HALVES, n_jobs=n_jobs)
    with joblib.parallel_config("threading"):
        (said,) = caught(lambda: clf.fit(X, RARE))
    assert "no positive row ('dog')" in said
    assert said.endswith("(So or similarly in 1 of 2 folds of cv.)")


def test_what_all_samples_lack_is_not_said_again_by_folds():
    never = RARE * [1, 1, 0]
    clf = HierarchicalThresholdClassifier(
        KernelHMC(H, gamma=0.1, ridge=0.1), cv=QUARTERS
    )
    (said,) = caught(lambda: clf.fit(X, never))
    assert "no positive row ('dog')" in said and "folds" not in said


def test_members_warn_once():
    never = RARE * [1, 1, 0]
    members = [(name, KernelHMC(gamma=0.1, ridge=0.1)) for name in "abc"]
    clf = HierarchicalVotingClassifier(members, H, weights="cv", cv=QUARTERS)
    (said,) = caught(lambda: clf.fit(X, never))
    assert "no positive row ('dog')" in said


def test_every_fit_of_a_cross_validation_warns_once():
    clf = HierarchicalThresholdClassifier(
        KernelHMC(H, gamma=0.1, ridge=0.1), cv=QUARTERS
    )
    never = RARE * [1, 1, 0]
    found = caught(lambda: cross_val_score(clf, X, never, cv=HALVES))
    assert len(found) == 2


def test_warnings_that_are_errors_stop_the_fit():
    clf = HierarchicalThresholdClassifier(KernelHMC(H, gamma=0.1, ridge=0.1), cv=HALVES)
    with pytest.raises(UserWarning, match=r"no positive row \('dog'\)"):
        clf.fit(X, RARE)


def test_kinds_differ_in_more_than_names_and_numbers():
    text = "Of {} labels, {} with no positive row ({}): nothing is learnt."
    one = kind_of(text.format(22, 4, "'a', 'b' and 'c'"), UserWarning)
    assert one == kind_of(text.format("1,000", 1, "'x 1'"), UserWarning)
    assert one != kind_of(text.format(22, 4, "'a'"), FutureWarning)
    assert one != kind_of("Of 22 labels, 4 with no negative row.", UserWarning)


def test_kept_warnings_are_said_by_whoever_keeps_them():
    def say_twice():
        with each_kind_once():
            with kept_warnings() as kept:
                warn_user("3 of 'a'")
                warn_user("4 of 'b'")
            assert [message for message, _ in kept] == ["3 of 'a'", "4 of 'b'"]
            with each_kind_once():
                for one in kept:
                    warn_user(*one)
            warn_user("another one")

    assert caught(say_twice) == ["3 of 'a'", "another one"]
