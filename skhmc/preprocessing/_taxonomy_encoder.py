"""Categories together with their ancestors in a taxonomy."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from skhmc._data.flat_names import paths_among
from skhmc._data.versions import VersionedMixin
from skhmc._utils.doc_link import DocLinkMixin
from skhmc._utils.messages import is_missing, name_list
from skhmc._utils.separators import check_sep
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy
from skhmc.preprocessing._names import (
    find_label,
    known_separators,
    learn_hierarchy,
    sorted_names,
)

__all__ = ["TaxonomyEncoder"]


def _read_columns(encoder, X, reset):
    """Return every column as a list of categories, None where one is missing."""
    options = {"dtype": None, "ensure_all_finite": "allow-nan"}
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:  # each column in its type
        validate_data(encoder, X, reset=reset, skip_check_array=True)
        options = {**options, "ensure_2d": False, "dtype": object}
        columns = [check_array(X.iloc[:, k], **options) for k in range(X.shape[1])]
    else:
        given = X
        X = validate_data(encoder, X, reset=reset, **options)
        if not hasattr(given, "dtype") and X.dtype.kind in "US":
            X = check_array(given, dtype=object)  # numbers beside strings stay numbers
        columns = X.T
    return [[_read_category(x) for x in column.tolist()] for column in columns]


def _read_category(value):
    if not isinstance(value, Hashable):
        raise TypeError(
            f"A category as input argument must be a string or number (or another "
            f"hashable object), got {value!r}."
        )
    return None if value is None or is_missing(value) else value


def _is_taxonomy(source):
    """Tell what can stand in a list or dict of taxonomies, one per column."""
    return isinstance(source, (Hierarchy, Mapping)) or hasattr(source, "is_directed")


def _per_column(sources):
    """Tell several taxonomies from a list of paths or edges, or from parents."""
    kinds = [source is None or _is_taxonomy(source) for source in sources]
    return all(kinds) and any(source is not None for source in sources)


def _by_column(taxonomies, names):
    """Tell a dict of taxonomies by the name of the column from parents."""
    if not taxonomies or _per_column(taxonomies.values()):
        return True
    if not all(isinstance(key, str) and key in names for key in taxonomies):
        return False
    wrong = [
        key
        for key, value in taxonomies.items()
        if not (value is None or _is_taxonomy(value))
    ]
    if wrong:
        raise ValueError(
            f"The keys of taxonomies are columns of X, of which {name_list(wrong)} "
            f"hold no taxonomy, got {taxonomies[wrong[0]]!r}. Give each column a "
            f"Hierarchy, such as Hierarchy.build(['a/b', 'a/c']), a mapping "
            f"{{child: parents}}, a networkx.DiGraph, or None."
        )
    return True


def _one_per_column(taxonomies, names):
    """Return what the parameter ``taxonomies`` says of every column, in a list."""
    if isinstance(taxonomies, Mapping) and _by_column(taxonomies, names):
        unknown = [name for name in taxonomies if name not in names]
        if unknown:
            raise ValueError(
                f"taxonomies names columns that X does not have: {name_list(unknown)}. "
                f"Expected some of {name_list(names)}."
            )
        return [taxonomies.get(name) for name in names]
    if isinstance(taxonomies, (list, tuple)) and _per_column(taxonomies):
        if len(taxonomies) != len(names):
            raise ValueError(
                f"Got {len(taxonomies)} taxonomies for the {len(names)} columns of X. "
                f"Give one per column, None for a column without, or a dict by name."
            )
        return list(taxonomies)
    if taxonomies is None or isinstance(taxonomies, str):
        return [taxonomies] * len(names)
    return [Hierarchy.build(taxonomies)] * len(names)


def _judge_categories(categories):
    """Warn where categories that nobody gave a taxonomy look like paths."""
    found = paths_among(sorted_names(categories))
    if found is None:
        return
    child = found.labels[found.edges[0, 1]]
    warn_of_input(
        f"Categories such as {child!r} look like paths, but taxonomies=None knows none "
        f"and encodes each by itself, without its ancestors. For these pass "
        f"taxonomies='paths'; sep=None silences this, with which no category is a "
        f"path.",
        HierarchyWarning,
    )


class TaxonomyEncoder(VersionedMixin, DocLinkMixin, TransformerMixin, BaseEstimator):
    """Encode categories as indicators of themselves and of their ancestors.

    A one-hot encoding with a taxonomy: a lynx is also a cat and an animal. So a model
    that learns about cats also knows about a lynx, and about a rare or new kind of cat.

    Parameters
    ----------
    taxonomies : one taxonomy, list, dict, "paths" or None, default=None
        Taxonomy of all columns: a Hierarchy or anything ``Hierarchy.build`` takes. Or
        one per column: a list, or a dict by the name of the column (by its number, from
        0, if X has no strings as names). A list or dict holds Hierarchy objects,
        mappings ``{child: parents}``, networkx graphs, or None. "paths" learns a
        taxonomy of every column from its categories, read as paths. None learns flat
        ones, as OneHotEncoder does. The same holds for columns that a dict leaves out.
    sep : str or None, default="auto"
        Text between the parts of a category that is a path; "auto" finds the one that
        the categories share, as :meth:`Hierarchy.from_paths` does. None: no category is
        a path.
    unknown : {"error", "ignore"}, default="error"
        Treatment of a category that is not in the taxonomy: raise an error, or encode
        it as zeros. The known beginning of a path is enough: ``"cat/new"`` is encoded
        as ``"cat"``.
    sparse_output : bool, default=True
        Whether ``transform`` returns a CSR matrix.
    dtype : number type, default=numpy.float64
        Type of the numbers that ``transform`` returns.

    Attributes
    ----------
    taxonomies_ : list of Hierarchy
        The taxonomy of every column.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (n_columns,)
        Names of the columns, if ``X`` was a DataFrame with strings as names.

    See Also
    --------
    sklearn.preprocessing.OneHotEncoder : Encodes categories without a taxonomy.
    HierarchicalLabelBinarizer : The same for labels.

    Notes
    -----
    A column has an output per label of its taxonomy, in the taxonomy's order; names are
    ``column_label``. Missing categories (None, NaN, pandas.NA) are zeros. A category is
    the name of a label or else a path, as a string or tuple (see
    :class:`HierarchicalLabelBinarizer`).

    Examples
    --------
    >>> from skhmc.preprocessing import TaxonomyEncoder
    >>> encoder = TaxonomyEncoder(["animal/cat", "animal/dog"], sparse_output=False)
    >>> encoder.fit_transform([["animal/dog"], ["animal/cow"], [None]])
    array([[1., 0., 1.],
           [1., 0., 0.],
           [0., 0., 0.]])
    >>> list(encoder.get_feature_names_out(["kind"]))
    ['kind_animal', 'kind_animal/cat', 'kind_animal/dog']
    """

    _parameter_constraints: dict = {
        "taxonomies": [
            None,
            StrOptions({"paths"}),
            Hierarchy,
            Mapping,
            HasMethods("is_directed"),
            "array-like",
            "sparse matrix",
        ],
        "sep": [str, None],
        "unknown": [StrOptions({"error", "ignore"})],
        "sparse_output": ["boolean"],
        "dtype": "no_validation",
    }

    def __init__(
        self,
        taxonomies: Any = None,
        *,
        sep: str | None = "auto",
        unknown: str = "error",
        sparse_output: bool = True,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.taxonomies = taxonomies
        self.sep = sep
        self.unknown = unknown
        self.sparse_output = sparse_output
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: None = None) -> TaxonomyEncoder:
        """Learn the taxonomies, or check that the given ones know the categories.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Categories: strings, numbers; None and NaN are missing.
        y : None
            Ignored.

        Returns
        -------
        TaxonomyEncoder
            The encoder itself.
        """
        self.__dict__.pop("taxonomies_", None)  # unfitted, should this fail
        check_sep(self.sep)
        columns = _read_columns(self, X, reset=True)
        sources = _one_per_column(self.taxonomies, self._column_names())
        pairs = zip(sources, columns, strict=True)
        read = [self._taxonomy(*pair) for pair in pairs]
        taxonomies = [taxonomy for taxonomy, _ in read]
        self._separators = [separators for _, separators in read]
        for k, column in enumerate(columns):
            self._positions(k, column, taxonomies[k])
        self.taxonomies_ = taxonomies
        return self

    def transform(self, X: Any) -> Any:
        """Return the indicators.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Categories.

        Returns
        -------
        csr_matrix, ndarray or DataFrame of shape (n_samples, n_features_out)
            1 for every category and its ancestors, 0 elsewhere.

        Raises
        ------
        ValueError
            When there are unknown categories and ``unknown="error"``; it names them.
        """
        check_is_fitted(self, "taxonomies_")
        wanted = _get_output_config("transform", self)["dense"]
        if self.sparse_output and wanted != "default":
            name = wanted.capitalize()
            raise ValueError(
                f"{name} output does not support sparse data. Set sparse_output=False "
                f"for {wanted} output, or set_output(transform='default')."
            )
        columns = _read_columns(self, X, reset=False)
        parts = [self._encode(k, column) for k, column in enumerate(columns)]
        encoded = sp.csr_matrix(sp.hstack(parts, format="csr", dtype=self.dtype))
        return encoded if self.sparse_output else encoded.toarray()

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Return the names of the features: column, underscore and label.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; by default those seen in ``fit``, else x0, x1, ...

        Returns
        -------
        ndarray of shape (n_features_out,), object
            The names.
        """
        check_is_fitted(self, "taxonomies_")
        names = _check_feature_names_in(self, input_features)
        pairs = zip(names, self.taxonomies_, strict=True)
        return np.array([f"{n}_{x}" for n, t in pairs for x in t.labels], dtype=object)

    def _column_names(self):
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return [str(name) if isinstance(name, str) else name for name in names]

    def _taxonomy(self, source, column):
        """Return the taxonomy of a column, and what separates parts of paths in it."""
        categories = set(column) - {None}
        if source is None:
            if self.taxonomies is None and self.sep is not None:
                _judge_categories(categories)
            return Hierarchy.flat(sorted_names(categories)), ()
        if isinstance(source, str):  # "paths"
            return learn_hierarchy(categories, self.sep, sure=True)
        taxonomy = Hierarchy.build(source)
        return taxonomy, known_separators(taxonomy, self.sep)

    def _encode(self, k, column):
        positions = self._positions(k, column, self.taxonomies_[k])
        rows = np.flatnonzero(positions >= 0)
        shape = (len(column), self.taxonomies_[k].n_labels)
        ones = np.ones(len(rows), bool)
        own = sp.csr_matrix((ones, (rows, positions[rows])), shape)
        return close_upward(own, self.taxonomies_[k])

    def _positions(self, k, column, taxonomy):
        """Return the position of every category in its taxonomy, -1 for none."""
        parts = (taxonomy, self._separators[k])
        found = {x: find_label(x, *parts)[0] for x in set(column) - {None}}
        unknown = [category for category, position in found.items() if position < 0]
        if unknown and self.unknown == "error":
            raise ValueError(
                f"Found unknown categories in column {self._column_names()[k]!r}: "
                f"{name_list(sorted_names(unknown))}. Expected some of "
                f"{name_list(taxonomy.labels)}, or paths that begin with one. Correct "
                f"them, or encode them as zeros with unknown='ignore'."
            )
        return np.array([found.get(x, -1) for x in column], dtype=np.intp)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags
