"""Labels that grow: what every network does when its hierarchy gets new labels."""

import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.special import logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc._data.cooccurrence import count_together, count_unknown_beside
from skhmc._data.weights import smoothed_rates
from skhmc._networks.label_embedding import PairCounts
from skhmc._networks.optimizer_state import transfer_grown_state
from skhmc.coherence import score_violations
from skhmc.induction import cooccurrence
from skhmc.metrics import au_prc_score
from skhmc.nn.growth import Growth
from tests.contract import (
    DAG,
    NETWORKS,
    TREE,
    assert_same,
    build,
    every_deterministic,
    every_estimator,
    one_estimator,
)
from tests.contract import task as make

# Networks and data: those that score labels by sigmoids do so with any.
ALL_CASES = [
    pytest.param(*param.values, kind, id=f"{param.id}-{kind}")
    for param in NETWORKS
    for kind in ("many", "paths")
    if kind == "many" or param is NETWORKS[0]
]
CASES = pytest.mark.parametrize("estimator, kind", ALL_CASES)
# the form of paths, and counts of pairs of labels: what has an order of its own
ORDERED = pytest.mark.parametrize("estimator, kind", ALL_CASES[1:3])
STILL = {"learning_rate_init": 1e-30, "schedule": "constant"}
STILL |= {"optimizer__weight_decay": 0.0}
SAYS = ("predict_proba", "decision_function", "raw_decision_function", "predict")

# Below a leaf, below an inner label, below two, below a new one, and a root. They stand
# among the others, and one is deeper than all.
MANY = Hierarchy(
    ["tabby", "mammal", "dog", "pet", "cat", "grey", "cow", "bird", "parrot", "fish"],
    [(DAG.labels[p], DAG.labels[c]) for p, c in DAG.edges]
    + [("cat", "tabby"), ("mammal", "dog"), ("pet", "dog"), ("tabby", "grey")],
)
PATHS = Hierarchy.from_paths(["d", *TREE.labels, "c/1", "a/3/x"])
GROWN = {"many": MANY, "paths": PATHS}


def task(kind):
    """Return both hierarchies, X, and Y as DataFrames: of the old labels and of all."""
    before, X, Y = make(kind)
    frame = pd.DataFrame(Y, columns=before.labels)
    whole = frame.reindex(columns=GROWN[kind].labels, fill_value=0)
    some = X[:, 0] > np.median(X[:, 0])
    if kind == "many":
        whole["tabby"] = whole["cat"] * some
        whole["grey"] = whole["tabby"] * (X[:, 1] > 0)
        whole["dog"] = whole["mammal"] * whole["pet"] * (X[:, 2] > 0)
        whole["fish"] = some * 1
    else:
        whole["c/1"] = half(whole["c"])
        whole["a/3"] = whole["a"] - whole["a/1"] - whole["a/2"]
        whole["a/3/x"] = half(whole["a/3"])
        whole.iloc[:4] = 0
        whole.loc[:3, "d"] = 1
    return before, GROWN[kind], X, frame, whole


def half(column):
    """Return an indicator of every other row that has a label."""
    return column * (column.cumsum() % 2)


def named(clf, X, method="predict_proba"):
    """Return what an estimator says as a DataFrame with names of labels."""
    return pd.DataFrame(getattr(clf, method)(X), columns=clf.label_names_)


def copy_of(clf):
    return pickle.loads(pickle.dumps(clf))


# -- until there is training -----------------------------------------------------------


