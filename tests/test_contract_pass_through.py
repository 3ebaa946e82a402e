"""What every estimator hands on to skorch and torch, and to the user's encoder."""

import pickle
import signal
import threading

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LoadInitState,
    TrainEndCheckpoint,
)
from skorch.callbacks import LRScheduler as SkorchScheduler
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau, StepLR

from skhmc import MaxConstraintClassifier
from skhmc.metrics import au_prc_scorer
from tests.contract import assert_same, build, every_estimator, one_estimator
from tests.contract import task as make


class Watcher(Callback):
    """Counts what it sees."""

    def __init__(self, step=1):
        self.step = step

    def initialize(self):
        self.n_epochs_, self.n_batches_ = 0, 0
        return self

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += self.step

    def on_batch_end(self, net, training=False, **kwargs):
        self.n_batches_ += training


class Narrow(torch.nn.Linear):
    """An encoder that is told its width."""

    def __init__(self, input_shape, width=3):
        super().__init__(input_shape[0], width)


def fit(estimator, **options):
    hierarchy, X, Y = make("many")
    return build(estimator, hierarchy, **options).fit(X, Y)


def learning_rates(clf):
    return [epoch["learning_rate"] for epoch in clf.history_]


# -- parameters ------------------------------------------------------------------------


@every_estimator
def test_what_is_handed_on_is_a_parameter_like_any_other(estimator):
    kind = type(estimator)
    clf = kind(optimizer__eps=1e-3, callbacks__watcher__step=2)
    assert clf.get_params()["optimizer__eps"] == 1e-3
    assert clf.get_params(deep=False)["callbacks__watcher__step"] == 2
    assert "optimizer__eps=0.001" in repr(clf)
    copy = clone(clf.set_params(optimizer__eps=1e-4, schedule__pct_start=0.1))
    assert copy.get_params() == clf.get_params()
    assert copy.schedule__pct_start == 0.1
    pipe = make_pipeline(StandardScaler(), clf)
    pipe.set_params(**{f"{kind.__name__.lower()}__optimizer__eps": 1e-5})
    assert clf.optimizer__eps == 1e-5
    assert clone(pipe).get_params()[f"{kind.__name__.lower()}__optimizer__eps"] == 1e-5


@every_estimator
def test_misspelt_parameters_are_errors_at_once(estimator):
    kind = type(estimator)
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_itr'"):
        kind(max_itr=3)
    with pytest.raises(TypeError, match="argument 'optimiser__lr'.*optimizer__"):
        kind(optimiser__lr=3)
    with pytest.raises(ValueError, match="Invalid parameter 'max_itr'"):
        kind().set_params(max_itr=3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optimizer__beta": 1}, "optimizer__beta is no parameter of AdamW.*__betas"),
        ({"schedule__gamma": 1}, "schedule__gamma .*OneCycle.*schedule__pct_start"),
        ({"schedule__max_lr": 1}, "schedule__max_lr is no parameter"),
        ({"schedule": "constant", "schedule__gamma": 1}, "'constant' takes no param"),
        ({"schedule": StepLR, "schedule__gama": 1}, "StepLR.*__gamma.*__step_size"),
        ({"encoder__width": 4}, "encoder=None is no class or factory"),
        ({"encoder": Narrow, "encoder__depth": 4}, "Narrow.*encoder__width"),
        ({"callbacks__watcher__step": 2}, "callbacks__watcher__step.* no callback"),
        ({"callbacks": ["print"]}, "callbacks.* 'print'.*instances or classes"),
        ({"callbacks": "print"}, "'callbacks' parameter"),
        ({"optimizer__param_groups": [("encodr.*", {})]}, "'encodr.*'.*'encoder.1.we"),
        ({"optimizer": "lion"}, "'optimizer' parameter"),
        ({"schedule": "cosine"}, "'schedule' parameter"),
    ],
)
@every_estimator
def test_what_nobody_takes_is_an_error(estimator, options, message):
    with pytest.raises(InvalidParameterError, match=message):
        fit(estimator, **options)


