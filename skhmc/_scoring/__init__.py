"""From a network's logits to coherent outputs."""