@CASES
def test_old_labels_stay_as_they_were_bit_for_bit(estimator, kind):
    before, after, X, frame, whole = task(kind)
    clf = build(estimator, before, max_iter=2).fit(X, frame)
    said = {method: named(clf, X, method) for method in SAYS}
    for y in (None, whole[whole.columns[::-1]], sp.csr_array(whole)):
        grown = copy_of(clf)
        assert grown.grow(after, y) is grown
        for method in SAYS:
            assert_same(
                named(grown, X, method)[frame.columns].to_numpy(),
                said[method].to_numpy(),
            )
        assert set(grown.label_names_) == set(after.labels)
        assert grown.classes_.tolist() == [[0, 1]] * after.n_labels
        assert grown.n_iter_ == 2 and grown.hierarchy is after
        assert np.array_equal(grown.predict_proba(X), copy_of(grown).predict_proba(X))
        assert np.array_equal(grown.predict_proba(X), grown.net_.predict_proba(X))
        for method in SAYS[:2]:
            scores = named(grown, X, method).to_numpy()
            assert score_violations(scores, grown.hierarchy_).nnz == 0
        sparse = grown.set_params(sparse_output=True).predict(X)
        grown.set_params(sparse_output=False)
        assert np.array_equal(sparse.toarray(), grown.predict(X))
        if y is None:  # nothing is known of new labels
            new = [x for x in after.labels if x not in before]
            assert named(grown, X)[new].to_numpy().max() < 0.001
            assert list(grown.label_names_) == list(after.labels)
    dictionary = {"mammal": None} | {x: after.parents_of(x) for x in after.labels}
    order = copy_of(clf).grow(dictionary).label_names_.tolist()
    assert order[: before.n_labels] == list(before.labels)


@pytest.mark.parametrize("rule", ["max", "min", "average", "product", None])
def test_old_labels_stay_as_they_were_under_every_rule(rule):
    before, after, X, frame, whole = task("many")
    clf = build(NETWORKS[2].values[0], before, coherence=rule).fit(X, frame)
    said = clf.predict_proba(X)
    grown = named(clf.grow(after, whole), X)
    assert_same(grown[frame.columns].to_numpy(), said)
    if rule is not None:
        assert score_violations(grown.to_numpy(), after).nnz == 0


@every_estimator
def test_a_new_label_is_as_much_rarer_than_its_rarest_parent_as_in_y(estimator):
    before, after, X, frame, whole = task("many")
    clf = build(estimator, before).fit(X, frame).grow(after, whole)
    raw = named(clf, X, "raw_decision_function")
    rate = whole.mean()
    odds = logit(smoothed_rates(whole.sum(), len(whole)))
    assert rate["pet"] < rate["mammal"]
    for label, source in {"tabby": "cat", "grey": "cat", "dog": "pet"}.items():
        expected = raw[source] + odds[label] - odds[source]
        np.testing.assert_allclose(raw[label], expected, atol=1e-5)
    np.testing.assert_allclose(raw["fish"], odds["fish"], rtol=1e-6)


@every_estimator
def test_training_starts_where_the_grown_labels_are(estimator):
    before, after, X, frame, whole = task("many")
    clf = build(estimator, before, **STILL).fit(X, frame)
    grown = named(copy_of(clf).grow(after, whole), X, "raw_decision_function")
    for how in ({"warm_start": True}, None):
        other = copy_of(clf).set_params(hierarchy=after)
        other = other.set_params(**how).fit(X, whole) if how else other
        other = other if how else other.partial_fit(X, whole)
        raw = named(other, X, "raw_decision_function")
        trained = grown.columns.drop("fish")  # a root is drawn anew
        np.testing.assert_allclose(raw[trained], grown[trained], atol=1e-4)
        # so that no old label is raised, in a tree of max constraints
        tree = ["cat", "tabby", "grey"]
        p = named(other, X)
        assert (p["cat"] >= p["tabby"]).all() and (p["tabby"] >= p["grey"]).all()
        np.testing.assert_allclose(
            named(other, X)[tree[:1]], named(clf, X)[tree[:1]], atol=1e-5
        )


@every_estimator
def test_growing_in_two_steps_is_growing_at_once(estimator):
    before, after, X, frame, whole = task("many")
    clf = build(estimator, before).fit(X, frame)
    once = copy_of(clf).set_params(hierarchy=after).partial_fit(X, whole)
    twice = copy_of(clf).grow(after.subset([x for x in after.labels if x != "grey"]))
    twice = copy_of(twice).grow(after, whole[whole.columns[::-1]])
    twice = copy_of(twice).partial_fit(X, whole)
    assert twice.label_names_.tolist() == whole.columns[::-1].tolist()
    assert_same(named(twice, X)[whole.columns].to_numpy(), once.predict_proba(X))
    assert twice.n_iter_ == once.n_iter_ == 4


