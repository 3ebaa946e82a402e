"""By what a fitted estimator is known again, in another process and on another day."""

import sys

import numpy as np
from joblib.hashing import NumpyHasher

__all__ = ["estimator_digest"]


def estimator_digest(estimator):
    """Return a digest of an estimator: its parameters, and all that it has learnt.

    It is that of a pickle, with arrays and tensors by their numbers.

    Raises
    ------
    TypeError
        Where a part of it has no name by which it could be known in another process.
    """
    try:
        return _Hasher(hash_name="sha1", coerce_mmap=True).hash(estimator)
    except Exception as error:
        raise TypeError(
            f"{type(estimator).__name__} holds something by which it cannot be told "
            f"from another one when predict_files goes on ({error}). Replace functions "
            f"without a name (lambda) by functions of a module."
        ) from error


class _Hasher(NumpyHasher):
    """joblib's, for networks, too."""

    def save(self, obj):
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            obj = (str(obj.dtype), obj.requires_grad, _numbers(torch, obj))
        if isinstance(obj, np.ndarray) and not obj.dtype.hasobject:
            plain = np.empty(obj.shape, obj.dtype)
            if obj.strides != plain.strides:  # as it would be read from a file
                obj = np.array(obj, order="C")
        super().save(obj)

    def _batch_setitems(self, items, *args):
        # whether a module was trained or asked last is no part of what it says
        kept = [
            (k, v) for k, v in items if not (isinstance(k, str) and k == "training")
        ]
        super()._batch_setitems(kept, *args)


def _numbers(torch, tensor):
    array = tensor.detach().cpu()
    if array.dtype == torch.bfloat16:  # which numpy has not
        array = array.contiguous().view(torch.int16)
    return array.numpy()
