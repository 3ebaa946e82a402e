"""Networks: an encoder, an embedding, and prototypes that labels are scored by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skhmc.nn.functional import level_counts, perturb, unit
from skhmc.nn.layers import Dropout, MLPEncoder, Seeded, linear
from skhmc.nn.rows import take_rows
from skhmc.nn.sparse import SparseLinear

__all__ = [
    "EmbeddedOutput",
    "EmbeddingNetwork",
    "LabelNetwork",
    "Output",
    "PrototypeNetwork",
    "seed_module",
]


class Output(NamedTuple):
    """What a network hands its criterion while training."""

    logits: Tensor  # (B, L), or of some labels
    features: Tensor  # (B, d)
    prototypes: Tensor  # (L, d), likewise, as perturbed for this evaluation


def _shape(state: dict, name: str) -> tuple | None:
    value = state.get(name)  # "extra state" of a user's module may be anything
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _beside(table: Tensor, labels: Tensor | None) -> Tensor | None:
    """Return labels on a table's device, without waiting for it."""
    return None if labels is None else labels.to(table.device, non_blocking=True)


def _by_label(vectors: Tensor, features: Tensor) -> Tensor:
    """Return products (L, B), also of sparse features."""
    if features.is_sparse:
        return (features @ vectors.t()).t()
    return vectors @ features.t()