@every_estimator
def test_the_order_alone_may_be_new(estimator):
    before, _, X, frame, _ = task("many")
    turned = before.subset(before.labels[::-1])
    Y = frame[list(turned.labels)]
    clf = build(estimator, before, max_iter=1).fit(X, frame)
    said = {method: named(clf, X, method) for method in SAYS}
    on = named(copy_of(clf).partial_fit(X, frame), X)
    for hierarchy, y in ((turned, None), (before, Y)):
        grown = copy_of(clf).grow(hierarchy, y)
        assert grown.label_names_.tolist() == list(turned.labels)
        for method in SAYS:
            found = named(grown, X, method)[frame.columns]
            assert_same(found.to_numpy(), said[method].to_numpy())
        # an array has the order of the Hierarchy
        grown.partial_fit(X, Y.to_numpy() if y is None else frame.to_numpy())
        assert_same(named(grown, X)[frame.columns].to_numpy(), on.to_numpy())
    assert copy_of(clf).grow(turned).grow(before).label_names_.tolist() == [*frame]


@one_estimator
def test_arrays_have_the_order_of_a_hierarchy_in_every_call(estimator):
    before, after, X, frame, whole = task("many")
    turned = after.subset(after.labels[::-1])
    y = whole[list(turned.labels)].to_numpy()
    clf = build(estimator, before, max_iter=1).fit(X, frame)
    clf.set_params(hierarchy=after).partial_fit(X, whole)
    other = copy_of(clf).set_params(hierarchy=turned)
    for _ in range(2):
        clf.partial_fit(X, whole)
        other.partial_fit(X, y)
    assert_same(other.predict_proba(X), clf.predict_proba(X))


@one_estimator
def test_columns_that_no_hierarchy_names_stay(estimator):
    before, _, X, frame, _ = task("many")
    edges = [(before.labels[p], before.labels[c]) for p, c in before.edges]
    car = frame.assign(car=(X[:, 0] > 0) * 1)
    clf = build(estimator, edges, max_iter=1).fit(X, car).grow([*edges, ("cat", "kit")])
    assert clf.label_names_.tolist() == [*car, "kit"]
    clf.grow([*edges, ("cat", "kit"), ("car", "bus")])
    assert clf.label_names_.tolist() == [*car, "kit", "bus"]
    numbers = build(estimator, [(0, 1)], max_iter=1).fit(
        X, frame.to_numpy()[:, [0, 2, 4]]
    )
    assert numbers.grow([(0, 1), (1, 3)]).label_names_.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="only the former has 'kit', 'bus'."):
        clf.grow([*edges, ("car", "van")])


def test_a_pickle_holds_the_network_once():
    before, after, X, frame, _ = task("many")
    clf = build(NETWORKS[0].values[0], before, hidden_layer_sizes=200).fit(X, frame)
    size = len(pickle.dumps(clf))
    assert len(pickle.dumps(clf.grow(after))) < 1.2 * size


@pytest.mark.parametrize("rule", ["max", None])
def test_new_labels_of_paths_are_predicted_where_none_is_chosen(rule):
    before, after, X, frame, whole = task("paths")
    whole["c/1"] = whole["c"]
    clf = build(NETWORKS[0].values[0], before, coherence=rule).fit(X, frame)
    clf.grow(after, whole)
    found = named(clf, X, "predict")["c/1"].to_numpy()
    probable = named(clf, X)["c/1"].to_numpy() > 0.5
    assert probable.any() and np.array_equal(found, probable & (rule is not None))


# -- training that goes on -------------------------------------------------------------


@every_deterministic
def test_new_labels_are_learnt_and_old_ones_are_not_forgotten(estimator):
    before, after, X, frame, whole = task("many")
    options = {"max_iter": 20, "learning_rate_init": 0.03}
    clf = build(estimator, before, **options).fit(X, frame)
    parts = copy_of(clf).set_params(hierarchy=after)
    for _ in range(8):
        parts.partial_fit(X, whole)
    warm = clf.set_params(hierarchy=after, warm_start=True).fit(X, whole)
    for grown in (parts, warm):
        p = named(grown, X)
        for label in ("tabby", "dog", "fish", "cat"):
            assert au_prc_score(whole[[label]], p[[label]]) > 0.8, label
        assert score_violations(p.to_numpy(), grown.hierarchy_).nnz == 0


