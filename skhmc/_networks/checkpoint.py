"""Where and how often a fit puts itself away: the parameter ``checkpoint``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from sklearn.utils._param_validation import InvalidParameterError

__all__ = ["Checkpoint"]

RESUME = ("auto", "must", "never")


@dataclass(frozen=True)
class Checkpoint:
    """Where a fit of a network writes what it takes to go on after it was stopped.

    A fit that was killed, or interrupted by Ctrl-C, goes on after its last checkpoint
    when it is run again with the same parameters and data. On the CPU it ends with the
    same weights, predictions and history as a fit that was never stopped, bit for bit.
    Only the durations in ``history_`` differ.

    Parameters
    ----------
    folder : str or path
        Folder of the files. It is made if it is not there. Every fit has a file of its
        own, named after its parameters, data and versions. Clones in a search can share
        one folder.
    every : int, default=1
        Number of epochs between checkpoints. The end of a fit is always written.
    resume : {"auto", "must", "never"}, default="auto"
        Use of a checkpoint that the same fit left. "auto" goes on from it, or starts
        anew if there is none. A finished fit is taken as it is, with a warning. "must"
        raises an error if there is none, and names what differs from the nearest
        one. "never" starts anew, and replaces it.

    Notes
    -----
    A file has weights, the best weights of ``early_stopping``, the state of optimizer,
    schedule, random generators and callbacks, the history and the drawn seeds: numbers
    as safetensors, the rest as JSON. Reading it runs no code. It is replaced in one
    step, so that a kill while it is written leaves the old one.

    The data are compared value by value; of a ``numpy.memmap`` X, only the shape, the
    type and 1,000 rows. Parameters are compared by what they hold. Your functions and
    classes are compared by their code, and by the numbers and texts of their module
    that they name; what they import from other modules is not compared. Nor is
    ``verbose``. With ``random_state=None``, a fit goes on with the seeds it drew when
    it began.

    ``partial_fit`` writes no checkpoints.

    Examples
    --------
    >>> import tempfile
    >>> from skhmc import Checkpoint, MaxConstraintClassifier
    >>> X, Y = [[0.0], [1.0], [2.0], [3.0]], [[1, 0], [1, 0], [1, 1], [1, 1]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf = MaxConstraintClassifier(
    ...         {"dog": "animal"},
    ...         max_iter=4,
    ...         checkpoint=Checkpoint(folder, every=2),
    ...         random_state=0,
    ...     )
    ...     print(clf.checkpoint.every, clf.checkpoint.resume)
    2 auto
    """

    folder: str | os.PathLike[str]
    every: int = 1
    resume: str = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | os.PathLike) or not str(self.folder):
            raise InvalidParameterError(
                f"The 'folder' parameter of Checkpoint must be the path of a folder, "
                f"got {self.folder!r}."
            )
        is_count = isinstance(self.every, Integral) and not isinstance(self.every, bool)
        if not is_count or self.every < 1:
            raise InvalidParameterError(
                f"The 'every' parameter of Checkpoint must be a number of epochs, an "
                f"int of at least 1, got {self.every!r}."
            )
        if self.resume not in RESUME:
            raise InvalidParameterError(
                f"The 'resume' parameter of Checkpoint must be one of {list(RESUME)}, "
                f"got {self.resume!r}."
            )

    @property
    def _path(self) -> Path:
        return Path(self.folder).expanduser()
