"""Tests of benchmarks.rename_fits: fits get other names, and never other figures.

``old_definitions.json`` has what fits were defined by when parameters and constants had
their old names, each with its old short name and its new one. A definition there is the
usual values of its parts, and more.
"""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from benchmarks import rename_fits
from benchmarks.accuracy_parts import results, rows
from benchmarks.rename_fits import (
    OF_THE_FITS,
    Refused,
    renamed_constants,
    renamed_parameters,
    with_constants,
)

HCAL = {
    "hcalclassifier": "HCALClassifier",
    "hcalclassifier__input_dropout": "auto",
    "hcalclassifier__dropout": "auto",
    "hcalclassifier__embedding_dropout": "auto",
    "hcalclassifier__aggregation": 0.0,
    "hcalclassifier__aggregation_chunk": 32,
    "hcalclassifier__class_weight": None,
    "hcalclassifier__class_weight_cap": 3.0,
    "hcalclassifier__optimizer": "adamw",
    "hcalclassifier__learning_rate_init": 0.001,
    "hcalclassifier__prototype_learning_rate": None,
    "hcalclassifier__momentum": 0.9,
    "hcalclassifier__weight_decay": 0.01,
    "hcalclassifier__n_networks": 1,
    "hcalclassifier__dtype": "float32",
    "hcalclassifier__precision": "full",
}
HYPERBOLIC = {
    "hyperbolichmc": "HyperbolicHMC",
    "hyperbolichmc__input_dropout": "auto",
    "hyperbolichmc__dropout": "auto",
    "hyperbolichmc__embedding_dropout": 0.2,
    "hyperbolichmc__learning_rate_init": 0.001,
    "hyperbolichmc__points_rate": 10.0,
    "hyperbolichmc__n_pairs": 256,
    "hyperbolichmc__n_negatives": 20,
    "hyperbolichmc__lam": 0.03,
    "hyperbolichmc__rule": "tree",
    "hyperbolichmc__reach": 0.8,
}
PEER = {
    "maxconstraintclassifier": "MaxConstraintClassifier",
    "maxconstraintclassifier__input_dropout": "auto",
    "maxconstraintclassifier__dropout": "auto",
}


def old_definitions():
    """Return the old definitions by their short names, and the new short names."""
    found = json.loads(Path(__file__).with_name("old_definitions.json").read_text())
    definitions, names = {}, {}
    for entry in found["definitions"]:
        definition = {}
        for part in entry["parts"]:
            definition |= found["usual"][part]
        definitions[entry["old"]] = definition | entry["more"]
        names[entry["old"]] = entry["new"]
    return definitions, names


def file_of(definitions):
    """Return results with a fit of every definition."""
    runs = [
        {"data_set": "enron", "row": f"row {k}", "seed": 0, "fingerprint": name}
        for k, name in enumerate(definitions)
    ]
    return {"environments": [], "definitions": definitions, "runs": runs}


def of(base, **changes):
    """Return a definition with some parameters changed."""
    step = next(iter(base))
    return base | {f"{step}__{name}": value for name, value in changes.items()}


def parameters(definition):
    """Return what renamed parameters are, without the names of steps."""
    found = renamed_parameters(definition)[0]
    return {name.partition("__")[2]: value for name, value in found.items()}


# -- what fits were defined by ---------------------------------------------------------


def test_all_old_definitions_are_renamed_one_to_one():
    definitions, names = old_definitions()
    for name, definition in definitions.items():
        assert results.named(definition) == (definition, name)
    found, changed = rename_fits.renamed(file_of(definitions))
    assert {run["row"]: run["fingerprint"] for run in found["runs"]} == {
        f"row {k}": new for k, new in enumerate(names.values())
    }
    assert len(set(names.values())) == len(names) == len(found["definitions"])
    for name, definition in found["definitions"].items():
        assert results.named(definition) == (definition, name)
        assert "skhmc." not in json.dumps(definition)
        assert "benchmarks." not in json.dumps(definition)
    networks = [x for x in definitions.values() if "skhmc._network.DROPOUT" in x]
    assert changed["skhmc._network.DROPOUT", "DROPOUT"] == len(networks) > 50


def test_names_of_now_stay_as_they_are():
    found, _ = rename_fits.renamed(file_of(old_definitions()[0]))
    again, changed = rename_fits.renamed(deepcopy(found))
    assert not changed
    assert json.dumps(again) == json.dumps(found)


# -- constants -------------------------------------------------------------------------


def test_constants_have_no_modules_and_those_without_effect_go():
    old = {"skhmc.paths.COARSE_WEIGHT": 0.1, "skhmc._hyperbolic.SIMILARITIES": ["a"]}
    peer, changes = renamed_constants(PEER | old)
    assert peer == PEER and [change.new for change in changes] == ["nothing"] * 2
    assert renamed_constants(HCAL | old)[0] == HCAL | {"COARSE_WEIGHT": 0.1}
    func = {"functiontransformer__func": "numpy.clip"}
    assert renamed_constants(func)[0] == {"functiontransformer__func": "clip"}