@ORDERED
def test_columns_may_stand_in_any_order(estimator, kind):
    before, after, X, frame, whole = task(kind)
    order = np.random.default_rng(0).permutation(after.n_labels)
    turned = whole[whole.columns[order]]
    fitted = build(estimator, before, max_iter=1, warm_start=True).fit(X, frame)
    for method in ("fit", "partial_fit"):
        one, other = (copy_of(fitted).set_params(hierarchy=after) for _ in "ab")
        getattr(one, method)(X, whole)
        getattr(other, method)(X, turned)
        assert other.label_names_.tolist() == turned.columns.tolist()
        np.testing.assert_allclose(  # sums over paths round by the order
            named(other, X)[whole.columns], named(one, X), rtol=1e-5
        )
        later = copy_of(other).partial_fit(X, whole)  # whose columns do not matter
        assert later.label_names_.tolist() == turned.columns.tolist()
        assert later.n_iter_ == other.n_iter_ + 1


@one_estimator
def test_y_may_come_in_any_form(estimator):
    before, after, X, frame, whole = task("many")
    fitted = build(estimator, before, max_iter=1).fit(X, frame)
    names = [[x for x in after.labels if row[x]] for _, row in whole.iterrows()]
    edges = [(after.labels[p], after.labels[c]) for p, c in after.edges]
    said = []
    for source, y in (
        (after, whole.to_numpy()),
        (after, sp.csr_matrix(whole.to_numpy())),
        (after, names),
        (edges, whole),
    ):
        clf = copy_of(fitted).set_params(hierarchy=source).partial_fit(X, y)
        said.append(named(clf, X)[list(after.labels)].to_numpy())
    for one in said[1:]:
        assert_same(one, said[0])
    clf = copy_of(fitted).set_params(hierarchy=edges)
    with pytest.raises(ValueError, match="columns have no names.*order is unknown"):
        clf.partial_fit(X, whole.to_numpy())


@one_estimator
def test_unknown_values_and_weights_of_new_labels(estimator):
    before, after, X, frame, whole = task("many")
    whole = whole.astype(float)
    unknown = np.arange(len(whole)) % 3 > 0
    whole.loc[unknown, ["tabby", "grey"]] = np.nan
    weight = pd.DataFrame(1.0, index=whole.index, columns=whole.columns)
    weight["dog"] = 2.0
    clf = build(estimator, before, max_iter=1).partial_fit(X, frame)
    clf.set_params(hierarchy=after).partial_fit(X, whole, sample_weight=weight)
    p = clf.predict_proba(X)
    assert np.isfinite(p).all() and score_violations(p, clf.hierarchy_).nnz == 0
    counts = dict(
        zip(clf._form.hierarchy.labels, clf._former.counts.known, strict=True)
    )
    scale = weight.size / weight.to_numpy().sum()
    # an old label is known in both parts, a new one in the second alone
    assert counts["pet"] == pytest.approx(len(X) * (1 + 1 / scale) * scale / scale, 0.2)
    assert counts["tabby"] < counts["dog"] < counts["pet"]


@every_estimator
def test_a_label_without_a_positive_waits_for_one(estimator):
    before, after, X, frame, whole = task("many")
    rows = (whole["tabby"] == 0).to_numpy()
    clf = build(estimator, before, max_iter=1).fit(X, frame).set_params(hierarchy=after)
    clf.partial_fit(X[rows], whole[rows])
    raw = named(clf, X, "raw_decision_function")
    assert np.ptp(raw["tabby"]) == np.ptp(raw["grey"]) == 0
    assert raw["tabby"].max() < -5
    clf = copy_of(clf).set_params(**STILL).partial_fit(X, whole)
    raw = named(clf, X, "raw_decision_function")
    np.testing.assert_allclose(np.ptp(raw["cat"] - raw["tabby"]), 0, atol=1e-4)
    np.testing.assert_allclose(np.ptp(raw["cat"] - raw["grey"]), 0, atol=1e-4)
    assert np.ptp(raw["tabby"]) > 0.01
    warm = build(estimator, before, warm_start=True, max_iter=1).fit(X, frame)
    with pytest.warns(UserWarning, match="with no positive row .'tabby', 'grey'."):
        warm.set_params(hierarchy=after).fit(X[rows], whole[rows])
    assert np.ptp(named(warm, X, "raw_decision_function")["tabby"]) == 0
    warm.fit(X, whole)
    assert np.ptp(named(warm, X, "raw_decision_function")["tabby"]) > 0.01


