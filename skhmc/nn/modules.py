"""Networks: an encoder, an embedding, and prototypes that labels are scored by."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from skhmc.nn.functional import (
    draw_linear,
    level_counts,
    perturb,
    products,
    prototype_logits,
    unit,
)
from skhmc.nn.growth import Growth
from skhmc.nn.rows import take_rows
from skhmc.nn.shards import place
from skhmc.nn.sparse import LinearPath, SparseLinear, map_values

__all__ = ["LabelNetwork", "PrototypeNetwork", "initialise"]


# -- layers ----------------------------------------------------------------------------


class Seeded(nn.Module):
    """A module that draws from the network's own generator, which is not pickled."""

    generator: torch.Generator | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "generator": None}


def linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Make a linear layer without drawing from the global random state.

    Its weights are arbitrary until :func:`initialise` draws them.

    Examples
    --------
    >>> linear(3, 2).weight.shape
    torch.Size([2, 3])
    """
    return nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)


class Dropout(Seeded):
    """Dropout from the network's own generator (``nn.Dropout`` uses the global one).

    One random number of 64 bits decides on four entries, of 16 bits each, because
    drawing is what dropout costs: shares are multiples of 2^-16.

    Parameters
    ----------
    p : float
        Share of the entries that is dropped in training.

    Examples
    --------
    >>> Dropout(0.5).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if x.is_sparse:  # zeros stay zeros, whatever is dropped
            return map_values(x, self)
        n_entries, first = place(x)  # also of rows that other processes have
        n_numbers = -(-n_entries // 4)
        bits = torch.empty(n_numbers, dtype=torch.int64, device=x.device)
        bits.random_(-(2**63), None, generator=self.generator)
        values = bits.view(torch.int16)[first : first + x.numel()].view(x.shape)
        n_dropped = min(round(self.p * 2**16), 2**16 - 1)  # of the 2^16 values
        keep = (values >= n_dropped - 2**15).to(x.dtype)
        return x * keep.mul_(2**16 / (2**16 - n_dropped))


class MLPEncoder(nn.Sequential):
    """Linear, ReLU and dropout, once per hidden layer.

    Parameters
    ----------
    n_features : int
    hidden_layer_sizes : sequence of int
    dropout, input_dropout : float
    takes_sparse : bool
        Whether batches of sparse X need not be made dense.
    row_gradients : bool
        Whether the first layer then has sparse gradients, of the features that a batch
        stores: :class:`~skhmc.nn.RowAdamW` takes them.
    input_scale : float
        Number that x is multiplied by first.
    """

    takes_sparse = False
    input_scale = 1.0  # also of networks that were kept before there was one

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        input_dropout: float = 0.0,
        takes_sparse: bool = False,
        row_gradients: bool = False,
        input_scale: float = 1.0,
    ) -> None:
        layers: list[nn.Module] = [Dropout(input_dropout)]
        n_inputs = n_features
        for width in hidden_layer_sizes:
            if takes_sparse and n_inputs == n_features and len(layers) == 1:
                sparse = {"row_gradients": row_gradients}
                layers.append(SparseLinear(n_inputs, width, **sparse))
            else:  # only X may be sparse
                layers.append(linear(n_inputs, width))
            layers += [nn.ReLU(), Dropout(dropout)]
            n_inputs = width
        super().__init__(*layers)
        self.n_outputs = n_inputs
        self.takes_sparse = takes_sparse
        self.input_scale = input_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width) of a tensor (B, n_features), which may be sparse."""
        if self.input_scale != 1:
            x = map_values(x, self._scaled) if x.is_sparse else self._scaled(x)
        encoded: Tensor = super().forward(x)
        return encoded

    def _scaled(self, x: Tensor) -> Tensor:
        return x * self.input_scale


# -- networks --------------------------------------------------------------------------


class Output(NamedTuple):
    """What a :class:`PrototypeNetwork` hands its criterion in training."""

    logits: Tensor  # (B, L), or of some labels
    features: Tensor  # (B, d)
    prototypes: Tensor  # (L, d), or of some labels; as perturbed for this evaluation
    temperature: float  # of the similarity of features and prototypes


def _shape(state: dict, name: str) -> tuple | None:
    value = state.get(name)  # "extra state" of a user's module may be anything
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _on_device_of(table: Tensor, labels: Tensor | None) -> Tensor | None:
    """Return labels on a table's device, without making the CPU wait for it."""
    if labels is None:
        return None
    return labels.to(table.device, non_blocking=True)