def test_a_constant_that_nobody_knows_is_refused():
    with pytest.raises(Refused, match=r"constant skhmc._hcal.NEW = 3, .* Expected"):
        renamed_constants(HCAL | {"skhmc._hcal.NEW": 3})


# -- parameters that became constants --------------------------------------------------


@pytest.mark.parametrize("base", [HCAL, HYPERBOLIC, PEER])
def test_parameters_that_became_constants_stay_in_the_definition(base):
    estimator = next(iter(base.values()))
    added = OF_THE_FITS[estimator]
    found, changes = with_constants(base)
    assert found == base | added
    said = [f"{name} = {value!r}" for name, value in added.items()]
    assert [change.new for change in changes] == said
    assert with_constants(found) == (found, [])
    other = base | dict.fromkeys(added, 7)  # fitted after a change of skhmc
    assert with_constants(other) == (other, [])
    (own,) = (v for k, v in rows.DEPENDS_ON.items() if k.__name__ == estimator)
    assert added.keys() <= set(own)


def test_what_other_estimators_are_fitted_with_stays_as_it_is():
    forest = {"coherentclassifier": "CoherentClassifier"}
    assert with_constants(forest) == (forest, [])


def test_fits_have_the_constants_of_their_time(monkeypatch):
    """What skhmc has changed since makes fits stale, and is not written over it."""
    found = file_of({"a": HCAL})
    before = rename_fits.renamed(found)[0]
    monkeypatch.setattr(rows.CONSTANTS["WEIGHT_DECAY"], 0.5)
    assert rename_fits.renamed(found)[0] == before
    (definition,) = before["definitions"].values()
    assert definition["WEIGHT_DECAY"] == 0.01


def test_another_value_than_the_constant_is_spelled_beside_it():
    found = file_of({"a": of(HCAL, weight_decay=0.5, aggregation_chunk=8)})
    (definition,) = rename_fits.renamed(found)[0]["definitions"].values()
    assert definition["WEIGHT_DECAY"] == 0.01 and definition["CHUNK"] == 32
    assert definition["hcalclassifier__optimizer__weight_decay"] == 0.5
    assert definition["hcalclassifier__aggregation"] == [0.0, 8]


# -- parameters ------------------------------------------------------------------------


def test_the_defaults_have_one_name_each():
    assert parameters(HCAL) == {
        "": "HCALClassifier",
        "dropout": "auto",
        "aggregation": 0.0,
        "class_weight": None,
        "optimizer": "adamw",
        "learning_rate_init": 0.001,
        "n_estimators": 1,
        "precision": "float32",
    }
    assert parameters(HYPERBOLIC) == {
        "": "HyperbolicHMC",
        "dropout": ["auto", "auto", 0.2],
        "learning_rate_init": 0.001,
        "ranking_sample": [256, 20],
        "embedding_weight": 0.03,
        "structure": "tree",
        "parent_threshold": 0.8,
    }
    assert parameters(PEER) == {"": "MaxConstraintClassifier", "dropout": "auto"}
    forest = {"coherentclassifier": "CoherentClassifier"}
    forest["coherentclassifier__method"] = "average"
    found = renamed_parameters(forest)[0]
    assert found["coherentclassifier__coherence"] == "average" and len(found) == 2


@pytest.mark.parametrize(
    ("base", "old", "new"),
    [
        (HCAL, {"n_networks": 2}, {"n_estimators": 2}),
        (HCAL, {"dropout": 0.5}, {"dropout": ["auto", 0.5, "auto"]}),
        (
            HCAL,
            {"input_dropout": 0.0, "dropout": 0.0, "embedding_dropout": 0.0},
            {"dropout": [0.0, 0.0, 0.0]},
        ),
        (HYPERBOLIC, {"embedding_dropout": "auto"}, {"dropout": "auto"}),
        (PEER, {"input_dropout": 0.0, "dropout": 0.7}, {"dropout": [0.0, 0.7]}),
        (HCAL, {"aggregation": 1.0}, {"aggregation": 1.0}),
        (HCAL, {"aggregation_chunk": 8}, {"aggregation": [0.0, 8]}),
        (HCAL, {"class_weight": "balanced"}, {"class_weight": "balanced"}),
        (
            HCAL,
            {"class_weight": "balanced", "class_weight_cap": 10.0},
            {"class_weight": ["balanced", 10.0]},
        ),
        (
            HCAL,
            {"optimizer": "sgd"},
            {"optimizer": "sgd", "optimizer__momentum": 0.9},
        ),
        (
            HCAL,
            {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 1e-4},
            {
                "optimizer": "sgd",
                "optimizer__momentum": 0.5,
                "optimizer__weight_decay": 1e-4,
            },
        ),
        (HCAL, {"weight_decay": 0.0}, {"optimizer__weight_decay": 0.0}),
        (
            HCAL,
            {"weight_decay": 0.5, "optimizer__weight_decay": 0.0},
            {"optimizer__weight_decay": 0.0},
        ),
        (
            HCAL,
            {"learning_rate_init": 0.01, "prototype_learning_rate": [0.05, 0.1]},
            {"learning_rate_init": [0.01, 0.05, 0.1]},
        ),
        (HCAL, {"prototype_learning_rate": 0.1}, {"learning_rate_init": [0.001, 0.1]}),
        (HYPERBOLIC, {"points_rate": 1.0}, {"learning_rate_init": [0.001, 0.001]}),
        (HCAL, {"dtype": "float64"}, {"precision": "float64"}),
        (HCAL, {"precision": "tf32"}, {"precision": "tf32"}),
        (HCAL, {"precision": "mixed"}, {"precision": "mixed"}),
    ],
)
def test_what_was_not_the_default_is_spelled(base, old, new):
    usual, found = parameters(base), parameters(of(base, **old))
    assert found == usual | new


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"momentum": 0.5}, r"momentum=0.5 with optimizer='adamw'"),
        ({"optimizer": "SGD", "momentum": 0.5}, r"momentum=0.5 with optimizer='SGD'"),
        ({"optimizer": "SGD", "weight_decay": 0.1}, r"weight_decay=0.1 with .*'SGD'"),
        ({"dtype": "float64", "precision": "tf32"}, r"dtype='float64' with .*'tf32'"),
        ({"class_weight_cap": 9.0}, r"class_weight_cap=9.0 with class_weight=None"),
    ],
)
def test_what_has_no_spelling_is_refused_with_the_fits(changes, said):
    name = "f" * 12
    found = file_of({name: of(HCAL, **changes)})
    expected = f"the 1 fits {name} .of 'row 0' to enron.. They have {said}"
    with pytest.raises(Refused, match=expected):
        rename_fits.renamed(found)


def test_names_of_which_some_are_old_are_refused():
    half = {key: x for key, x in HCAL.items() if not key.endswith("__momentum")}
    with pytest.raises(Refused, match=r"weight_decay=0.01, but no momentum"):
        renamed_parameters(half)


def test_two_definitions_never_become_one():
    both = {"a": PEER | {"skhmc._coherent.TINY": 1}}
    both["b"] = PEER | {"skhmc._coherent.TINY": 2}
    expected = r"1 fits b .of 'row 1'.*would be defined as the 1 fits a .of 'row 0'"
    with pytest.raises(Refused, match=expected):
        rename_fits.renamed(file_of(both))
    both["b"] = renamed_parameters(PEER)[0]  # which has the names of now
    with pytest.raises(Refused, match="would be defined as"):
        rename_fits.renamed(file_of(both))


# -- files -----------------------------------------------------------------------------


def test_files_are_rewritten_and_said(tmp_path, capsys):
    path = tmp_path / "results.json"
    definition, name = results.named(HCAL | {"skhmc.paths.COARSE_WEIGHT": 0.1})
    found = file_of({name: definition})
    results.write(path, found)
    rename_fits.main([path])
    new = results.read(path)
    assert new["runs"][0] | {"fingerprint": name} == found["runs"][0]
    assert "COARSE_WEIGHT" in new["definitions"][new["runs"][0]["fingerprint"]]
    said = capsys.readouterr().out
    assert "results.json: 1 of 1 fits mapped." in said
    assert "    1  skhmc.paths.COARSE_WEIGHT -> COARSE_WEIGHT\n" in said
    text = path.read_text()
    rename_fits.main([path])
    assert path.read_text() == text
    assert "All names are those of now already." in capsys.readouterr().out


def test_all_files_are_rewritten_or_none(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    results.write(good, file_of({"a": PEER | {"skhmc._coherent.TINY": 1}}))
    results.write(bad, file_of({"b": PEER | {"skhmc._other.NEW": 1}}))
    texts = [path.read_text() for path in (good, bad)]
    with pytest.raises(SystemExit, match=r"bad.json: Cannot .* Nothing was written."):
        rename_fits.main([good, bad])
    assert [path.read_text() for path in (good, bad)] == texts
    assert len(list(tmp_path.iterdir())) == 2


def test_calls_have_tuples():
    changes = renamed_parameters(of(HCAL, dropout=0.5))[1]
    new = "HCALClassifier(dropout=('auto', 0.5, 'auto'))"
    assert new in [change.new for change in changes]