@every_estimator
def test_a_new_label_is_not_above_a_parent_that_was_not_known_either(estimator):
    before, _, X, frame, whole = task("many")
    none = frame.assign(bird=0, parrot=0)
    after = Hierarchy.from_edges(
        [(before.labels[p], before.labels[c]) for p, c in before.edges]
        + [("bird", "chick")]
    )
    whole = whole[list(before.labels)].assign(chick=whole["bird"])
    clf = build(estimator, before, **STILL).partial_fit(X, none)
    clf.set_params(hierarchy=after).partial_fit(X, whole)
    raw = named(clf, X, "raw_decision_function")
    np.testing.assert_allclose(raw["chick"], raw["bird"], atol=1e-5)


@one_estimator
def test_a_label_that_all_rows_of_its_parent_have_is_its_parent(estimator):
    before, after, X, frame, whole = task("many")
    whole["dog"] = whole["pet"] * whole["mammal"]
    whole["tabby"] = whole["cat"]
    clf = build(estimator, before, max_iter=1).fit(X, frame)
    p = named(clf.grow(after, whole), X)
    np.testing.assert_array_equal(p["tabby"], p["cat"])
    ones = whole[whole["tabby"] == 1]  # and of rows that say nothing else
    clf = clf.set_params(hierarchy=after).partial_fit(X[ones.index], ones)
    raw = named(clf, X, "raw_decision_function")
    assert np.ptp(raw["tabby"]) > 0.01  # not 1 everywhere, which would raise cat


@every_estimator
def test_one_label_may_become_two(estimator):
    X = np.linspace(-1, 1, 40)[:, None]
    Y = pd.DataFrame({"a": X[:, 0] > -0.5, "b": X[:, 0] > 0}).astype(int)
    one, two = Hierarchy.flat(["a"]), Hierarchy.from_edges([("a", "b")])
    clf = build(estimator, one).fit(X, Y[["a"]])
    before = clf.predict_proba(X)
    assert_same(clf.grow(two, Y).predict_proba(X)[:, [0]], before)
    assert clf.partial_fit(X, Y).predict(X).shape == (40, 2)
    flat = build(estimator, one).fit(X, Y[["a"]]).grow(Hierarchy.flat("ab"), Y)
    assert flat.partial_fit(X[:1], Y[:1]).predict(X).shape == (40, 2)


@one_estimator
def test_a_warm_start_may_grow_twice_and_hold_out_rows(estimator):
    before, after, X, frame, whole = task("many")
    some = after.subset([*before.labels, "tabby", "fish"])
    options = {"warm_start": True, "early_stopping": True, "max_iter": 2}
    options |= {"class_weight": "balanced", "validation_fraction": 0.3}
    clf = build(estimator, before, **options).fit(X, frame)
    clf.set_params(hierarchy=some).fit(X, whole[list(some.labels)])
    clf.set_params(hierarchy=after, class_weight={"grey": 5.0}).fit(X, whole)
    assert clf.label_names_.tolist() == list(after.labels)
    assert clf.fit(X, whole).n_iter_ == 2 and "valid_score" in clf.history_[0]


def test_a_level_that_is_new_has_a_task_of_its_own():
    before, after, X, frame, whole = task("many")
    for weighting in ("adaptive", "dwa"):
        clf = build(NETWORKS[0].values[0], before, task_weighting=weighting)
        for _ in range(3):
            clf.partial_fit(X, frame)
        assert "loss_depth_2" not in clf.history_[-1]
        clf.set_params(hierarchy=after).partial_fit(X, whole)
        weights = [clf.history_[-1][f"weight_depth_{k}"] for k in range(4)]
        assert sum(weights) == pytest.approx(1) and min(weights) > 0
        assert len(clf.net_.module_.prototypes) == 4
        clf.partial_fit(X, whole)


def test_several_networks_and_sampled_labels_grow():
    before, after, X, frame, whole = task("many")
    for param in (NETWORKS[0], NETWORKS[2]):
        clf = build(param.values[0], before, n_estimators=2).partial_fit(X, frame)
        clf.set_params(hierarchy=after, **STILL)
        grown = named(copy_of(clf).grow(after, whole), X, "raw_decision_function")
        raw = named(clf.partial_fit(X, whole), X, "raw_decision_function")
        np.testing.assert_allclose(raw["grey"], grown["grey"], atol=1e-4)
    for param in NETWORKS:
        clf = build(param.values[0], before, n_sampled_labels=2).partial_fit(X, frame)
        clf.set_params(hierarchy=after)
        for _ in range(2):
            clf.partial_fit(X, sp.csr_matrix(whole.to_numpy()))
        assert np.isfinite(clf.predict_proba(X)).all()


