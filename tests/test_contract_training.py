"""What every estimator does with class weights, a warm start and data in parts."""

import pickle
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.metrics import au_prc_score
from tests.contract import (
    NETWORKS,
    assert_same,
    build,
    every_deterministic,
    every_estimator,
)
from tests.contract import task as make

KINDS = pytest.mark.parametrize("kind", ["many", "paths"])
# enough for small data, without the noise that only helps large networks
ABLE = {
    "hidden_layer_sizes": (32,),
    "embedding_dim": 16,
    "dropout": 0.0,
}


def able(estimator):
    """Return those of these options that an estimator has."""
    names = estimator.get_params(deep=False)
    return {name: value for name, value in ABLE.items() if name in names}


STILL = {"learning_rate_init": 1e-30, "schedule": "constant"}
STILL |= {"optimizer__weight_decay": 0.0}


def clone_fitted(clf):
    return pickle.loads(pickle.dumps(clf))


def proba(clf, X):
    return clf.predict_proba(X)


def parts_of(n_samples, n_parts=3):
    return np.array_split(np.arange(n_samples), n_parts)


# -- class_weight ----------------------------------------------------------------------


@KINDS
@every_deterministic
def test_weights_of_one_are_no_weights(estimator, kind):
    hierarchy, X, Y = make(kind)
    plain = build(estimator, hierarchy, max_iter=3).fit(X, Y)
    ones = dict.fromkeys(hierarchy.labels, 1.0)
    clf = build(estimator, hierarchy, max_iter=3, class_weight=ones).fit(X, Y)
    np.testing.assert_allclose(proba(clf, X), proba(plain, X), rtol=1e-9)


@KINDS
@every_deterministic
def test_a_dict_by_label_name_raises_the_recall_of_the_label(estimator, kind):
    hierarchy, X, Y = make(kind)
    label = hierarchy.labels[hierarchy.leaves[0]]
    column = hierarchy.position(label)
    told = [
        proba(build(estimator, hierarchy, max_iter=20, class_weight=w).fit(X, Y), X)
        for w in ({label: 0.05}, None, {label: 20})
    ]
    low, middle, high = (p[Y[:, column] == 1, column].mean() for p in told)
    assert low + 0.05 < middle < high


@KINDS
@every_deterministic
def test_balanced_raises_rare_labels_up_to_the_cap(estimator, kind):
    hierarchy, X, Y = make(kind)
    rare = Y.mean(axis=0).argmin()
    means = []
    for cap in (1, 2, 1e9):
        options = {"class_weight": ("balanced", cap), "max_iter": 10}
        clf = build(estimator, hierarchy, **options).fit(X, Y)
        means.append(proba(clf, X)[:, rare].mean())
    plain = build(estimator, hierarchy, max_iter=10).fit(X, Y)
    assert means[0] == pytest.approx(proba(plain, X)[:, rare].mean(), rel=1e-9)
    assert means[0] < means[1] < means[2]


@every_deterministic
def test_class_weights_are_for_the_classes_of_a_1d_y(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 2)), np.repeat(["x", "y", "z"], 30)
    options = {"class_weight": {"y": 50.0}, "max_iter": 20}
    clf = build(estimator, None, **options).fit(X, y)
    assert (clf.predict(X) == "y").mean() > 0.8
    plain = build(estimator, None, max_iter=20).fit(X, y)
    assert (plain.predict(X) == "y").mean() < 0.6


@pytest.mark.filterwarnings("ignore:The names of the labels look like paths")
@pytest.mark.parametrize("source", ["flat", "tree"])
@every_deterministic
def test_a_class_weight_of_a_1d_y_is_a_sample_weight(estimator, source):
    hierarchy, X, Y = make("paths")
    y = np.array(hierarchy.labels)[np.where(Y, hierarchy.depth + 1, 0).argmax(axis=1)]
    hierarchy = hierarchy if source == "tree" else None
    build_one = partial(build, estimator, hierarchy, max_iter=5)
    sizes = {x: (y == x).sum() for x in np.unique(y)}
    for class_weight, weight in (
        ({"a/1": 5.0, "b": 0.5}, np.where(y == "a/1", 5.0, np.where(y == "b", 0.5, 1))),
        (("balanced", 1e9), np.array([1 / sizes[x] for x in y])),
    ):
        weighted = build_one(class_weight=class_weight).fit(X, y)
        expected = build_one().fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(proba(weighted, X), proba(expected, X), rtol=1e-7)
    both = build_one(class_weight={"a/1": 5.0}).fit(X, y, sample_weight=1 + (y == "c"))
    weight = np.where(y == "a/1", 5.0, 1 + (y == "c"))
    expected = build_one().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(proba(both, X), proba(expected, X), rtol=1e-7)


