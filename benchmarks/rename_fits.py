"""Give stored fits the names that parameters and constants have now.

Run as ``python -m benchmarks.rename_fits``. The files of benchmarks.accuracy and
benchmarks.ablation hold the definition of every fit: its parameters, and the constants
of skhmc that it depends on. Where these only have other names than at the time of the
fit, the figures stay true, so that the definitions are rewritten and nothing is fitted
again. Some parameters became constants: definitions without these get the values that
fits had then. A table says what became of which names, and of how many fits.

All files are rewritten or none: an old parameter without a new spelling, or two
definitions that would become one, are an error. Names of now stay as they are, so that
a second run changes nothing.
"""

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import ablation, accuracy
from benchmarks.accuracy_parts import results

__all__ = [
    "FILES",
    "Refused",
    "renamed",
    "renamed_constants",
    "renamed_parameters",
    "with_constants",
]

FILES = (accuracy.RESULTS, ablation.RESULTS)


class Refused(ValueError):
    """A definition cannot be given the names of now."""


class Change(NamedTuple):
    """What a part of a definition was and is."""

    old: str
    new: str


# -- constants, which had the path of a module before their names ----------------------

CONSTANTS = {  # None is one that no figure depends on
    "skhmc._coherent.ALMOST_1": None,
    "skhmc._coherent.TINY": None,
    "skhmc._hcal.MOST_EXACT": "MAX_LABELS_WITH_HEAD",
    "skhmc._hcal.MOST_WEIGHTS": "MAX_HEAD_WEIGHTS",
    "skhmc._hyperbolic.SIMILARITIES": None,
    "skhmc._network.DROPOUT": "DROPOUT",
    "skhmc._network.FEW_FEATURES": "FEW_FEATURES",
    "skhmc._network.WIDE_DROPOUT": "WIDE_DROPOUT",
    "skhmc.paths.COARSE_WEIGHT": "COARSE_WEIGHT",
}
CALLABLES = {  # values of parameters
    "benchmarks.accuracy_parts.sets.pixels": "pixels",
    "benchmarks.encoders.SmallCNN": "SmallCNN",
    "numpy.clip": "clip",
}


def renamed_constants(definition):
    """Return a definition without paths of modules, and what was changed.

    Returns
    -------
    dict, list of Change
    """
    scores_paths = "HCALClassifier" in definition.values()
    found, changes = {}, []
    for name, value in definition.items():
        if isinstance(value, str) and value in CALLABLES:
            changes.append(Change(value, CALLABLES[value]))
            value = CALLABLES[value]
        if not name.startswith("skhmc."):
            found[name] = value
            continue
        if name not in CONSTANTS:
            raise Refused(
                f"They depend on the constant {name} = {value!r}, which has no name of "
                f"now. Expected some of: {', '.join(CONSTANTS)}."
            )
        new = CONSTANTS[name]
        if new == "COARSE_WEIGHT" and not scores_paths:
            new = None
        if new is not None:
            found[new] = value
        changes.append(Change(name, new or "nothing"))
    return found, changes


# -- parameters that became constants --------------------------------------------------

# The values that these had while they were parameters: what says otherwise is spelled
# by a parameter of now. They are those of the fits, whatever skhmc has today, so that
# fits become stale when it changes one.
WEIGHT_DECAY = 0.01
CHUNK = 32
POINTS_FACTOR = 10.0
BALANCED_CAP = 3.0
OF_NETWORKS = {"BALANCED_CAP": BALANCED_CAP, "WEIGHT_DECAY": WEIGHT_DECAY}
OF_THE_FITS = {
    "HCALClassifier": {**OF_NETWORKS, "CHUNK": CHUNK},
    "HyperbolicHMC": {**OF_NETWORKS, "POINTS_FACTOR": POINTS_FACTOR},
    "MaxConstraintClassifier": OF_NETWORKS,
}