# -- optimizers and schedules ----------------------------------------------------------


@every_estimator
def test_an_optimizer_of_torch_and_its_parameters(estimator):
    options = {"optimizer": torch.optim.RMSprop, "optimizer__alpha": 0.5}
    clf = fit(estimator, **options, schedule="constant", learning_rate_init=0.003)
    assert isinstance(clf.net_.optimizer_, torch.optim.RMSprop)
    group = clf.net_.optimizer_.param_groups[-1]  # of the network
    assert group["alpha"] == 0.5 and group["lr"] == 0.003
    other = fit(estimator, **options | {"optimizer__alpha": 0.99})
    hierarchy, X, Y = make("many")
    assert not np.array_equal(clf.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@every_estimator
def test_what_is_handed_on_comes_before_our_own_setting(estimator, optimizer):
    clf = fit(estimator, optimizer=optimizer, optimizer__weight_decay=0.125)
    assert clf.net_.optimizer_.defaults["weight_decay"] == 0.125
    fit(estimator, optimizer=optimizer, optimizer__foreach=True)


@every_estimator
def test_groups_of_parameters_have_learning_rates_of_their_own(estimator):
    groups = [("encoder.*", {"lr": 0.0, "weight_decay": 0.0})]
    options = {"encoder": Narrow, "schedule": "constant", "warm_start": True}
    torch.manual_seed(0)
    clf = fit(estimator, optimizer__param_groups=groups, **options)
    before = {k: v.clone() for k, v in clf.net_.module_.state_dict().items()}
    hierarchy, X, Y = make("many")
    after = clf.fit(X, Y).net_.module_.state_dict()
    for name, value in after.items():
        if name not in ("fixed", "prior"):
            frozen = name.startswith("encoder.")
            assert torch.equal(value, before[name]) == frozen, name


@every_estimator
def test_a_schedule_of_torch_steps_every_epoch_or_batch(estimator):
    options = {"schedule__gamma": 0.5, "learning_rate_init": 0.01, "max_iter": 3}
    clf = fit(estimator, schedule=ExponentialLR, **options)
    np.testing.assert_allclose(learning_rates(clf), [0.01, 0.005, 0.0025])
    options |= {"schedule__step_every": "batch", "batch_size": 30}  # of 60 rows
    clf = fit(estimator, schedule=ExponentialLR, **options)
    np.testing.assert_allclose(learning_rates(clf), [0.0025, 0.000625, 0.00015625])
    options = {"schedule__factor": 0.5, "schedule__patience": 0, "max_iter": 4}
    options |= {"schedule__monitor": lambda net: 1.0, "learning_rate_init": 0.01}
    clf = fit(estimator, schedule=ReduceLROnPlateau, **options)
    np.testing.assert_allclose(learning_rates(clf), [0.01, 0.01, 0.005, 0.0025])


@every_estimator
def test_the_one_cycle_takes_its_own_parameters(estimator):
    options = {"learning_rate_init": 0.01, "max_iter": 10, "batch_size": None}
    early, late = (
        np.argmax(learning_rates(fit(estimator, schedule__pct_start=p, **options)))
        for p in (0.1, 0.8)
    )
    assert early <= 1 and late >= 6


@every_estimator
def test_pickles_hold_no_optimizer_whatever_the_schedule(estimator):
    sizes = [
        len(pickle.dumps(fit(estimator, hidden_layer_sizes=(500,), **options)))
        for options in (
            {"schedule": "constant"},
            {"schedule": StepLR, "schedule__step_size": 1},
        )
    ]
    assert sizes[1] < 1.2 * sizes[0]


# -- callbacks -------------------------------------------------------------------------


@every_estimator
def test_callbacks_are_instances_classes_or_named_pairs(estimator):
    mine = Watcher()
    callbacks = [mine, ("named", Watcher), GradientNormClipping(1.0)]
    options = {"callbacks": callbacks, "callbacks__named__step": 10}
    clf = fit(estimator, max_iter=4, batch_size=30, **options)
    found = dict(clf.net_.callbacks_)
    assert found["Watcher"].n_epochs_ == 4 and found["named"].n_epochs_ == 40
    assert found["named"].n_batches_ == 8
    assert not hasattr(mine, "n_epochs_")  # a fit leaves parameters as they were
    assert isinstance(clone(clf).callbacks[0], Watcher)
    hierarchy, X, Y = make("many")
    assert_same(pickle.loads(pickle.dumps(clf)).predict(X), clf.predict(X))


@every_estimator
def test_callbacks_take_part_in_training(estimator):
    hierarchy, X, Y = make("many")
    plain = fit(estimator)
    clipped = fit(estimator, callbacks=[GradientNormClipping(1e-3)])
    assert not np.array_equal(plain.predict_proba(X), clipped.predict_proba(X))
    watched = fit(estimator, callbacks=[Watcher])
    assert_same(plain.predict_proba(X), watched.predict_proba(X))
    policy = SkorchScheduler(StepLR, step_size=1, gamma=0.5, event_name=None)
    clf = fit(estimator, schedule="constant", callbacks=[policy], max_iter=3)
    first = clf.learning_rate_init
    np.testing.assert_allclose(learning_rates(clf), [first, first / 2, first / 4])


class Careless(Callback):
    """Does what skorch allows and scikit-learn does not."""

    def __init__(self, *numbers, **names):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.history))