class _Scores(Seeded):
    """Logits of labels, some of which keep to their initial bias.

    Parameters
    ----------
    bias : Tensor (L,) or None
        Initial bias of every label; None for no bias.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing.
    """

    def __init__(self, bias: Tensor | None, fixed: Tensor | None) -> None:
        super().__init__()
        self.bias = None if bias is None else nn.Parameter(bias.clone())
        self.register_buffer("prior", bias)
        self.register_buffer("fixed", fixed)
        self.row_gradients = False

    def rows(self, table: Tensor | None, labels: Tensor | None) -> Tensor | None:
        """Return the rows of some labels, or all.

        With ``row_gradients``, which RowAdamW takes, a step costs as much as they do.
        """
        if table is None or labels is None:
            return table
        return take_rows(table, labels, self.row_gradients and table.requires_grad)

    @property
    def takes_sparse(self) -> bool:
        """Whether batches of sparse X need not be made dense."""
        return isinstance(self.encoder, MLPEncoder) and self.encoder.takes_sparse

    def score(
        self,
        labels: Tensor | None,
        features: Tensor,
        vectors: Tensor,
        *more: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Return products plus biases (B, L), and the prior of fixed labels.

        Of some labels, whose vectors these are, or all. ``more`` are other features and
        vectors, whose products are added. What is predicted lies label by label in
        memory, as the coherence step wants it.
        """
        bias, prior, fixed = (
            self.rows(part, labels) for part in (self.bias, self.prior, self.fixed)
        )
        if self.training:
            logits = features @ vectors.t()
            for others, rows in more:
                logits = torch.addmm(logits, others, rows.t())
            logits = logits if bias is None else logits + bias
            return logits if fixed is None else torch.where(fixed, prior, logits)
        logits = _by_label(vectors, features)
        for others, rows in more:
            logits += _by_label(rows, others)
        if bias is not None:  # in place: fresh memory costs more than the sum
            logits += bias[:, None]
        if fixed is not None:
            logits[fixed] = prior[fixed, None].to(logits.dtype)
        return logits.t()

    def take_over(self, former: nn.Module) -> None:
        """Start from the weights of a former network.

        Labels about which that had nothing to go by start at their own bias.
        """
        state, own = former.state_dict(), self.state_dict()
        state = {
            name: value.cpu() if isinstance(value, Tensor) else value
            for name, value in state.items()
        }
        differing = {n for n in state | own if _shape(state, n) != _shape(own, n)}
        if differing:
            name = min(differing)
            raise ValueError(
                f"Training cannot go on, since the network has other parts: {name!r} "
                f"is {_shape(own, name)} and was {_shape(state, name)}. Leave the "
                f"parameters that shape it as they were, or start anew."
            )
        if self.bias is not None and self.fixed is not None:
            state["bias"] = torch.where(state["fixed"], own["bias"], state["bias"])
        kept = {name: own[name] for name in ("prior", "fixed") if name in own}
        self.load_state_dict(state | kept)


class LabelNetwork(_Scores):
    r"""Score labels by a linear layer: :math:`s_l = w_l \cdot h(x) + b_l`.

    The weights start at 0, so that labels start at their bias.

    Parameters
    ----------
    encoder : nn.Module
        Maps a batch of X to (B, n_encoded), or to anything that flattens to it.
    n_encoded : int
        Width of the encoder's flattened output.
    n_labels : int
        L.
    bias : Tensor (L,)
        Initial bias of every label.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing: they keep to their initial bias.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_encoded: int,
        n_labels: int,
        *,
        bias: Tensor,
        fixed: Tensor | None = None,
    ) -> None:
        super().__init__(bias, fixed)
        self.encoder = encoder
        self.weight = nn.Parameter(torch.zeros(n_labels, n_encoded))
        self.n_labels = n_labels

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits (B, L), or those of some labels, positions on the CPU."""
        features, labels = self.encoder(X).flatten(1), _beside(self.weight, labels)
        return self.score(labels, features, self.rows(self.weight, labels))


class PrototypeNetwork(_Scores):
    r"""Score labels by the similarity of an embedding with their prototypes.

    :math:`s_l = f \cdot \tilde p_l / \tau + w_l \cdot h + b_l`, with the features f,
    an embedding of the encoder's output h, and the linear head w, if there is one.
    Labels stand in level order (roots first); every level's prototypes are a parameter
    of their own.

    Parameters
    ----------
    encoder : nn.Module
        Maps a batch of X to (B, n_encoded), or to anything that flattens to it.
    n_encoded : int
        Width of the encoder's flattened output.
    level_sizes : sequence of int
        Number of labels at every depth.
    embedding_dim : int
        Width d of features and prototypes.
    embedding_dropout : float
        Share of the embedding dropped in training.
    temperature : float
        :math:`\tau`.
    perturbation : float
        :math:`\epsilon` of the prototype noise, training only.
    normalize_features : bool
        Whether features have length 1 (the paper); else they are divided by
        :math:`\sqrt d`.
    linear_head : bool
        Whether there is a linear head. It starts at 0.
    bias : Tensor (L,) or None
        Initial bias of every label; None for no bias.
    fixed : Tensor (L,), bool or None
        Labels about which training says nothing: they keep to their initial bias.
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
    ) -> None:
        super().__init__(bias, fixed)
        self.encoder = encoder
        self.embedding = linear(n_encoded, embedding_dim)
        self.embedding_dropout = Dropout(embedding_dropout)
        self.prototypes = nn.ParameterList(
            nn.Parameter(torch.empty(size, embedding_dim)) for size in level_sizes
        )
        self.n_labels = sum(level_sizes)
        weight = torch.zeros(self.n_labels, n_encoded) if linear_head else None
        self.weight = None if weight is None else nn.Parameter(weight)
        self.temperature = temperature
        self.perturbation = perturbation
        self.normalize_features = normalize_features

    def embed(self, encoded: Tensor) -> Tensor:
        """Return the features (B, d) of an encoder's output, which meet prototypes."""
        z = self.embedding_dropout(self.embedding(encoded))
        return unit(z) if self.normalize_features else z / math.sqrt(z.shape[1])

    def unit_prototypes(self, labels: Tensor | None = None) -> Tensor:
        """Return the clean unit prototypes (L, d) of all labels, or of sorted ones.

        ``labels`` are on the CPU, so that levels can be told without a GPU.
        """
        if labels is None:
            return unit(torch.cat(list(self.prototypes)))
        sizes = [len(level) for level in self.prototypes]
        counts, rows, start = level_counts(labels, sizes), [], 0
        chosen = _beside(self.prototypes[0], labels).split(counts)
        for level, here, size in zip(self.prototypes, chosen, sizes, strict=True):
            rows.append(self.rows(level, here - start))
            start += size
        return unit(torch.cat(rows))

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Output | Tensor:
        """Return an :class:`Output` in training, else the logits (B, L).

        Or those of ``labels``, sorted positions on the CPU, alone.
        """
        encoded = self.encoder(X).flatten(1)
        features, prototypes = self.embed(encoded), self.unit_prototypes(labels)
        labels = _beside(features, labels)
        if self.training:
            prototypes = perturb(prototypes, self.perturbation, self.generator)
        products = [features / self.temperature, prototypes]
        if self.weight is not None:
            products.append((encoded, self.rows(self.weight, labels)))
        logits = self.score(labels, *products)
        return Output(logits, features, prototypes) if self.training else logits