# -- one label per sample --------------------------------------------------------------


def deepest(table):
    """Return the rarest label of every row, with all labels that there are."""
    rare = (table * (1 - table.mean())).to_numpy().argmax(axis=1)
    y = np.array(table.columns)[rare]
    y[-table.shape[1] :] = table.columns
    return y


@ORDERED
def test_new_classes_of_a_1d_y(estimator, kind):
    before, after, X, frame, whole = task(kind)
    y, more = deepest(frame), deepest(whole)
    clf = build(estimator, before, max_iter=2).fit(X, y)
    classes, proba = clf.classes_.tolist(), clf.predict_proba(X)
    labels = pd.DataFrame(clf.predict_label_proba(X), columns=clf.label_names_)
    grown = copy_of(clf).grow(after)
    there = pd.DataFrame(grown.predict_proba(X), columns=grown.classes_)
    assert_same(there[classes].to_numpy(), proba)
    assert there.drop(columns=classes).to_numpy().max() == 0
    assert np.isfinite(grown.decision_function(X)).all()
    assert_same(grown.predict(X), clf.predict(X))
    known = pd.DataFrame(grown.predict_label_proba(X), columns=grown.label_names_)
    assert_same(known[labels.columns].to_numpy(), labels.to_numpy())
    for method in ("fit", "partial_fit"):
        other = copy_of(clf).set_params(hierarchy=after, warm_start=True)
        getattr(other, method)(X, more)
        new = set(more) if method == "fit" else set(after.labels) - set(before.labels)
        assert set(other.classes_) == {*classes, *new}
        assert other.predict_proba(X).sum(axis=1) == pytest.approx(1)
        getattr(copy_of(grown).set_params(warm_start=True), method)(X, more)
    named_one = copy_of(clf).set_params(hierarchy=after)
    label = next(x for x in more if x not in before)
    named_one.partial_fit(X, y, classes=[label, *classes])
    assert set(named_one.classes_) == {*classes, label}
    with pytest.raises(ValueError, match="not in classes: "):
        copy_of(clf).set_params(hierarchy=after).partial_fit(X, more, classes=classes)


def test_where_paths_ended_they_may_end_still():
    before, after, X, frame, whole = task("paths")
    ends = np.array(before.labels)[before.leaves]
    y = np.resize(ends, len(X))
    clf = build(NETWORKS[0].values[0], before, max_iter=10).fit(X, y)
    assert clf.leaf_prediction_ == "mandatory"
    new = np.where((y == "c") & (X[:, 0] > 0), "c/1", y)
    clf.set_params(hierarchy=after).partial_fit(X, new)
    assert clf.leaf_prediction_ == "optional" and "c" in clf.classes_
    assert clf.predict_proba(X)[:, clf.classes_.tolist().index("c")].max() > 0.05
    must = build(NETWORKS[0].values[0], before, leaf_prediction="mandatory").fit(X, y)
    with pytest.raises(
        ValueError, match="classes have children now: 'c', .*Use 'auto'"
    ):
        must.set_params(hierarchy=after).partial_fit(X, new)
    indicators = build(NETWORKS[0].values[0], before, leaf_prediction="mandatory")
    rows = frame[list(ends)].sum(axis=1) == 1
    indicators.fit(X[rows], frame[rows]).set_params(hierarchy=after)
    indicators.partial_fit(X[rows], whole[rows])
    assert indicators.leaf_prediction_ == "mandatory"


# -- refusals --------------------------------------------------------------------------