class Locked(Careless):
    """Holds what cannot be copied, as a writer to a file does."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@every_estimator
def test_callbacks_need_not_be_cloned_to_be_copied(estimator):
    mine = Careless(1, two=2)
    clf = fit(estimator, callbacks=[mine])
    assert mine.seen == []
    assert dict(clf.net_.callbacks_)["Careless"].seen == [1, 2, 3]
    locked = Locked()
    clf = fit(estimator, callbacks=[locked])
    assert locked.seen == []
    assert dict(clf.net_.callbacks_)["Locked"].seen == [1, 2, 3]
    assert dict(clf.net_.callbacks_)["Locked"].lock is locked.lock


@one_estimator
def test_callbacks_that_share_something_go_on_sharing_it(estimator):
    class Reader(Careless):
        def __init__(self, other):
            super().__init__()
            self.other = other
            self.record = other.seen

    mine = Careless()
    clf = fit(estimator, callbacks=[("reads", Reader(mine)), ("writes", mine)])
    used = dict(clf.net_.callbacks_)
    assert used["reads"].other is used["writes"] is not mine
    assert used["reads"].record is used["writes"].seen and mine.seen == []
    assert used["reads"].record == [1, 2, 3]


@one_estimator
def test_a_checkpoint_of_skorch_is_where_the_next_training_starts(estimator, tmp_path):
    checkpoint = TrainEndCheckpoint(dirname=tmp_path, sink=lambda text: None)
    start = LoadInitState(checkpoint)
    options = {"callbacks": [checkpoint, start], "schedule": "constant"}
    first = fit(estimator, **options)
    again = fit(estimator, **options)  # from the weights that the first one left
    assert again.n_iter_ == 2 * first.n_iter_


@one_estimator
def test_a_checkpoint_keeps_the_weights_of_the_best_epoch(estimator, tmp_path):
    best = Checkpoint("train_loss_best", dirname=tmp_path, sink=lambda text: None)
    clf = fit(estimator, callbacks=[best], max_iter=4)
    assert (tmp_path / "params.pt").exists()
    flags = [epoch["train_loss_best"] for epoch in clf.net_.history]
    losses = [epoch["train_loss"] for epoch in clf.net_.history]
    assert flags == [a == min(losses[: k + 1]) for k, a in enumerate(losses)]
    assert "train_loss_best" not in clf.history_[0]
    # the name of the score itself is no sign of a best epoch, as skorch says
    with pytest.warns(UserWarning, match="Perhaps you meant to set the parameter"):
        wrong = Checkpoint("train_loss", dirname=tmp_path, sink=lambda text: None)
        fit(estimator, callbacks=[wrong])
    with pytest.warns(UserWarning, match="valid_score_best"):
        wrong = Checkpoint("valid_score", dirname=tmp_path, sink=lambda text: None)
        fit(estimator, callbacks=[wrong], early_stopping=True, max_iter=2)


@one_estimator
@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint()])
def test_a_monitor_that_no_epoch_has_is_an_error_that_names_those_there_are(
    estimator, callback
):
    with pytest.raises(ValueError, match=r"valid_loss.* There are .*'train_loss'"):
        fit(estimator, callbacks=[callback])


@one_estimator
@pytest.mark.parametrize(
    "callback",
    [EpochScoring("f1_micro", on_train=True), ("score", EpochScoring), BatchScoring],
)
def test_callbacks_that_score_data_are_refused_with_what_to_do(estimator, callback):
    with pytest.raises(InvalidParameterError, match="scores a net.*early_stopping"):
        fit(estimator, callbacks=[callback])


@pytest.mark.parametrize("kind", ["many", "paths"])
@every_estimator
def test_the_net_predicts_as_the_estimator_does(estimator, kind):
    hierarchy, X, Y = make(kind)
    clf = build(estimator, hierarchy, max_iter=2).fit(X, Y)
    for given in (X, X.astype(np.float64), X.tolist(), sp.csr_matrix(X)):
        assert_same(clf.net_.predict_proba(given), clf.predict_proba(X))
    assert_same(clf.net_.predict(X), clf.predict(X))
    assert len(clf.net_.forward(X)) == len(X)


@pytest.fixture
def heed_ctrl_c():
    """Have Ctrl-C raise KeyboardInterrupt, which nothing does in the background."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@every_estimator
