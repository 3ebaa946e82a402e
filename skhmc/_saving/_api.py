"""``save`` and ``load``."""

from __future__ import annotations

import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import sklearn
from sklearn.base import BaseEstimator

from skhmc._data.versions import VersionWarning
from skhmc._saving._decode import Reader
from skhmc._saving._encode import Writer
from skhmc._saving._file import ModelFileError, read_file, write_file
from skhmc._saving._types import name_of_class
from skhmc._utils.version import package_version
from skhmc._utils.warnings import warn_user

__all__ = ["load", "save"]

PACKAGES = ("numpy", "scipy", "scikit-learn", "skorch", "torch", "skops")


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator into one file, from which loading runs no code.

    The file is written beside ``path``, compared with what was to be written, and then
    put in its place. So there is the old file or the new one, whatever happens.

    Parameters
    ----------
    estimator : estimator
        An estimator, a meta-estimator or a transformer of skhmc, fitted or not; or a
        ``Pipeline``, a ``FeatureUnion``, a ``ColumnTransformer``, a
        ``MultiOutputClassifier`` or a ``FrozenEstimator`` of such. What it holds of
        scikit-learn is written by skops (``pip install "skhmc[save]"``), if it is of
        the classes that the guide lists.
    path : str or path-like
        The file, by custom with the ending ``.skhmc``. One that is there is replaced.

    Raises
    ------
    ModelFileError
        When the estimator holds something that the file cannot, such as a function of
        yours. The message says where it is. The file at ``path`` stays as it was.
    OSError
        When the disk is full or does not return what was written.

    Notes
    -----
    Of a network with your own ``encoder``, the file has the weights but not the code:
    give the code to :func:`load`. What the encoder keeps outside of its ``state_dict``
    is lost.

    Examples
    --------
    >>> import os, tempfile
    >>> import skhmc
    >>> from skhmc import Hierarchy, LabelTreeClassifier
    >>> animals = Hierarchy.from_paths(["mammal/cat", "mammal/dog", "bird"])
    >>> X, y = [[0, 1], [1, 0], [1, 1]], ["mammal/cat", "mammal/dog", "bird"]
    >>> clf = LabelTreeClassifier(animals, C=1.0, slope=1.0, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "animals.skhmc")
    ...     skhmc.save(clf, path)
    ...     again = skhmc.load(path)
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    if not isinstance(estimator, BaseEstimator) or not name_of_class(type(estimator)):
        raise _no_estimator(estimator)
    writer = Writer()
    name = type(estimator).__name__
    try:
        root = writer.write(estimator, name)
    except RecursionError as error:
        raise ModelFileError(
            f"{name} holds lists or dicts inside each other that are too deep for a "
            f"file, or that hold themselves."
        ) from error
    document = {
        "versions": _versions(),
        "root": root,
        "objects": writer.objects,
        "arrays": writer.described,
    }
    write_file(path, document, writer.arrays)


def load(path: str | os.PathLike[str], encoder: Any = None) -> Any:
    """Return the estimator that a file of :func:`save` holds.

    It predicts what the one that was saved predicted, bit for bit, and training goes on
    from it in the same way. No code of the file is run, nothing is unpickled, and no
    module is imported but those of a fixed list. So a stranger's file can be a bad
    model, but no program.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` has written.
    encoder : callable, nn.Module or dict, default=None
        Value of the network's parameter ``encoder``: the class, the function or the
        module. A dict by the names in the file where there are several. This is code of
        yours, and is run.

    Returns
    -------
    estimator
        The estimator, with its parameters and what it has learnt.

    Raises
    ------
    ModelFileError
        When the file is damaged, is no file of :func:`save`, has a later format, or
        needs an ``encoder``.
    ValueError
        When ``encoder`` is given, but no network in the file has one of yours.

    Warns
    -----
    UserWarning
        When the estimator had a ``checkpoint``, or a Pipeline a ``memory``. They are
        None in what is returned: a later ``fit`` would write into a folder that the
        file names.
    VersionWarning
        When another version of skhmc wrote the file. It is a warning of the class
        ``sklearn.exceptions.InconsistentVersionWarning``.
    InconsistentVersionWarning
        When another version of scikit-learn wrote a part of the file. An older one may
        not be able to predict with what a newer one learnt.

    Notes
    -----
    Loading takes memory of a few times the file's size, whatever the file says.

    Examples
    --------
    >>> import os, tempfile
    >>> import skhmc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skhmc")
    ...     skhmc.save(skhmc.KernelHMC(ridge=0.5), path)
    ...     skhmc.load(path)
    KernelHMC(ridge=0.5)
    """
    document, arrays = read_file(path)
    try:
        versions = document["versions"]
        reader = Reader(document, arrays, encoder)
        estimator = reader.read(document["root"])
        written_by = str(versions["skhmc"])
    except (ModelFileError, ImportError, Warning):
        raise
    except Exception as error:
        raise ModelFileError(
            f"{os.fspath(path)!r} holds something that skhmc.save does not write: "
            f"{type(error).__name__}: {error}. It is damaged, made by hand, or of "
            f"another version of skhmc than {package_version()}."
        ) from error
    if not isinstance(estimator, BaseEstimator):
        raise ModelFileError(
            f"{os.fspath(path)!r} holds {type(estimator).__name__}, no estimator."
        )
    if encoder is not None and not reader.takes_encoder:
        raise ValueError(
            f"Got encoder={encoder!r:.200}, but no network in {os.fspath(path)!r} has "
            f"an encoder of yours. Leave encoder= out, or look at the path."
        )
    if reader.left_out:
        warn_user(
            f"{' and '.join(reader.left_out)} is left out of what {os.fspath(path)!r} "
            f"holds, since a later fit would write there. Give a folder of yours to "
            f"set_params(), if you want to train on."
        )
    if written_by != package_version():
        warnings.warn(
            VersionWarning(type(estimator).__name__, written_by, "load"), stacklevel=2
        )
    return estimator


def _no_estimator(value):
    """Return the error of what is no estimator of ours, and what to do."""
    got = value.__name__ if isinstance(value, type) else type(value).__name__
    advice = "Keep others with joblib or skops."
    if got.endswith("SearchCV"):
        advice = "Save its best_estimator_."
    elif isinstance(value, type):
        advice = "Make an instance of the class."
    return ModelFileError(
        f"Got {got}, expected an estimator of skhmc, or a Pipeline that has one. "
        f"{advice}"
    )


def _versions():
    """Return the versions of what a file was written with."""
    found = {"skhmc": package_version(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # skops is an extra
            continue
    return found | {"scikit-learn": sklearn.__version__}
