"""Networks with more labels than before: which rows of the former one they start from.

A *table* is a tensor with a row per label, such as biases, or several such tensors one
behind the other, such as the prototypes of the levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__: list[str] = []


class Growth(NamedTuple):
    """What every label of a network starts from, in a former network with fewer.

    Examples
    --------
    >>> growth = Growth(  # a label that was there, its child, and a new root
    ...     source=torch.tensor([1, 1, 0]),
    ...     own=torch.tensor([True, False, False]),
    ...     drawn=torch.tensor([False, False, True]),
    ...     shift=torch.tensor([0.0, -1.0, 0.0]),
    ... )
    >>> growth.rows([torch.tensor([1.0]), torch.tensor([2.0])], [3])
    [tensor([2., 2., 1.])]
    """

    source: Tensor  # (L,), the label's position in the former network, or its parent's
    own: Tensor  # (L,), bool: whether the label was there itself
    drawn: Tensor  # (L,), bool: whether there is nothing to start from but a draw
    shift: Tensor  # (L,), what is added to the bias of the source

    def rows(self, parts: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
        """Return the rows of a table, by source, in parts of other sizes."""
        table = torch.cat(list(parts))
        return list(table[self.source.to(table.device)].split(list(sizes)))

    def start(self, parts: Sequence[Tensor], drawn: Sequence[Tensor]) -> list[Tensor]:
        """Return the rows of a table; where there is no source, those that were drawn.

        The latter give the parts their sizes. They may have another width, which is
        then for others to refuse.
        """
        whole = torch.cat(list(drawn))
        (rows,) = self.rows(parts, [len(whole)])
        if rows.shape == whole.shape:
            rows[self.drawn] = whole[self.drawn].to(rows)
        return list(rows.split([len(part) for part in drawn]))
