"""What a file may name: the classes and functions that loading finds, and no others.

A file has the name of a row, never that of a module. So classes may move from module to
module, and a file cannot have anything imported that is not named here.
"""

from functools import cached_property
from importlib import import_module

__all__ = [
    "ADDED",
    "BIT_GENERATORS",
    "RENAMED",
    "SCIKIT_LEARN",
    "class_named",
    "function_named",
    "name_of_class",
    "name_of_function",
    "name_of_value_class",
    "value_class_named",
    "without_derived",
]

# by module: classes of which objects are made, and given back their attributes
OBJECTS = {
    "skhmc._kernels.calibration": ["Sigmoids"],
    "skhmc._kernels.kernel_hmc": ["KernelHMC"],
    "skhmc._kernels.kernels": ["Kernel", "Nystroem"],
    "skhmc._kernels.model": ["Features", "KernelModel"],
    "skhmc._linear.label_tree": ["LabelTreeClassifier"],
    "skhmc._meta.calibrated": ["HierarchicalCalibratedClassifier"],
    "skhmc._meta.calibration_maps": [
        "Identity",
        "Isotonic",
        "Limits",
        "Mixture",
        "Sigmoid",
        "Temperature",
    ],
    "skhmc._meta.coherent": ["CoherentClassifier"],
    "skhmc._meta.mixtures": ["Classes", "Labels"],
    "skhmc._meta.multioutput": ["PerLabel"],
    "skhmc._meta.sketched_forest": ["SketchedForest"],
    "skhmc._meta.threshold": ["HierarchicalThresholdClassifier"],
    "skhmc._meta.voting": ["HierarchicalVotingClassifier"],
    "skhmc._networks.checkpoint": ["Checkpoint"],
    "skhmc._networks.hcal": ["HCALClassifier"],
    "skhmc._networks.hyperbolic": ["HyperbolicHMC", "LearntFrom"],
    "skhmc._networks.label_embedding": ["PairCounts"],
    "skhmc._networks.max_constraint": ["MaxConstraintClassifier"],
    "skhmc._networks.skorch_net": [
        "Net",
        "_BestWeights",
        "_OneCycle",
        "_Progress",
        "_Schedule",
    ],
    "skhmc._networks.training": ["Former", "LabelCounts"],
    "skhmc._scoring.grown": ["Grown", "Starts"],
    "skhmc._scoring.label_form": ["ManyPaths", "SinglePath"],
    "skhmc._utils.separators": ["Separator"],
    "skhmc.audit": ["MissingAnnotationDetector"],
    "skhmc.hierarchy": ["Term"],
    "skhmc.metrics": ["HierarchicalScorer", "HierarchicalViolationRate"],
    "skhmc.model_selection": [
        "MultilabelStratifiedGroupKFold",
        "MultilabelStratifiedGroupShuffleSplit",
        "MultilabelStratifiedKFold",
        "MultilabelStratifiedShuffleSplit",
        "RepeatedMultilabelStratifiedGroupKFold",
        "RepeatedMultilabelStratifiedKFold",
    ],
    "skhmc.paths": ["PathSpace"],
    "skhmc.preprocessing": [
        "AncestorClosure",
        "HierarchicalLabelBinarizer",
        "HierarchicalPrototypeTransformer",
        "TaxonomyEncoder",
    ],
    # what holds estimators of ours, with the requests of metadata routing
    "sklearn.compose": ["ColumnTransformer"],
    "sklearn.frozen": ["FrozenEstimator"],
    "sklearn.multioutput": ["MultiOutputClassifier"],
    "sklearn.pipeline": ["FeatureUnion", "Pipeline"],
    "sklearn.utils._metadata_requests": ["MetadataRequest", "MethodMetadataRequest"],
    "skorch.callbacks": ["EarlyStopping", "EpochTimer", "GradientNormClipping"],
}
# lists and dicts with a class of their own
CONTAINERS = {
    "collections": ["OrderedDict"],
    "sklearn.utils": ["Bunch"],
    "skorch.history": ["History"],
}
# what _encode.py and _decode.py know the making of
MADE_BY_HAND = {
    "numpy.random": ["Generator", "RandomState"],
    "scipy.sparse": ["csc_array", "csc_matrix", "csr_array", "csr_matrix"],
    "skhmc": ["Hierarchy"],
    "skhmc.hierarchy": ["Ontology"],
}
# classes that are themselves values of parameters
VALUE_CLASSES = {
    "builtins": ["bool", "float", "int", "object", "str"],
    "numpy": ["float16", "float32", "float64", "int32", "int64", "uint8"],
    "skhmc.nn.rows": ["RowAdamW"],
    "torch.optim": [
        "ASGD",
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Rprop",
        "SGD",
    ],
    "torch.optim.lr_scheduler": [
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CyclicLR",
        "ExponentialLR",
        "MultiStepLR",
        "OneCycleLR",
        "PolynomialLR",
        "ReduceLROnPlateau",
        "StepLR",
    ],
}
FUNCTIONS = {
    "builtins": ["print"],  # to which callbacks of skorch write
    "skhmc.coherence": [
        "average_constraint",
        "isotonic_constraint",
        "max_constraint",
        "min_constraint",
        "product_constraint",
    ],
    "skhmc.metrics": [
        "au_prc_score",
        "coverage_at_k_score",
        "depth_weighted_hamming_loss",
        "exact_match_score",
        "expected_calibration_error",
        "f_max_score",
        "full_path_accuracy_score",
        "h_loss",
        "hierarchical_f1_score",
        "hierarchical_fbeta_score",
        "hierarchical_precision_score",
        "hierarchical_recall_score",
        "hierarchical_violation_rate",
        "lca_f1_score",
        "lca_precision_score",
        "lca_recall_score",
        "ndcg_at_k_score",
        "precision_at_k_score",
        "propensity_scored_precision_at_k_score",
        "recall_at_k_score",
        "s_min_score",
        "tree_distance_loss",
        "tree_inconsistency_error",
        "weighted_f_max_score",
    ],
    "skhmc.nn.hyperbolic": ["log0", "radius_penalty"],
    "skhmc.nn.losses": ["asl", "bce", "softmax_loss", "zlpr"],
}
BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # of numpy.random
# {name of a class: {attribute in files of before: its name now, or None where it went}}
RENAMED: dict[str, dict[str, str | None]] = {}
_OF_NETWORKS: dict[str, object] = {
    "checkpoint": None,
    "linear_path": False,
    "linear_path_": False,
}
_OF_META: dict[str, object] = {"verbose": 0}
# {name of a class: {attribute that files of before lack: what they would have said}}
ADDED: dict[str, dict[str, object]] = {
    "HCALClassifier": {**_OF_NETWORKS, "contrastive": None},
    "HyperbolicHMC": _OF_NETWORKS,
    "MaxConstraintClassifier": _OF_NETWORKS,
    "CoherentClassifier": _OF_META,
    "HierarchicalCalibratedClassifier": _OF_META,
    "HierarchicalThresholdClassifier": _OF_META,
    "HierarchicalVotingClassifier": _OF_META,
    "LabelTreeClassifier": {"negatives": "siblings", "_saw_all": False},
}
# estimators, transformers and splitters of scikit-learn that skops writes into our file
SCIKIT_LEARN = {
    "sklearn.decomposition": ["PCA", "TruncatedSVD"],
    "sklearn.dummy": ["DummyClassifier"],
    "sklearn.ensemble": [
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    ],
    "sklearn.feature_extraction.text": [
        "CountVectorizer",
        "HashingVectorizer",
        "TfidfTransformer",
        "TfidfVectorizer",
    ],
    "sklearn.feature_selection": ["SelectKBest", "VarianceThreshold"],
    "sklearn.impute": ["SimpleImputer"],
    "sklearn.linear_model": [
        "LinearRegression",
        "LogisticRegression",
        "Ridge",
        "RidgeClassifier",
        "SGDClassifier",
    ],
    "sklearn.model_selection": [
        "GroupKFold",
        "GroupShuffleSplit",
        "KFold",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "ShuffleSplit",
        "StratifiedGroupKFold",
        "StratifiedKFold",
        "StratifiedShuffleSplit",
    ],
    "sklearn.naive_bayes": [
        "BernoulliNB",
        "ComplementNB",
        "GaussianNB",
        "MultinomialNB",
    ],
    "sklearn.preprocessing": [
        "Binarizer",
        "KBinsDiscretizer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "PolynomialFeatures",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    ],
    "sklearn.svm": ["LinearSVC"],
    "sklearn.tree": [
        "DecisionTreeClassifier",
        "DecisionTreeRegressor",
        "ExtraTreeClassifier",
        "ExtraTreeRegressor",
    ],
}


def _by_name(table):
    return {name: module for module, names in table.items() for name in names}


# by name, as a module may stand in several of these tables
_OBJECTS = _by_name(OBJECTS) | _by_name(CONTAINERS) | _by_name(MADE_BY_HAND)
_VALUE_CLASSES = _by_name(VALUE_CLASSES)
_FUNCTIONS = _by_name(FUNCTIONS)


def class_named(name):
    """Return the class of objects that has a name in files, KeyError if none has."""
    return getattr(import_module(_OBJECTS[name]), name)


def value_class_named(name):
    """Return the class that is a value itself and has a name in files."""
    return getattr(import_module(_VALUE_CLASSES[name]), name)


def function_named(name):
    """Return the function that has a name in files."""
    return getattr(import_module(_FUNCTIONS[name]), name)


def name_of_class(kind):
    """Return the name of a class of objects in files, None if it has none."""
    return _name_of(kind, _OBJECTS, class_named)


def name_of_value_class(kind):
    """Return the name of a class that is a value itself, None if it has none."""
    return _name_of(kind, _VALUE_CLASSES, value_class_named)


def name_of_function(function):
    """Return the name of a function in files, None if it has none."""
    return _name_of(function, _FUNCTIONS, function_named)


def _name_of(thing, table, find):
    name = getattr(thing, "__name__", None)
    if name in table and find(name) is thing:
        return name
    return None


def without_derived(kind, state):
    """Return attributes without those that a class makes itself when they are asked."""
    return {
        name: value
        for name, value in state.items()
        if not isinstance(getattr(kind, name, None), cached_property)
    }