def with_constants(definition):
    """Return a definition with the constants that were parameters, and what was added.

    Returns
    -------
    dict, list of Change
    """
    found, changes = dict(definition), []
    for name, constants in OF_THE_FITS.items():
        if name not in definition.values():
            continue
        for constant, value in constants.items():
            if constant not in definition:
                found[constant] = value
                old = f"{name} without {constant}"
                changes.append(Change(old, f"{constant} = {value!r}"))
    return found, changes


# -- parameters ------------------------------------------------------------------------


def under(new_name, old):
    """Spell one parameter under its new name."""
    (value,) = old.values()
    return {new_name: value}


def dropout(old):
    """Spell the shares of all layers in one parameter."""
    shares = list(old.values())
    if all(share == "auto" for share in shares):
        return {"dropout": "auto"}
    return {"dropout": shares}


def class_weight(old):
    """Spell the weights of classes with their cap."""
    weight, cap = old.values()
    if cap == BALANCED_CAP:
        return {"class_weight": weight}
    if weight != "balanced":
        raise no_spelling("class_weight_cap", cap, f"with class_weight={weight!r}")
    return {"class_weight": [weight, cap]}


def optimizer(old):
    """Spell what the named optimizers have.

    The momentum of "sgd" is always spelled: PUBLISHED does so, and no other fits have
    this optimizer.
    """
    kind, momentum, decay = old.values()
    new = {"optimizer": kind}
    if kind == "sgd":
        new["optimizer__momentum"] = momentum
    elif momentum != 0.9:
        raise no_spelling("momentum", momentum, f"with optimizer={kind!r}")
    if decay != WEIGHT_DECAY:
        if kind not in ("adamw", "adam", "sgd"):
            raise no_spelling("weight_decay", decay, f"with optimizer={kind!r}")
        new["optimizer__weight_decay"] = decay
    return new


def precision(old):
    """Spell type and precision of numbers in one parameter."""
    dtype, kind = old.values()
    if kind == "full":
        return {"precision": dtype}
    if dtype != "float32":
        raise no_spelling("dtype", dtype, f"with precision={kind!r}")
    return {"precision": kind}


def aggregation(old):
    """Spell the share of aggregation with its chunk."""
    share, chunk = old.values()
    return {"aggregation": share if chunk == CHUNK else [share, chunk]}


def prototype_rates(old):
    """Spell the learning rates of the network and of the prototypes."""
    rate, others = old.values()
    if others is None:
        return {"learning_rate_init": rate}
    others = others if isinstance(others, list) else [others]
    return {"learning_rate_init": [rate, *others]}


def point_rates(old):
    """Spell the learning rates of the network and of the points."""
    rate, factor = old.values()
    if factor == POINTS_FACTOR:
        return {"learning_rate_init": rate}
    return {"learning_rate_init": [rate, factor * rate]}


def ranking_sample(old):
    """Spell how many pairs and negatives are drawn."""
    return {"ranking_sample": list(old.values())}


def no_spelling(name, value, where):
    """Return the error of a value that no call of now has."""
    return Refused(
        f"They have {name}={value!r} {where}, which has no spelling now. Take these "
        f"fits from the file, and what they are of is fitted anew."
    )


ENSEMBLE = (("n_networks",), partial(under, "n_estimators"))
NETWORK = (
    (("class_weight", "class_weight_cap"), class_weight),
    (("optimizer", "momentum", "weight_decay"), optimizer),
    (("dtype", "precision"), precision),
)
EMBEDDING = (("input_dropout", "dropout", "embedding_dropout"), dropout)
RULES = {  # old parameters of an estimator, and how they are spelled now
    "HCALClassifier": (
        *NETWORK,
        ENSEMBLE,
        EMBEDDING,
        (("aggregation", "aggregation_chunk"), aggregation),
        (("learning_rate_init", "prototype_learning_rate"), prototype_rates),
    ),
    "HyperbolicHMC": (
        *NETWORK,
        EMBEDDING,
        (("learning_rate_init", "points_rate"), point_rates),
        (("n_pairs", "n_negatives"), ranking_sample),
        (("lam",), partial(under, "embedding_weight")),
        (("rule",), partial(under, "structure")),
        (("reach",), partial(under, "parent_threshold")),
    ),
    "MaxConstraintClassifier": (
        *NETWORK,
        ENSEMBLE,
        (("input_dropout", "dropout"), dropout),
    ),
    "CoherentClassifier": ((("method",), partial(under, "coherence")),),
}
KEPT = {  # names in RULES that are names of now, too
    "aggregation",
    "class_weight",
    "dropout",
    "learning_rate_init",
    "optimizer",
    "precision",
}