def test_ctrl_c_in_a_callback_is_told_from_its_own_stop(estimator, heed_ctrl_c):
    class Slow(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                signal.raise_signal(signal.SIGINT)
                for _ in range(10**6):
                    pass

    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, callbacks=[Slow], max_iter=3)
    with pytest.raises(KeyboardInterrupt) as caught:
        clf.fit(X, Y)
    assert "interrupted after 2 of 3 epochs" in caught.value.__notes__[0]
    assert clf.n_iter_ == 2


def test_ctrl_c_inside_a_callback_of_skorch_is_told_from_its_stop(heed_ctrl_c):
    class Looks(float):  # skorch compares it in the code that may also end training
        def __lt__(self, other):
            signal.raise_signal(signal.SIGINT)
            return True

    class Watched(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("looks", Looks(1.0))

    estimator = MaxConstraintClassifier(hidden_layer_sizes=(4,), random_state=0)
    stop = EarlyStopping("looks", patience=2, sink=lambda text: None)
    with pytest.raises(KeyboardInterrupt):
        fit(estimator, callbacks=[Watched, stop], max_iter=9)


@pytest.mark.parametrize("early_stopping", [False, True])
@every_estimator
def test_a_callback_may_end_training_without_a_warning(estimator, early_stopping):
    monitor = "valid_score" if early_stopping else "train_loss"
    stop = EarlyStopping(monitor, patience=2, threshold=1e9, sink=lambda text: None)
    options = {"callbacks": [stop], "max_iter": 30, "early_stopping": early_stopping}
    clf = fit(estimator, **options)
    assert clf.n_iter_ < 10


class Enough(KeyboardInterrupt):
    """What a callback of one's own raises to end training."""


class Stops(Callback):
    """Ends training after two epochs."""

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


def test_a_callback_of_ones_own_ends_training_by_an_exception_of_its_own():
    estimator = MaxConstraintClassifier(hidden_layer_sizes=(4,), random_state=0)
    assert fit(estimator, callbacks=[Stops(Enough)], max_iter=5).n_iter_ == 2
    with pytest.raises(KeyboardInterrupt):  # which Ctrl-C raises, too
        fit(estimator, callbacks=[Stops(KeyboardInterrupt)], max_iter=5)


def test_what_a_signal_handler_raises_passes_through(heed_ctrl_c):
    class Ended(SystemExit):
        pass

    def end(number, frame):
        raise Ended

    former = signal.signal(signal.SIGTERM, end)
    try:

        class Ends(Narrow):
            def forward(self, x):
                if self.training:
                    signal.raise_signal(signal.SIGTERM)
                return super().forward(x)

        clf = MaxConstraintClassifier(encoder=Ends, random_state=0)
        with pytest.raises(Ended):
            fit(clf)
        assert signal.getsignal(signal.SIGTERM) is end
    finally:
        signal.signal(signal.SIGTERM, former)


class InterruptsLater(Narrow):
    """An encoder that Ctrl-C strikes in its fourth step."""

    def forward(self, x):
        if self.training and getattr(self, "calls", 0) == 3:
            raise KeyboardInterrupt
        self.calls = getattr(self, "calls", 0) + self.training
        return super().forward(x)


@every_estimator
def test_the_user_who_interrupts_is_told_so_also_with_callbacks(estimator):
    options = {"encoder": InterruptsLater, "callbacks": [Watcher], "batch_size": None}
    hierarchy, X, Y = make("many")
    clf = build(estimator, hierarchy, max_iter=5, **options)
    with pytest.raises(KeyboardInterrupt) as caught:
        clf.fit(X, Y)
    assert "interrupted after 3 of 5 epochs" in caught.value.__notes__[0]
    assert clf.n_iter_ == 3 and clf.predict(X).shape == Y.shape


def test_an_error_of_a_callback_does_not_keep_an_interrupted_program_from_stopping():
    class Closes(Callback):
        def on_train_end(self, net, **kwargs):
            raise OSError("disk full")

    estimator = MaxConstraintClassifier(encoder=InterruptsLater, batch_size=None)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(estimator, callbacks=[Closes], max_iter=5)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(OSError, match="disk full"):
        fit(estimator, callbacks=[Closes], encoder=None, max_iter=1)


# -- encoders and searches -------------------------------------------------------------


@every_estimator
def test_an_encoder_class_takes_what_is_handed_on(estimator):
    clf = fit(estimator, encoder=Narrow, encoder__width=7)
    assert clf.net_.module_.encoder.out_features == 7
    factory = fit(estimator, encoder=lambda width: torch.nn.Linear(5, width), **W)
    assert factory.net_.module_.encoder.out_features == 2


W = {"encoder__width": 2}


@every_estimator
def test_a_grid_search_over_what_is_handed_on(estimator):
    hierarchy, X, Y = make("many")
    X, Y = np.tile(X, (2, 1)), np.tile(Y, (2, 1))  # each fold has every label
    clf = build(estimator, hierarchy, encoder=Narrow, max_iter=8)
    eps = [1e-8, 1e8]  # the second learns nothing
    optimizers = [torch.optim.RMSprop, torch.optim.Adam]
    # each of the three with both eps: the product of all four, 16 candidates, would
    # show no more, since none of the three reads what another one is
    grids = [
        {"optimizer": optimizers, "optimizer__eps": eps},
        {"callbacks": [None, [Watcher]], "optimizer__eps": eps},
        {"schedule": ["onecycle", "constant"], "optimizer__eps": eps},
    ]
    for grid in grids:
        grid["encoder__width"] = [6]
    search = GridSearchCV(clf, grids, scoring=au_prc_scorer, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 12
    assert search.best_params_["optimizer__eps"] == 1e-8
    assert search.best_estimator_.net_.module_.encoder.out_features == 6


@every_estimator
def test_a_subclass_may_have_parameters_of_its_own(estimator):
    hierarchy, X, Y = make("many")
    kind = type(estimator)

    class Own(kind):
        def __init__(self, hierarchy=None, *, extra=1, max_iter=2, **prefixed):
            super().__init__(hierarchy, max_iter=max_iter, **prefixed)
            self.extra = extra

    assert Own(hierarchy, extra=3).fit(X, Y).predict(X).shape == Y.shape
