"""Parameters of network estimators: what they may be, and those that are handed on."""

import inspect
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions

from skhmc._networks.skorch_net import OPTIMIZERS

__all__ = [
    "COMMITTEE_CONSTRAINTS",
    "EMBEDDING_CONSTRAINTS",
    "NETWORK_CONSTRAINTS",
    "PassThrough",
    "check_accepted",
    "passed_on",
]


PREFIXES = ("callbacks__", "encoder__", "optimizer__", "schedule__")


def passed_on(estimator, name):
    """Return what an estimator hands on to one of its parts, without the prefix."""
    prefix = f"{name}__"
    return {
        key.removeprefix(prefix): value
        for key, value in vars(estimator).items()
        if key.startswith(prefix)
    }


def check_accepted(name, options, function, more=(), less=()):
    """Raise when a class or function does not take what is handed on to it.

    Parameters
    ----------
    name : str
        The prefix, for the message.
    options : dict
    function : callable
    more : iterable of str
        What else is understood.
    less : iterable of str
        What is not the user's to say.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = sorted({p.name for p in parameters} - set(less) | set(more))
    for key in options:
        if key not in known:
            expected = ", ".join(f"{name}__{k}" for k in known) or "no such parameter"
            raise InvalidParameterError(
                f"{name}__{key} is no parameter of {_called(function)}. Expected some "
                f"of: {expected}."
            )


def _called(function):
    return getattr(function, "__qualname__", repr(function))


class PassThrough:
    """Takes, shows and sets parameters that are handed on, known by their prefix.

    Before scikit-learn's BaseEstimator in the bases of a class, whose constructor ends
    with ``**passed_on`` and calls ``self._assign(locals())``, no more.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # scikit-learn takes the signature for the list of parameters, to which the
        # name of the open end does not belong
        signature = inspect.signature(cls.__init__)
        named = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
        cls.__signature__ = signature.replace(parameters=named[1:])

    def _assign(self, given):
        """Set what the constructor was given, each parameter by its name."""
        passed_on = given["passed_on"]
        for key in passed_on:
            if not key.startswith(PREFIXES):
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword "
                    f"argument {key!r}; parameters that are handed on begin with "
                    f"{', '.join(PREFIXES)}."
                )
        no_parameters = ("self", "passed_on", "__class__")
        own = {k: value for k, value in given.items() if k not in no_parameters}
        vars(self).update(own | passed_on)

    def get_params(self, deep=True):
        """Return the parameters by name, with those that are handed on.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of parameters that are estimators, too.

        Returns
        -------
        dict
            Names and values.
        """
        handed_on = {k: v for k, v in vars(self).items() if k.startswith(PREFIXES)}
        return super().get_params(deep) | handed_on

    def set_params(self, **params):
        """Set parameters, also any that are handed on, and return the estimator.

        Parameters
        ----------
        **params : dict
            Names and values. In a Pipeline the step's name comes first:
            ``hcalclassifier__optimizer__betas``.

        Returns
        -------
        estimator
            The estimator itself.
        """
        handed_on = {k: v for k, v in params.items() if k.startswith(PREFIXES)}
        super().set_params(**{k: v for k, v in params.items() if k not in handed_on})
        vars(self).update(handed_on)
        return self


_share = Interval(Real, 0, 1, closed="left")
_positive = Interval(Real, 0, None, closed="neither")
_count = Interval(Integral, 1, None, closed="left")

NETWORK_CONSTRAINTS = {
    "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
    "encoder": [None, callable],
    "hidden_layer_sizes": ["array-like", _count],
    "input_dropout": [_share, StrOptions({"auto"})],
    "dropout": [_share, StrOptions({"auto"})],
    "class_weight": [None, dict, StrOptions({"balanced"})],
    "class_weight_cap": [Interval(Real, 1, None, closed="left")],
    "threshold": [None, Interval(Real, 0, 1, closed="both")],
    "proba_format": [StrOptions({"array", "list"})],
    "sparse_output": ["boolean"],
    "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
    "learning_rate_init": [_positive],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "schedule": [StrOptions({"onecycle", "constant"}), callable],
    "batch_size": [None, _count],
    "n_sampled_labels": [None, _count, StrOptions({"auto"})],
    "max_iter": [_count],
    "warm_start": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_count],
    "tol": [Interval(Real, 0, None, closed="left")],
    "callbacks": [None, list, tuple],
    "dtype": [StrOptions({"float32", "float64"})],
    "precision": [StrOptions({"full", "tf32", "mixed"})],
    "device": "no_validation",  # resolve_device says what is wrong
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
COMMITTEE_CONSTRAINTS = {"n_networks": [_count]}  # of what need not be one network
EMBEDDING_CONSTRAINTS = {  # of networks that embed X where labels are
    "embedding_dim": [_count],
    "embedding_dropout": [_share, StrOptions({"auto"})],
}