@every_deterministic
def test_class_weights_of_a_1d_y_in_parts_and_after_a_fit_without(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.repeat(["x", "y"], [45, 15])
    clf = build(estimator, None, max_iter=2).fit(X, y)
    clf.set_params(class_weight="balanced").partial_fit(X, y)
    assert clf.n_iter_ == 3
    losses = []
    for weight in (1.0, 10.0):  # a part of one class alone keeps its weight
        clf = build(estimator, None, class_weight={"y": weight})
        for part in (y == "x", y == "y"):
            clf.partial_fit(X[part], y[part], classes=["x", "y"])
        losses.append(clf.history_[1]["train_loss"])
    assert losses[1] > 1.5 * losses[0]


@pytest.mark.parametrize(
    "class_weight, error, message",
    [
        ({"unicorn": 2}, ValueError, "class_weight names labels .* 'unicorn'.*'cat'"),
        ({"cat": -1}, InvalidParameterError, "at least 0, got -1 for label 'cat'"),
        ({"cat": np.nan}, InvalidParameterError, "finite .* got nan for label 'cat'"),
        ("fair", InvalidParameterError, "'class_weight' parameter .*'balanced'"),
        ([1, 2], InvalidParameterError, "'class_weight' parameter"),
    ],
)
@every_estimator
def test_wrong_class_weights(estimator, class_weight, error, message):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, class_weight=class_weight)
    with pytest.raises(error, match=message):
        clf.fit(X, pd.DataFrame(Y, columns=hierarchy.labels))


@every_estimator
def test_a_cap_is_a_number_of_at_least_one_beside_balanced(estimator):
    hierarchy, X, Y = make("many")
    message = "'class_weight' parameter must be .* a cap of at least 1, got "
    for wrong in (
        ("balanced", 0.5),
        ("balanced", np.nan),
        ("balanced", np.inf),
        ("balanced", "2"),
        ("balanced",),
        ("fair", 2.0),
        (),
    ):
        clf = build(estimator, hierarchy, class_weight=wrong)
        with pytest.raises(
            InvalidParameterError, match=message + re.escape(f"{wrong}")
        ):
            clf.fit(X, Y)


@every_estimator
def test_the_cap_is_three_unless_it_is_given(estimator):
    hierarchy, X, Y = make("many")
    found = [
        proba(build(estimator, hierarchy, class_weight=given).fit(X, Y), X)
        for given in ("balanced", ("balanced", 3), ["balanced", np.float32(3)])
    ]
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])


# -- warm_start ------------------------------------------------------------------------


@KINDS
@every_estimator
def test_a_warm_start_goes_on_from_the_former_weights(estimator, kind):
    hierarchy, X, Y = make(kind)
    clf = build(estimator, hierarchy, warm_start=True, max_iter=10).fit(X, Y)
    before, cold = proba(clf, X), clf.history_
    clf.set_params(**STILL).fit(X, Y)
    np.testing.assert_allclose(proba(clf, X), before, rtol=1e-6)
    clf.set_params(**estimator.get_params()).set_params(hierarchy=hierarchy)
    clf.set_params(warm_start=True, optimizer__weight_decay=0.01).fit(X, Y)
    assert clf.history_[0]["train_loss"] < cold[0]["train_loss"]
    assert np.abs(proba(clf, X) - before).max() > 1e-3
    cold_again = clf.set_params(warm_start=False, max_iter=10).fit(X, Y)
    assert_same(proba(cold_again, X), before)