class _Kept(NamedTuple):
    """Vectors of labels, and of which state of the weights they are."""

    stamp: list[tuple[int, int]]  # of every weight: where it is, how often changed
    vectors: Tensor  # (L, d)
    held: list[Tensor]  # the weights' memory, where no others can come to lie meanwhile


class _Scores(Seeded):
    """Logits of labels, some of which keep to their initial bias.

    Parameters
    ----------
    n_encoded : int
        Width of the encoder's flattened output.
    bias : Tensor (L,) or None
        Initial bias of every label; None for no bias.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing.
    row_gradients : bool
        Whether tables of labels have sparse gradients of the rows that a step uses,
        which :class:`~skhmc.nn.RowAdamW` takes.
    n_labels : int
        Number of labels L.
    path : LinearPath or None
        The layer whose linear function of X is added to the logits, if there is one.
    """

    encoder: nn.Module
    prior: Tensor | None
    fixed: Tensor | None
    frozen: Tensor | None  # vectors of all labels, once and for all

    def __init__(
        self,
        n_encoded: int,
        bias: Tensor | None,
        fixed: Tensor | None,
        row_gradients: bool,
        n_labels: int,
        path: LinearPath | None,
    ) -> None:
        super().__init__()
        self.n_encoded = n_encoded
        self.n_labels = n_labels
        self.path = path
        self.bias = None if bias is None else nn.Parameter(bias.clone())
        self.register_buffer("prior", bias)
        self.register_buffer("fixed", fixed)
        self.register_buffer("frozen", None, persistent=False)
        self.row_gradients = row_gradients
        self._kept: _Kept | None = None

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Set the biases to their initial values, for which nothing is drawn."""
        if self.bias is not None and self.prior is not None:
            self.bias.copy_(self.prior)

    def encode(self, X: Tensor) -> Tensor:
        """Return the encoder's output (B, n_encoded) for a batch."""
        h: Tensor = self.encoder(X).flatten(1)
        n = X.shape[0]  # not len(X), which a graph takes for a constant
        if h.shape != (n, self.n_encoded):
            raise ValueError(
                f"The encoder returned features of shape {tuple(h.shape)} for a batch "
                f"of {n} samples, expected ({n}, {self.n_encoded}): as many in every "
                f"batch, whatever its size."
            )
        return h

    def rows(self, table: Tensor, labels: Tensor | None) -> Tensor:
        """Return the rows of some labels, or all.

        With ``row_gradients`` a step costs as much as these rows, not as the table.
        """
        if labels is None:
            return table
        return take_rows(table, labels, self.row_gradients and table.requires_grad)

    @property
    def takes_sparse(self) -> bool:
        """Whether batches of sparse X need not be made dense."""
        return isinstance(self.encoder, MLPEncoder) and self.encoder.takes_sparse

    @property
    def input_scale(self) -> float:
        """What the perceptron multiplies X by."""
        return self.encoder.input_scale if isinstance(self.encoder, MLPEncoder) else 1.0

    # Vectors of all labels that are made of weights, such as unit prototypes, are made
    # once for many predictions: for one row they cost more than its products with them.

    def _label_vectors(self) -> Tensor:
        """Make the vectors (L, d) of all labels from the weights."""
        raise NotImplementedError

    def _label_weights(self) -> Iterable[Tensor]:
        """Return the weights that these are made of."""
        raise NotImplementedError

    def label_vectors(self) -> Tensor:
        """Return the vectors (L, d) of all labels, in predictions those made before.

        They are made anew when weights have changed since: trained, loaded, or moved to
        another device. Torch counts these changes; one through ``weight.data`` it does
        not, and after such a one ``train()`` and ``eval()`` have them made anew.
        """
        if self.frozen is not None:
            return self.frozen
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._label_vectors()
        weights = list(self._label_weights())
        if any(weight.is_inference() for weight in weights):  # changes are not counted
            return self._label_vectors()
        stamp = [(weight.data_ptr(), weight._version) for weight in weights]
        kept = self._kept  # one read: other threads may predict, too
        if kept is None or kept.stamp != stamp:
            held = [weight.detach() for weight in weights]
            kept = self._kept = _Kept(stamp, self._label_vectors(), held)
        return kept.vectors

    def freeze(self) -> None:
        """Keep the vectors of all labels for good: the weights will not change."""
        with torch.no_grad():
            vectors = self._label_vectors()
        if not isinstance(vectors, nn.Parameter):  # else there is nothing to make
            self.register_buffer("frozen", vectors, persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the module to training; what was kept for predictions is dropped."""
        if mode:
            self._kept = None
        return super().train(mode)

    def _apply(self, *args: Any, **options: Any) -> Self:
        self._kept = None  # to another dtype and back, weights are rounded in place
        return super()._apply(*args, **options)

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_kept": None}  # weights are there already

    @property
    def has_path(self) -> bool:
        """Whether there is a linear path from X to the logits."""
        return self.path is not None

    # Logits are sums: of products, perhaps more products, and biases. In training the
    # terms are added out of place, for autograd. What is predicted is added in place,
    # since new tensors of this size cost more than the sums, and lies label by label in
    # memory, as the coherence step wants it.

    def products(self, features: Tensor, vectors: Tensor) -> Tensor:
        """Return the products (B, L) of features with the vectors of labels."""
        return products(features, vectors, by_label=not self.training)

    def add_products(self, logits: Tensor, features: Tensor, vectors: Tensor) -> Tensor:
        """Return logits (B, L) plus products."""
        if self.training:
            return torch.addmm(logits, features, vectors.t())
        logits += self.products(features, vectors)
        return logits

    def along_path(self, X: Tensor, labels: Tensor | None) -> Tensor | None:
        """Return what is linear in X (B, L), of some labels or all; None without it."""
        if self.path is None:
            return None
        if not isinstance(self.encoder, MLPEncoder):  # a user's may write into X
            X = X.clone()
        logits: Tensor = self.path(X)
        return logits if labels is None else logits.index_select(1, labels)

    def add(self, logits: Tensor, more: Tensor | None) -> Tensor:
        """Return logits (B, L) plus others, if there are any."""
        if more is None:
            return logits
        if self.training:
            return logits + more
        logits += more
        return logits

    def add_bias(self, logits: Tensor, labels: Tensor | None) -> Tensor:
        """Return logits (B, L) of some labels, or all, plus their biases.

        Fixed labels have their prior instead.
        """
        if self.bias is None or self.prior is None:
            return logits
        bias = self.rows(self.bias, labels)
        prior = self.rows(self.prior, labels)
        fixed = None if self.fixed is None else self.rows(self.fixed, labels)
        # to write some columns takes their number, which a GPU would have to be asked
        in_place = logits.device.type == "cpu" and not torch.compiler.is_compiling()
        if self.training or not in_place:
            logits = logits + bias
            if fixed is not None:
                logits = torch.where(fixed, prior, logits)
            return logits
        logits += bias
        if fixed is not None:
            # by label: ten times as fast where these lie side by side in memory
            logits.t()[fixed] = prior[fixed].to(logits.dtype)[:, None]
        return logits

    def label_tables(self) -> dict[str, list[str]]:
        """Return the weights that have a row per label: names of tables and parts."""
        tables = {} if self.bias is None else {"bias": ["bias"]}
        if self.path is not None:
            tables["path"] = ["path.weight"]
        return tables

    def label_columns(self) -> set[str]:
        """Return which of these have the labels along the columns but in state dicts.

        A step then reads and writes whole rows, of the features that a batch stores.
        """
        return set() if self.path is None else {"path.weight"}

    def load_from(self, former: _Scores, growth: Growth | None = None) -> None:
        """Load the weights of a former network.

        Labels about which that could learn nothing start at their own bias.

        Parameters
        ----------
        former : nn.Module
            A network with the same parts.
        growth : Growth or None
            Rows that labels start from, where there are more than the former has. Rows
            that are drawn have to be drawn already.
        """
        current = self.state_dict()
        loaded = {
            name: value.cpu() if isinstance(value, Tensor) else value
            for name, value in former.state_dict().items()
        }
        if growth is not None:
            self._grow(loaded, current, former.label_tables(), growth)
        differing = {
            name
            for name in loaded | current
            if _shape(loaded, name) != _shape(current, name)
        }
        if differing:
            name = min(differing)
            raise ValueError(
                f"Training cannot go on, since the network has other parts: {name!r} "
                f"is {_shape(current, name)} and was {_shape(loaded, name)}. Leave the "
                f"parameters that shape it as they were, or start anew."
            )
        if self.bias is not None and self.fixed is not None:
            loaded["bias"] = torch.where(
                loaded["fixed"], current["bias"], loaded["bias"]
            )
        # which labels are fixed, and where, is told by the new training data
        for name in ("prior", "fixed"):
            if name in current:
                loaded[name] = current[name]
        self.load_state_dict(loaded)

    def _grow(
        self, loaded: dict, current: dict, before: dict[str, list[str]], growth: Growth
    ) -> None:
        """Give loaded weights a row for every label, where they have too few."""
        flags = {name: [name] for name in ("prior", "fixed") if name in loaded}
        now = self.label_tables() | flags
        for table, old in (before | flags).items():
            if table in now and now[table][-1] in current:
                parts = [loaded.pop(name) for name in old]
                drawn = [current[name] for name in now[table]]
                loaded |= zip(now[table], growth.start(parts, drawn), strict=True)
        if "bias" in loaded:
            loaded["bias"] = loaded["bias"] + growth.shift.to(loaded["bias"])


class LabelNetwork(_Scores):
    r"""Score labels by a linear layer: :math:`s_l = w_l \cdot h(x) + b_l`.

    The weights start at 0, so that labels start at their bias.

    Parameters
    ----------
    encoder : nn.Module
        Network that maps a batch of X to (B, n_encoded), or to anything that flattens
        to it.
    n_encoded : int
        Width of the encoder's flattened output.
    n_labels : int
        Number of labels L.
    bias : Tensor (L,)
        Initial bias of every label.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing: they keep to their initial bias.
    row_gradients : bool, default=False
        Whether weights and biases have sparse gradients, of the rows of ``labels``
        alone: :class:`~skhmc.nn.RowAdamW` takes them.
    path : LinearPath or None, default=None
        The layer whose linear function of X is added to the logits, if there is one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_encoded: int,
        n_labels: int,
        *,
        bias: Tensor,
        fixed: Tensor | None = None,
        row_gradients: bool = False,
        path: LinearPath | None = None,
    ) -> None:
        super().__init__(n_encoded, bias, fixed, row_gradients, n_labels, path)
        self.encoder = encoder
        self.weight = nn.Parameter(torch.zeros(n_labels, n_encoded))

    def label_tables(self) -> dict[str, list[str]]:
        """Return the weights that have a row per label: names of tables and parts."""
        return {**super().label_tables(), "weight": ["weight"]}

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Set weights to 0 and biases to their initial values."""
        super().reset_parameters(generator)
        self.weight.zero_()

    def _label_weights(self) -> Iterable[Tensor]:
        return [self.weight]

    def _label_vectors(self) -> Tensor:
        return self.weight  # as it is: nothing to keep

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits (B, L), or those of some labels, positions on the CPU."""
        labels = _on_device_of(self.weight, labels)
        linear_in_X = self.along_path(X, labels)
        h = self.encode(X)
        # s = w . h + u . x + b
        logits = self.products(h, self.rows(self.weight, labels))
        logits = self.add(logits, linear_in_X)
        return self.add_bias(logits, labels)


class PrototypeNetwork(_Scores):
    r"""Score labels by the similarity of an embedding with their prototypes.

    :math:`s_l = f \cdot \tilde p_l / \tau + w_l \cdot h + b_l`, with the features f,
    an embedding of the encoder's output h, and the linear head w, if there is one.
    In training :math:`\tilde p_l` is a perturbed unit prototype, else the unit
    prototype itself. Labels stand in level order (roots first); every level's
    prototypes are a parameter of their own.

    Parameters
    ----------
    encoder : nn.Module
        Network that maps a batch of X to (B, n_encoded), or to anything that flattens
        to it.
    n_encoded : int
        Width of the encoder's flattened output.
    level_sizes : sequence of int
        Number of labels at every depth.
    embedding_dim : int
        Width d of features and prototypes.
    embedding_dropout : float
        Share of the embedding dropped in training.
    temperature : float
        Temperature :math:`\tau` of the similarity of features and prototypes.
    perturbation : float
        Bound :math:`\epsilon` of the noise of prototypes, in training only.
    normalize_features : bool
        Whether features have length 1 (the paper); else they are divided by
        :math:`\sqrt d`.
    linear_head : bool
        Whether there is a linear head. It starts at 0.
    bias : Tensor (L,) or None
        Initial bias of every label; None for no bias.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing: they keep to their initial bias.
    row_gradients : bool, default=False
        Whether prototypes, linear head and biases have sparse gradients, of the rows of
        ``labels`` alone: :class:`~skhmc.nn.RowAdamW` takes them.
    path : LinearPath or None, default=None
        The layer whose linear function of X is added to the logits, if there is one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_encoded: int,
        level_sizes: Sequence[int],
        *,
        embedding_dim: int,
        embedding_dropout: float,
        temperature: float,
        perturbation: float,
        normalize_features: bool,
        linear_head: bool = False,
        bias: Tensor | None,
        fixed: Tensor | None = None,
        row_gradients: bool = False,
        path: LinearPath | None = None,
    ) -> None:
        n_labels = sum(level_sizes)
        super().__init__(n_encoded, bias, fixed, row_gradients, n_labels, path)
        self.encoder = encoder
        self.embedding = linear(n_encoded, embedding_dim)
        self.embedding_dropout = Dropout(embedding_dropout)
        self.prototypes = nn.ParameterList(
            nn.Parameter(torch.empty(size, embedding_dim)) for size in level_sizes
        )
        self.weight = None  # of the linear head
        if linear_head:
            self.weight = nn.Parameter(torch.zeros(self.n_labels, n_encoded))
        self.temperature = temperature
        self.perturbation = perturbation
        self.normalize_features = normalize_features

    def label_tables(self) -> dict[str, list[str]]:
        """Return the weights that have a row per label: names of tables and parts."""
        tables = super().label_tables()
        tables["prototypes"] = [f"prototypes.{k}" for k in range(len(self.prototypes))]
        if self.weight is not None:
            tables["weight"] = ["weight"]
        return tables

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw prototypes from N(0, 0.01²); the linear head starts at 0."""
        super().reset_parameters(generator)
        for level in self.prototypes:
            nn.init.normal_(level, std=0.01, generator=generator)
        if self.weight is not None:
            self.weight.zero_()

    def embed(self, encoded: Tensor) -> Tensor:
        """Return the features (B, d) of an encoder's output, which meet prototypes."""
        z = self.embedding_dropout(self.embedding(encoded))
        if self.normalize_features:
            return unit(z)
        return z / math.sqrt(z.shape[1])

    def _label_weights(self) -> Iterable[Tensor]:
        return self.prototypes

    def _label_vectors(self) -> Tensor:
        return unit(torch.cat(list(self.prototypes)))

    def unit_prototypes(self, labels: Tensor | None = None) -> Tensor:
        """Return the clean unit prototypes (L, d) of all labels, or of sorted ones.

        ``labels`` are on the CPU, where the levels they belong to can be told without
        waiting for a GPU.
        """
        if labels is None:
            return self._label_vectors()
        sizes = [len(level) for level in self.prototypes]
        counts = level_counts(labels, sizes)
        labels = labels.to(self.prototypes[0].device, non_blocking=True)
        rows = []
        start = 0  # of the level among the labels
        for level, chosen in zip(self.prototypes, labels.split(counts), strict=True):
            rows.append(self.rows(level, chosen - start))
            start += len(level)
        return unit(torch.cat(rows))

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Output | Tensor:
        """Return an ``Output`` in training, else the logits (B, L).

        Or those of ``labels``, sorted positions on the CPU, alone.
        """
        if self.training or labels is not None:
            p = self.unit_prototypes(labels)
        else:
            p = self.label_vectors()
        labels = _on_device_of(p, labels)
        linear_in_X = self.along_path(X, labels)
        h = self.encode(X)
        f = self.embed(h)
        if self.training:
            p = perturb(p, self.perturbation, self.generator)
        # s = f . p / tau + w . h + u . x + b
        tau = self.temperature
        logits = prototype_logits(f, p, tau, by_label=not self.training)
        if self.weight is not None:
            logits = self.add_products(logits, h, self.rows(self.weight, labels))
        logits = self.add(logits, linear_in_X)
        logits = self.add_bias(logits, labels)
        if self.training:
            return Output(logits, f, p, tau)
        return logits