class EmbeddedOutput(NamedTuple):
    """What an :class:`EmbeddingNetwork` hands its criterion while training."""

    logits: Tensor  # (B, L), or of some labels
    points: Tensor  # (L, d), the labels' coordinates


class EmbeddingNetwork(_Scores):
    r"""Score labels by the product of a sample's features with the labels' embeddings.

    :math:`s_l = \langle W h(x), t(v_l) \rangle + b_l`, with the encoder's output h and
    the labels' coordinates v, of which t makes vectors.

    Parameters
    ----------
    encoder : nn.Module
        Maps a batch of X to (B, n_encoded), or to anything that flattens to it.
    n_encoded : int
        Width of the encoder's flattened output.
    n_labels : int
        L.
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
    ) -> None:
        super().__init__(bias, fixed)
        self.encoder = encoder
        self.projection = linear(n_encoded, embedding_dim)
        self.embedding_dropout = Dropout(embedding_dropout)
        given = torch.empty(n_labels, embedding_dim) if table is None else table.clone()
        self.table = nn.Parameter(given, requires_grad=table is None)
        self.tangent = tangent
        self.n_labels = n_labels

    def forward(
        self, X: Tensor, labels: Tensor | None = None
    ) -> EmbeddedOutput | Tensor:
        """Return an :class:`EmbeddedOutput` in training, else the logits (B, L).

        Or those of ``labels``, positions on the CPU, alone.
        """
        labels = _beside(self.table, labels)
        features = self.embedding_dropout(self.projection(self.encoder(X).flatten(1)))
        # with a dense gradient, as that of the embedding's loss is
        vectors = self.table if labels is None else self.table.index_select(0, labels)
        vectors = vectors if self.tangent is None else self.tangent(vectors)
        logits = self.score(labels, features, vectors)
        return EmbeddedOutput(logits, self.table) if self.training else logits


def seed_module(
    module: nn.Module, init: torch.Generator | None, draws: torch.Generator, own: set
) -> None:
    """Initialise layers from ``init`` and let stochastic layers draw from ``draws``.

    Parameters
    ----------
    module : nn.Module
        The network. Linear layers get torch's default initialisation, prototypes
        N(0, 0.01²), embeddings of labels N(0, 0.1²).
    init, draws : torch.Generator
        On the CPU, and on the module's device; None leaves layers uninitialised.
    own : set of nn.Module
        Modules (a user's encoder, say) that are left as they are.
    """
    for part in module.modules():
        if part in own:
            continue
        if isinstance(part, Seeded):
            part.generator = draws
        if init is None:
            continue
        if isinstance(part, nn.Linear | SparseLinear):
            drawn = part.weight
            if isinstance(part, SparseLinear):  # the same numbers at the same places
                drawn = drawn.new_empty(drawn.t().shape)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=init)
            if drawn is not part.weight:
                part.weight.data.copy_(drawn.t())
            bound = 1 / math.sqrt(max(part.in_features, 1))
            nn.init.uniform_(part.bias, -bound, bound, generator=init)
        if isinstance(part, EmbeddingNetwork) and part.table.requires_grad:
            nn.init.normal_(part.table, std=0.1, generator=init)
        if isinstance(part, PrototypeNetwork):
            for prototypes in part.prototypes:
                nn.init.normal_(prototypes, std=0.01, generator=init)