@KINDS
@every_estimator
def test_a_warm_start_may_have_its_columns_in_another_order(estimator, kind):
    hierarchy, X, Y = make(kind)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    clf = build(estimator, hierarchy, warm_start=True).fit(X, frame)
    before = pd.DataFrame(proba(clf, X), columns=clf.label_names_)
    order = frame.columns[::-1]
    clf.set_params(**STILL).fit(X, frame[order])
    assert clf.label_names_.tolist() == order.tolist()
    np.testing.assert_allclose(proba(clf, X), before[order], rtol=1e-6)


@every_estimator
def test_a_warm_start_forgets_no_label_and_learns_new_ones(estimator):
    hierarchy, X, Y = make("many")
    column = hierarchy.position("cow")
    without = Y[:, column] == 0
    options = {**able(estimator), "warm_start": True, "max_iter": 20}
    clf = build(estimator, hierarchy, **options).fit(X, Y)
    before = proba(clf, X)
    with pytest.warns(UserWarning, match="1 with no positive row .'cow'"):
        other = clone(clf).fit(X[without], Y[without])
    clf.set_params(**STILL).fit(X[without], Y[without])  # and no warning
    np.testing.assert_allclose(proba(clf, X), before, rtol=1e-6)
    assert np.ptp(other.raw_decision_function(X)[:, column]) == 0
    other.fit(X, Y)
    assert au_prc_score(Y[:, [column]], proba(other, X)[:, [column]]) > 0.8


@every_estimator
def test_a_warm_start_with_something_else_is_an_error_and_changes_nothing(estimator):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, warm_start=True).fit(X, Y)
    before, parameters = proba(clf, X), clf.get_params()
    turned = pd.DataFrame(Y, columns=hierarchy.labels).iloc[:, ::-1]
    chain = Hierarchy.from_edges([("cat", "cow")], labels=hierarchy.labels)
    cases = [
        ({}, X[:, :3], Y, "X has 3 features, but .* is expecting 5"),
        ({"hierarchy": None}, X, Y[:, :3], "only the former has 'mammal'"),
        ({"hierarchy": chain}, X, np.ones_like(Y), "goes on with the .*hierarchy"),
        ({"hierarchy": None}, X, Y[:, 0], "goes on with the labels"),
        ({"hierarchy": None}, X, X[:, 0] > 0, "classes were None, and are .False"),
        ({"hidden_layer_sizes": (9,)}, X, turned, r"was \(.*Leave the parameters"),
        ({"hidden_layer_sizes": (9,)}, X, Y, r"was \(.*Leave the parameters"),
        ({"learning_rate_init": 1e30}, X * 1e30, Y, "training loss became|infinity"),
    ]
    for options, X_new, Y_new, message in cases:
        clf.set_params(**options)
        with pytest.raises((ValueError, FloatingPointError), match=message):
            clf.fit(X_new, Y_new)
        clf.set_params(**parameters)
        assert_same(proba(clf, X), before)
        assert clf.label_names_.tolist() == list(hierarchy.labels)


# -- partial_fit -----------------------------------------------------------------------


@every_deterministic
def test_partial_fit_of_everything_is_an_epoch_of_fit(estimator):
    hierarchy, X, Y = make("many")
    options = {"schedule": "constant", "max_iter": 7}
    whole = build(estimator, hierarchy, **options).fit(X, Y)
    clf = build(estimator, hierarchy)
    for k in range(1, 8):
        assert clf.partial_fit(X, Y) is clf
        assert clf.n_iter_ == k == len(clf.history_)
    np.testing.assert_allclose(proba(clf, X), proba(whole, X), rtol=1e-7)
    losses = [[epoch["train_loss"] for epoch in c.history_] for c in (clf, whole)]
    np.testing.assert_allclose(*losses, rtol=1e-7)