def renamed_parameters(definition):
    """Return a definition with the parameters of now, and what was changed.

    Returns
    -------
    dict, list of Change
    """
    found, changes = dict(definition), []
    for step, estimator in definition.items():
        known = isinstance(estimator, str) and estimator in RULES
        for names, rule in RULES[estimator] if known else ():
            old = {n: found[f"{step}__{n}"] for n in names if f"{step}__{n}" in found}
            if old.keys() <= KEPT:
                continue
            if len(old) < len(names):
                lacking = ", ".join(n for n in names if n not in old)
                raise Refused(
                    f"{estimator} has {calls(old)}, but no {lacking}: these names are "
                    f"neither the old ones nor those of now."
                )
            new = rule(old)
            for name in old:
                del found[f"{step}__{name}"]
            # what was handed on to the optimizer was stronger, too
            found = {f"{step}__{n}": value for n, value in new.items()} | found
            changes.append(
                Change(f"{estimator}({calls(old)})", f"{estimator}({calls(new)})")
            )
    return found, changes


def calls(params):
    """Return parameters as a call has them, with tuples for the lists of JSON."""
    said = {n: tuple(x) if isinstance(x, list) else x for n, x in params.items()}
    return ", ".join(f"{name}={value!r}" for name, value in said.items())


# -- files -----------------------------------------------------------------------------


def renamed(found):
    """Return results with the names of now, and how often what was changed.

    Parameters
    ----------
    found : dict
        What ``results.read`` returns.

    Returns
    -------
    dict, dict of Change to int
        The numbers are those of fits.
    """
    n_fits = Counter(run["fingerprint"] for run in found["runs"])
    names, definitions, changed = {}, {}, Counter()
    for old_name, definition in found["definitions"].items():
        try:
            for step in (renamed_constants, renamed_parameters, with_constants):
                definition, changes = step(definition)
                for change in changes:
                    changed[change] += n_fits[old_name]
            details, new_name = results.named(definition)
            if new_name in definitions:
                (other,) = (old for old, new in names.items() if new == new_name)
                raise Refused(f"They would be defined as {said_fits(found, other)}.")
        except Refused as error:
            said = said_fits(found, old_name)
            raise Refused(f"Cannot rename {said}. {error}") from None
        names[old_name], definitions[new_name] = new_name, details
    return {
        **found,
        "definitions": {name: definitions[name] for name in sorted(definitions)},
        "runs": [
            run | {"fingerprint": names[run["fingerprint"]]} for run in found["runs"]
        ],
    }, changed


def said_fits(found, name):
    """Return the fits of a definition in words."""
    own = [run for run in found["runs"] if run["fingerprint"] == name]
    rows = ", ".join(dict.fromkeys(repr(run["row"]) for run in own))
    sets = ", ".join(dict.fromkeys(run["data_set"] for run in own))
    return f"the {len(own)} fits {name} (of {rows} to {sets})"


def table(changed):
    """Return what was changed as text, a line each."""
    lines = [f"{'fits':>5}  old -> new"]
    for (old, new), number in sorted(changed.items()):
        lines.append(f"{number:>5}  {old} -> {new}")
    return "\n".join(lines)


def main(paths=FILES):
    """Rename what all files have, and say what."""
    files, total = {}, Counter()
    for path in map(Path, paths):
        try:
            files[path], changed = renamed(results.read(path))
        except Refused as error:
            sys.exit(f"{path}: {error} Nothing was written.")
        total.update(changed)
    for path, found in files.items():
        results.write(path, found)
        n_fits = len(found["runs"])
        print(f"{path.name}: {n_fits} of {n_fits} fits mapped.")
    print(table(total) if total else "All names are those of now already.")


if __name__ == "__main__":
    main()