class EmbeddedOutput(NamedTuple):
    """What an :class:`EmbeddingNetwork` hands its criterion in training."""

    logits: Tensor  # (B, L), or of some labels
    points: Tensor  # (L, d), the labels' coordinates


class EmbeddingNetwork(_Scores):
    r"""Score labels by the product of a sample's features with the labels' embeddings.

    :math:`s_l = \langle W h(x), t(v_l) \rangle + b_l`, with the encoder's output h and
    the labels' coordinates v, of which t makes vectors.

    Parameters
    ----------
    encoder : nn.Module
        Network that maps a batch of X to (B, n_encoded), or to anything that flattens
        to it.
    n_encoded : int
        Width of the encoder's flattened output.
    n_labels : int
        Number of labels L.
    embedding_dim : int
        Width d of features and coordinates.
    embedding_dropout : float
        Share of :math:`W h(x)` dropped in training.
    tangent : callable or None
        The function t, (L, d) to (L, d). None leaves the coordinates as they are.
    table : Tensor (L, d) or None
        The coordinates, if they are known already: they are not trained then.
    bias : Tensor (L,) or None
        Initial bias of every label; None for no bias.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing: they keep to their initial bias.
    row_gradients : bool, default=False
        Whether biases have sparse gradients, of the rows of ``labels`` alone:
        :class:`~skhmc.nn.RowAdamW` takes them. Those of the table are dense always.
    path : LinearPath or None, default=None
        The layer whose linear function of X is added to the logits, if there is one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_encoded: int,
        n_labels: int,
        *,
        embedding_dim: int,
        embedding_dropout: float,
        tangent: Callable[[Tensor], Tensor] | None,
        table: Tensor | None,
        bias: Tensor | None,
        fixed: Tensor | None = None,
        row_gradients: bool = False,
        path: LinearPath | None = None,
    ) -> None:
        super().__init__(n_encoded, bias, fixed, row_gradients, n_labels, path)
        self.encoder = encoder
        self.projection = linear(n_encoded, embedding_dim)
        self.embedding_dropout = Dropout(embedding_dropout)
        if table is None:
            self.table = nn.Parameter(torch.empty(n_labels, embedding_dim))
        else:
            self.table = nn.Parameter(table.clone(), requires_grad=False)
        self.tangent = tangent

    def label_tables(self) -> dict[str, list[str]]:
        """Return the weights that have a row per label: names of tables and parts."""
        return {**super().label_tables(), "table": ["table"]}

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the coordinates from N(0, 0.1²), unless they were given."""
        super().reset_parameters(generator)
        if self.table.requires_grad:
            nn.init.normal_(self.table, std=0.1, generator=generator)

    def _label_weights(self) -> Iterable[Tensor]:
        return [self.table]

    def _label_vectors(self) -> Tensor:
        return self._tangents(self.table)

    def _tangents(self, table: Tensor) -> Tensor:
        return table if self.tangent is None else self.tangent(table)

    def forward(
        self, X: Tensor, labels: Tensor | None = None
    ) -> EmbeddedOutput | Tensor:
        """Return an :class:`EmbeddedOutput` in training, else the logits (B, L).

        Or those of ``labels``, positions on the CPU, alone.
        """
        labels = _on_device_of(self.table, labels)
        linear_in_X = self.along_path(X, labels)
        h = self.encode(X)
        features = self.embedding_dropout(self.projection(h))  # W h
        if labels is not None:
            # not self.rows: the embedding's loss gives the table a dense gradient
            v = self._tangents(self.table.index_select(0, labels))
        elif self.training or self.tangent is None:
            v = self._label_vectors()
        else:
            v = self.label_vectors()
        # s = <W h, t(v)> + u . x + b
        logits = self.add(self.products(features, v), linear_in_X)
        logits = self.add_bias(logits, labels)
        if self.training:
            return EmbeddedOutput(logits, self.table)
        return logits