@pytest.mark.parametrize(
    "estimator, kind",
    [
        pytest.param(*param.values, kind, id=f"{param.id}-{kind}")
        for param in NETWORKS
        for kind in ("array", "csr", "frame", "names", "1d")
        if param is NETWORKS[0] or kind in ("frame", "1d")
    ],
)
def test_partial_fit_learns_from_parts_in_every_form_of_y(estimator, kind):
    hierarchy, X, Y = make("paths" if kind == "1d" else "many", n_samples=120)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    names = [[x for x in hierarchy.labels if row[x]] for _, row in frame.iterrows()]
    deepest = np.where(Y, hierarchy.depth + 1, 0).argmax(axis=1)
    y = {"csr": sp.csr_array(Y), "frame": frame, "names": names, "array": Y}
    y["1d"] = np.array(hierarchy.labels)[deepest]
    given = y[kind] if kind != "names" else np.array(names, object)
    clf = build(estimator, hierarchy, **able(estimator))
    for _ in range(12):
        for rows in parts_of(len(X)):
            part = given.iloc[rows] if kind == "frame" else given[rows]
            clf.partial_fit(X[rows], part.tolist() if kind == "names" else part)
    if kind == "1d":
        assert (clf.predict(X) == y["1d"]).mean() > 0.6
        assert clf.classes_.tolist() == sorted(hierarchy.labels)
    else:
        assert au_prc_score(Y, proba(clf, X), hierarchy=hierarchy) > 0.85


@every_estimator
def test_later_parts_may_bring_new_labels_and_other_orders_of_columns(estimator):
    hierarchy, X, Y = make("many", n_samples=120)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    first = np.flatnonzero(frame["parrot"] == 0)[:20]
    clf = build(estimator, hierarchy, **able(estimator))
    clf.partial_fit(X[first], frame.iloc[first])
    same = clone(clf).partial_fit(X[first], frame.iloc[first])
    column = hierarchy.position("parrot")
    assert np.ptp(clf.raw_decision_function(X)[:, column]) == 0  # its prior
    for _ in range(20):
        clf.partial_fit(X, frame[frame.columns[::-1]])
        same.partial_fit(X, frame)
    assert clf.label_names_.tolist() == list(hierarchy.labels)
    assert_same(proba(clf, X), proba(same, X))
    assert au_prc_score(Y[:, [column]], proba(clf, X)[:, [column]]) > 0.8


@every_estimator
def test_weights_per_label_follow_the_columns_in_later_parts(estimator):
    hierarchy, X, Y = make("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    weight = pd.DataFrame(
        np.random.default_rng(0).random(Y.shape), columns=frame.columns
    )
    turned = frame.columns[::-1]
    one, other = build(estimator, hierarchy), build(estimator, hierarchy)
    for columns in (frame.columns, turned):
        one.partial_fit(X, frame, sample_weight=weight)
        other.partial_fit(X, frame[columns], sample_weight=weight[columns].to_numpy())
    assert_same(proba(one, X), proba(other, X))


@KINDS
@every_estimator
def test_a_pickle_between_two_parts_changes_nothing(estimator, kind):
    hierarchy, X, Y = make(kind)
    straight, stored = build(estimator, hierarchy), build(estimator, hierarchy)
    for rows in parts_of(len(X), 4):
        straight.partial_fit(X[rows], Y[rows])
        stored = pickle.loads(pickle.dumps(stored.partial_fit(X[rows], Y[rows])))
    assert_same(proba(straight, X), proba(stored, X))


def goes_on_in_float32(clf, X, Y):
    """Tell what another precision, but for rounding, must not change."""
    clf.set_params(precision="float64").partial_fit(X, Y).partial_fit(X, Y)
    other = pickle.loads(pickle.dumps(clf)).set_params(precision="float32")
    clf.partial_fit(X, Y), other.partial_fit(X, Y)
    np.testing.assert_allclose(proba(other, X), proba(clf, X), atol=1e-4)
    assert not np.array_equal(proba(other, X), proba(clf, X))
    return other.net_.optimizer_.state


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@every_estimator
def test_training_goes_on_in_another_precision(estimator, optimizer):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, optimizer=optimizer)
    drawn = {"perturbation", "dropout"} & set(clf.get_params())  # in the precision
    clf.set_params(**dict.fromkeys(drawn, 0.0))
    for weight, memory in goes_on_in_float32(clf, X, Y).items():
        kept = [v for k, v in memory.items() if torch.is_tensor(v) and k != "step"]
        assert kept and {x.dtype for x in kept} == {weight.dtype} == {torch.float32}