@one_estimator
def test_what_is_not_growing_is_refused_by_name_and_changes_nothing(estimator):
    before, after, X, frame, whole = task("many")
    clf = build(estimator, before, warm_start=True, max_iter=1).fit(X, frame)
    said = clf.predict_proba(X)
    gone = after.subset([x for x in after.labels if x not in ("cow", "parrot")])
    edges = [(after.labels[p], after.labels[c]) for p, c in after.edges]
    moved = Hierarchy(after.labels, [*edges, ("fish", "parrot"), ("dog", "cow")])
    below = Hierarchy(after.labels, [*edges, ("fish", "mammal")])
    whole["fish"] = 1
    whole["dog"] = whole["mammal"] = whole["pet"] = 1
    cases = [
        (gone, "only the former has 'cow', 'parrot'.*none may go.*has no positives"),
        (moved, "'cow' was under 'mammal' and is under .*other parents 'parrot'"),
        (below, "'mammal' was under no label and is under 'fish'"),
    ]
    for hierarchy, message in cases:
        y = whole[list(hierarchy.labels)]
        one = copy_of(clf)
        with pytest.raises(ValueError, match=f"hierarchy was changed.*{message}"):
            one.grow(hierarchy, y)
        one.set_params(hierarchy=hierarchy)
        with pytest.raises(ValueError, match=f"goes on with.*{message}.*warm_start"):
            one.fit(X, y)
        with pytest.raises(ValueError, match=f"hierarchy was changed.*{message}"):
            one.partial_fit(X, y)
        assert_same(one.set_params(hierarchy=before).predict_proba(X), said)
        one.grow(after)
        with pytest.raises(ValueError, match="only the former has"):
            one.grow(hierarchy if hierarchy is gone else before)
    with pytest.raises(ValueError, match=r"shape \(n_samples, n_labels\) as before"):
        copy_of(clf).grow(after, np.resize(after.labels, len(X)))
    with pytest.raises(NotFittedError):
        clone(clf).grow(after)


@one_estimator
def test_new_columns_alone_do_not_make_labels_grow(estimator):
    _, _, X, frame, _ = task("many")
    leaves = frame[["cow", "parrot"]]
    clf = build(estimator, None, warm_start=True, max_iter=1).fit(X, leaves)
    with pytest.raises(ValueError, match="new one has 'cat'. To take labels in, set"):
        clf.fit(X, frame[["cow", "cat", "parrot"]])
    clf.set_params(hierarchy=Hierarchy.flat(["cow", "cat", "parrot"]))
    clf.fit(X, frame[["cow", "cat", "parrot"]])
    assert clf.label_names_.tolist() == ["cow", "cat", "parrot"]


@pytest.mark.parametrize("warm", [False, True])
def test_a_hierarchy_that_was_changed_in_place_is_named(warm):
    X, sets = np.zeros((3, 1)), [["cat"], ["dog"], []]
    tabby = [["tabby"], ["dog"], []]
    for kind in ("dict", "DiGraph"):
        parents = {"cat": ["mammal"], "dog": ["mammal"]}
        graph = nx.DiGraph([("mammal", "cat"), ("mammal", "dog")])
        source = parents if kind == "dict" else graph
        clf = MaxConstraintClassifier(
            source, hidden_layer_sizes=2, max_iter=1, warm_start=warm, random_state=0
        ).fit(X, sets)
        train = clf.fit if warm else clf.partial_fit
        parents["tabby"] = ["cat"]
        graph.add_edge("cat", "tabby")
        match = f"a {kind}, was changed in place.*'tabby'.*Call grow.*or set"
        with pytest.raises(ValueError, match=match):
            train(X, tabby)
        clf.grow(source)
        assert train(X, tabby).label_names_[-1] == "tabby"


def test_what_a_network_cannot_take_in_is_refused(monkeypatch):
    monkeypatch.setattr("skhmc._networks.label_embedding.STEPS_OF_CASCADE", 2)
    before, after, X, frame, whole = task("many")
    cascade = HyperbolicHMC(before, mode="cascade", hidden_layer_sizes=4, max_iter=1)
    cascade.fit(X, frame)
    with pytest.raises(ValueError, match="'cascade' .*new labels .'tabby', 'dog'"):
        cascade.grow(after)
    cascade.set_params(hierarchy=after, warm_start=True)
    with pytest.raises(ValueError, match="'cascade' .*new labels .'tabby', 'dog'"):
        cascade.fit(X, whole)
    before, after, X, frame, whole = task("paths")
    clf = build(NETWORKS[0].values[0], before).fit(X, frame)
    edges = [(after.labels[p], after.labels[c]) for p, c in after.edges]
    dag = Hierarchy([*after.labels, "e"], [*edges, ("a", "e"), ("b", "e")])
    with pytest.raises(ValueError, match="needs a tree.*several parents: 'e'"):
        clf.grow(dag)
    tree = MaxConstraintClassifier(TREE, coherence="isotonic", hidden_layer_sizes=4)
    with pytest.raises(ValueError, match="(?i)isotonic.*tree|tree.*isotonic"):
        tree.set_params(max_iter=1).fit(X, frame).grow(dag)
    wide = HCALClassifier(before, hidden_layer_sizes=4, max_iter=1).fit(X, frame)
    wide.set_params(hierarchy=after, embedding_dim=3, warm_start=True)
    with pytest.raises(ValueError, match="other parts.*Leave the parameters"):
        wide.fit(X, whole)