# -- initialisation --------------------------------------------------------------------

PARAMETER_LISTS = (nn.ParameterList, nn.ParameterDict)


def initialise(
    module: nn.Module,
    init: torch.Generator | None,
    draws: torch.Generator,
    user_modules: Set[nn.Module] = frozenset(),
) -> None:
    """Draw the weights of a network, and give its stochastic layers a generator.

    Every module draws its own parameters in its ``reset_parameters(generator)``, a
    module before its children; ``nn.Linear`` is initialised as torch does it.

    Parameters
    ----------
    module : nn.Module
        The network, or any part of one.
    init : torch.Generator or None
        Source of the weights, on the CPU; None leaves them as they are.
    draws : torch.Generator
        Source of dropout and perturbation, on the module's device.
    user_modules : set of nn.Module, default=frozenset()
        Modules (those of a user's encoder, say) that are left as they are.

    Raises
    ------
    TypeError
        When a module has a parameter that nothing initialises.
    """
    for name, part in module.named_modules():
        if part in user_modules:
            continue
        if isinstance(part, Seeded):
            part.generator = draws
        if init is not None:
            _reset(part, name, init)


def _reset(part: nn.Module, name: str, generator: torch.Generator) -> None:
    """Initialise the parameters that a module has itself, not those of its children."""
    if isinstance(part, PARAMETER_LISTS):
        return  # the module that has the list initialises what is in it
    unknown = dict(_own_parameters(part))
    reset: Any = getattr(part, "reset_parameters", None)
    if _takes_generator(reset):
        _forget(unknown.values())
        reset(generator)
        # also where the method is inherited, and knows nothing of a new parameter
        unknown = {key: value for key, value in unknown.items() if _is_unset(value)}
    elif isinstance(part, nn.Linear):
        draw_linear(part.weight, part.bias, generator)
        unknown.pop("weight", None)
        unknown.pop("bias", None)
    if unknown:
        kind = type(part).__name__
        where = f"{name!r}, a {kind}," if name else f"The {kind}"
        parameter = next(iter(unknown))
        raise TypeError(
            f"{where} has the parameter {parameter!r} and no method "
            f"reset_parameters(generator) that initialises it. Write one that draws "
            f"all parameters of {kind} from the generator, or put the module into "
            f"user_modules to leave it as it is."
        )


@torch.no_grad()
def _forget(parameters: Iterable[nn.Parameter]) -> None:
    """Fill what is trained with NaN, which shows whether anything is drawn for it."""
    for parameter in parameters:
        if parameter.requires_grad:
            parameter.fill_(math.nan)


def _is_unset(parameter: nn.Parameter) -> bool:
    return bool(parameter.requires_grad and parameter.isnan().any())


def _own_parameters(part: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters of a module without its children, but with its lists."""
    yield from part.named_parameters(recurse=False)
    for name, child in part.named_children():
        if isinstance(child, PARAMETER_LISTS):
            yield from child.named_parameters(prefix=name)


def _takes_generator(method: Callable | None) -> bool:
    """Tell our ``reset_parameters`` from those of torch, which take no generator."""
    return method is not None and "generator" in inspect.signature(method).parameters