class Dizzy(torch.optim.Optimizer):
    """Steps by the mean of the last gradients, kept in a list; it has no flags."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def step(self, closure):
        loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                known = self.state[weight]
                known["last"] = [*known.get("last", ())[-9:], weight.grad.clone()]
                weight.data.sub_(group["lr"] * sum(known["last"]) / len(known["last"]))
        return loss


@pytest.mark.parametrize("optimizer", [Dizzy, torch.optim.LBFGS])
@pytest.mark.parametrize("pickled", [False, True])
def test_the_memory_of_any_optimizer_goes_on(optimizer, pickled):
    hierarchy, X, Y = make("many")
    options = {"hidden_layer_sizes": (8,), "batch_size": None, "random_state": 0}
    clf = MaxConstraintClassifier(hierarchy, optimizer=optimizer, **options)
    found = []
    for _ in range(4):
        clf.partial_fit(X, Y)
        memory = next(iter(clf.net_.optimizer_.state.values()))
        found.append(memory.get("n_iter") or len(memory["last"]))
        clf = pickle.loads(pickle.dumps(clf)) if pickled else clf
    assert (np.diff(found) > 0).all()


def test_lists_of_an_optimizer_follow_the_precision():
    hierarchy, X, Y = make("many")
    options = {"hidden_layer_sizes": (8,), "dropout": 0.0, "random_state": 0}
    clf = MaxConstraintClassifier(hierarchy, optimizer=Dizzy, **options)
    for memory in goes_on_in_float32(clf, X, Y).values():
        assert len(memory["last"]) == 3  # one of every part, two in float64
        assert {x.dtype for x in memory["last"]} == {torch.float32}


@every_estimator
def test_partial_fit_goes_on_after_fit_and_does_not_repeat_its_draws(estimator):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, max_iter=4).fit(X, Y)
    before = proba(clf, X)
    clf.partial_fit(X, Y)
    assert clf.n_iter_ == 5 and not np.array_equal(proba(clf, X), before)
    stored = pickle.loads(pickle.dumps(clf.fit(X, Y))).partial_fit(X, Y)
    assert_same(proba(stored, X), proba(clf.partial_fit(X, Y), X))
    clf.set_params(**STILL, batch_size=8)
    losses = [clf.partial_fit(X, Y).history_[-1]["train_loss"] for _ in range(3)]
    assert len(set(losses)) == 3  # shuffled and dropped anew in every call


@every_estimator
def test_classes_are_named_in_the_first_call_where_no_hierarchy_does(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.choice(["cat", "dog"], 40)
    clf = build(estimator, None)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, y)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, [[name] for name in y])
    with pytest.raises(ValueError, match="not in classes: 'dog'.*'cat', 'cow'"):
        clf.partial_fit(X, y, classes=["cow", "cat"])
    clf.partial_fit(X, y, classes=["dog", "cow", "cat"])
    assert clf.classes_.tolist() == ["cat", "cow", "dog"]
    assert clf.predict_proba(X).shape == (40, 3)
    assert clf.partial_fit(X[y == "cat"], y[y == "cat"]).n_iter_ == 2
    with pytest.raises(ValueError, match="'owl'"):
        clf.partial_fit(X, np.where(y == "cat", "cat", "owl"))
    sets = build(estimator, None)
    sets.partial_fit(X, [[name] for name in y], classes=["dog", "cat", "cow"])
    assert sets.label_names_.tolist() == ["dog", "cat", "cow"]


@every_estimator
def test_the_classes_of_multioutputclassifier_are_taken(estimator):
    hierarchy, X, Y = make("many")
    classes = [np.array([0, 1])] * Y.shape[1]
    clf = build(estimator, hierarchy).partial_fit(X, Y, classes=classes)
    assert clf.n_iter_ == 1
    with pytest.raises(ValueError, match=r"may only be \[\[0, 1\]\] \* 6, got"):
        clf.partial_fit(X, Y, classes=[[0, 1], [1, 2, 3]])


@every_estimator
def test_a_part_that_does_not_fit_is_an_error_and_changes_nothing(estimator):
    hierarchy, X, Y = make("many")
    options = {"optimizer": "sgd", "optimizer__weight_decay": 0.01}
    clf = build(estimator, hierarchy, **options).partial_fit(X, Y)
    before = proba(clf, X)
    leaves = np.array(hierarchy.labels)[np.resize(hierarchy.leaves, len(X))]
    cases = [
        (
            {"optimizer__weight_decay": -1.0},
            X,
            Y,
            ValueError,
            "optimizer__weight_decay.*got -1.0",
        ),
        ({"batch_size": -3}, X, Y, ValueError, "'batch_size' parameter"),
        ({"hierarchy": None}, X, Y, ValueError, "hierarchy was changed since"),
        ({"learning_rate_init": 3e37}, 1e5 * X, Y, FloatingPointError, "Lower"),
        ({}, X[:, :2], Y, ValueError, "2 features"),
        ({}, X, Y[:, :2], ValueError, "2 columns, but the hierarchy has 6"),
        ({}, X, leaves, ValueError, "as before, got"),
        ({"early_stopping": True}, X, Y, ValueError, "no validation data"),
    ]
    parameters, after = clf.get_params(), clone_fitted(clf).partial_fit(X, Y)
    for options, X_new, y_new, error, message in cases:
        broken = clone_fitted(clf).set_params(**options)
        with pytest.raises(error, match=message):
            broken.partial_fit(X_new, y_new)
        broken.set_params(**parameters)
        assert broken.n_iter_ == 1
        assert_same(proba(broken, X), before)
        assert_same(proba(broken.partial_fit(X, Y), X), proba(after, X))


@every_estimator
def test_a_fit_whose_last_step_diverges_is_an_error(estimator):
    hierarchy, X, Y = make("many")
    options = {"optimizer": "sgd", "learning_rate_init": 3e37, "schedule": "constant"}
    clf = build(estimator, hierarchy, max_iter=1, batch_size=None, **options)
    with pytest.raises(FloatingPointError, match="became infinite or NaN in epoch 1"):
        clf.fit(1e5 * X, Y)
    with pytest.raises(NotFittedError):
        clf.predict(X)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@every_estimator
def test_what_an_optimizer_remembers_belongs_to_weights_by_name(estimator, optimizer):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, optimizer=optimizer).partial_fit(X, Y)
    same = clone_fitted(clf)
    rate = clf.learning_rate_init
    groups = [("bias", {"lr": rate}), ("encoder.*", {"lr": rate})]
    clf.set_params(optimizer__param_groups=groups)  # in another order, nothing else
    np.testing.assert_allclose(
        proba(clf.partial_fit(X, Y), X), proba(same.partial_fit(X, Y), X), rtol=1e-5
    )


@every_estimator
def test_optimizers_may_change_between_parts(estimator):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy).partial_fit(X, Y)
    for optimizer in (torch.optim.RMSprop, "adam", torch.optim.Adagrad, "sgd", "adamw"):
        clf.set_params(optimizer=optimizer).partial_fit(X, Y)
    clf.set_params(optimizer__amsgrad=True).partial_fit(X, Y)
    assert clf.n_iter_ == 7 and np.isfinite(proba(clf, X)).all()


@every_estimator
def test_an_interrupted_part_leaves_what_was_learnt_before(estimator):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, encoder=Interrupting, batch_size=None)
    with pytest.raises(KeyboardInterrupt) as caught:
        clf.partial_fit(X, Y)
    assert "after 0 of 1 epochs" in caught.value.__notes__[0]
    with pytest.raises(NotFittedError):
        clf.predict(X)
    clf.set_params(encoder=torch.nn.Linear(5, 3))  # as wide, and never interrupts
    assert clf.partial_fit(X, Y).partial_fit(X, Y).n_iter_ == 2
    same = clone_fitted(clf)
    clf.set_params(encoder=Interrupting)
    with pytest.raises(KeyboardInterrupt):
        clf.partial_fit(X, Y)
    assert clf.n_iter_ == 2
    for both in (clf, same):
        both.set_params(encoder=torch.nn.Linear(5, 3)).partial_fit(X, Y)
    assert_same(proba(clf, X), proba(same, X))  # nothing of that part was counted


class Interrupting(torch.nn.Linear):
    def __init__(self):
        super().__init__(5, 3)

    def forward(self, X):
        if self.training:
            raise KeyboardInterrupt
        return super().forward(X)


@every_estimator
def test_a_first_part_that_fails_leaves_nothing_fitted(estimator):
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy)
    with pytest.raises(ValueError, match="2 columns"):
        clf.partial_fit(X, Y[:, :2])
    with pytest.raises(NotFittedError):
        clf.predict(X)