# -- what is behind --------------------------------------------------------------------

GROWTH = Growth(
    source=torch.tensor([1, 0, 1, 0]),
    own=torch.tensor([True, True, False, False]),
    drawn=torch.tensor([False, False, False, True]),
    shift=torch.zeros(4),
)


@pytest.mark.parametrize(
    "kind", [torch.optim.AdamW, torch.optim.Adagrad, torch.optim.LBFGS]
)
def test_what_an_optimizer_knows_of_a_new_row_is_what_it_knows_of_its_source(kind):
    tables = [torch.nn.Parameter(torch.randn(1, 3)) for _ in range(2)]
    rest = torch.nn.Parameter(torch.randn(2))
    former = kind([*tables, rest])

    def closure():
        loss = sum((x**2).sum() * (k + 1) for k, x in enumerate([*tables, rest]))
        former.zero_grad()
        loss.backward()
        return loss

    for _ in range(3):
        former.step(closure)
    new = [torch.nn.Parameter(torch.randn(n, 3)) for n in (3, 1)]
    follower = kind([*new, rest])
    names = ["a", "b"]
    before = dict(zip([*names, "rest"], [*tables, rest], strict=True))
    weights = dict(zip([*names, "rest"], [*new, rest], strict=True))
    pair = ({"t": names}, {"t": names})
    transfer_grown_state(former, before, follower, weights.items(), GROWTH, pair)
    if kind is torch.optim.LBFGS:  # one memory of all weights, which are others now
        assert not follower.state
        return
    for key, value in former.state[tables[0]].items():
        old = [former.state[x][key] for x in tables]
        found = [follower.state[x][key] for x in new]
        if value.ndim == 0:
            assert found == [value, value]
            continue
        expected = torch.cat(old)[GROWTH.source]
        expected[3] = torch.cat(old).mean(0)  # what starts from none: a typical one
        assert torch.equal(torch.cat(found), expected)
        assert torch.equal(follower.state[rest][key], former.state[rest][key])


def test_points_of_new_labels_and_their_counts():
    before, after, X, frame, whole = task("many")
    options = {"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0}
    for structure in ("tree", "dag"):
        clf = HyperbolicHMC(before, structure=structure, **options).fit(X, frame)
        clf.set_params(coherence="learned")
        said = named(clf, X)
        clf.grow(after, whole)
        assert_same(named(clf, X)[frame.columns].to_numpy(), said.to_numpy())
        assert clf.learned_hierarchy_.labels == after.labels
        at = {label: k for k, label in enumerate(clf.label_names_)}
        points = clf.label_embeddings_
        np.testing.assert_array_equal(points[at["grey"]], points[at["cat"]])
        assert not points[at["fish"]].any() and not clf.label_radius_[at["fish"]]
        assert clf.label_distances().shape == clf.cooccurrence_.shape == (10, 10)
        clf.partial_fit(X, whole)
        rows = pd.concat([frame, whole]).reindex(columns=after.labels)
        expected = cooccurrence(rows.to_numpy())
        assert (clf.cooccurrence_ != expected).nnz == 0


def test_counts_of_new_labels_are_those_of_rows_that_do_not_know_them():
    before, after, _, frame, _ = task("many")

    def counts(Y):
        return PairCounts(count_together(Y), *count_unknown_beside(Y), len(Y))

    unknown = frame.reindex(columns=after.labels).to_numpy(float)
    grown = counts(frame.to_numpy(float)).grown(before.labels, after.labels)
    for mine, other in zip(grown, counts(unknown), strict=True):
        if sp.issparse(mine):
            mine, other = mine.toarray(), other.toarray()
        np.testing.assert_array_equal(mine, other)
