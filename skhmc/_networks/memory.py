"""How much memory a network takes at least, looked at before any is taken."""

import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._utils.memory import bytes_as_text, free_memory

__all__ = ["check_memory", "memory_of_training", "raise_if_out_of_memory"]

# What training keeps of every weight, at least. Gradients do not count: where labels
# are sampled they are those of a few rows.
KEPT = {"adamw": 3, "adam": 3, "sgd": 2}  # the weight, and means of its gradients
OBJECTS = 20_000  # bytes of Python's own for every network, even without a weight
# the parameters that say how large a network is
SIZES = ("hidden_layer_sizes", "embedding_dim", "n_estimators", "batch_size")


def check_memory(n, params, device):
    """Raise where networks need more memory than there is.

    Parameters
    ----------
    n : int
        Weights that each has at least.
    params : dict
        Parameters of the estimator by name.
    device : str
        Name of a device that is there.
    """
    n_networks = params["n_estimators"]
    each = 8 if params["precision"] == "float64" else 4
    optimizer = params["optimizer"]
    kept = KEPT[optimizer] if isinstance(optimizer, str) else 1
    needed = n_networks * (n * each * kept + OBJECTS)
    there = _memory_of(device)
    if there is None or needed <= there:
        return
    networks = "network has" if n_networks == 1 else f"{n_networks} networks have"
    raise InvalidParameterError(
        f"The {networks} {n * n_networks:,} weights, of which training needs at least "
        f"{bytes_as_text(needed)}, but {bytes_as_text(there)} of memory are free on "
        f"{device!r}. {_advice(params)}"
    )


def memory_of_training(net, dataset):
    """Return the bytes that training takes at least, beside X and y.

    Weights with their gradients and what the optimizer keeps of them, and for a batch
    its rows and what layers make of them, forward and back.

    Parameters
    ----------
    net : Net
        Initialised.
    dataset : SliceDataset
        What it is trained on.
    """
    weights = [weight for _, weight in net.get_all_learnable_params()]
    group = net.optimizer_.param_groups[0]
    n_means = 2 if "betas" in group else int(group.get("momentum", 0) > 0)
    held = sum(w.numel() * w.element_size() for w in weights) * (2 + n_means)
    made = [getattr(part, "out_features", 0) for part in net.module_.modules()]
    width = dataset.width + 2 * sum(made) + 4 * net.module_.n_labels
    n_rows = min(net.batch_size, len(dataset))
    return held + n_rows * width * weights[0].element_size()


def raise_if_out_of_memory(error, params):
    """Say which parameters take memory, where an error says that none is left."""
    if isinstance(error, MemoryError) or "t allocate memory" in str(error):
        raise MemoryError(f"Memory ran out in fit. {_advice(params)}") from error


def _advice(params):
    given = ", ".join(f"{name}={params[name]!r}" for name in SIZES if name in params)
    return f"Got {given}; make these smaller, or the data."


def _memory_of(device):
    """Return the bytes of memory that are free, or None where nobody knows."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    return free_memory()
