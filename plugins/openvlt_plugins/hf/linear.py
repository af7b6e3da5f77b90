"""Linear layers that are fast on a CPU.

There torch multiplies float32 with MKL, which repacks the weight at every call; for the few rows of a decoding step
that can cost as much as the product. Here the weight is packed once, in the layout of oneDNN.
"""

from __future__ import annotations

import torch


class PackedLinear(torch.nn.Module):  # type: ignore[misc]
    """A linear layer for inference whose weight has the layout of oneDNN.

    Args:
        layer: float32, on the CPU; its weight is copied.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        self.bias = None if layer.bias is None else layer.bias.detach()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")
        return product


def pack(network: torch.nn.Module) -> None:
    """Replace the float32 linear layers of `network` on the CPU."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return
    # A list without the linear layers, so that each is freed before the next is copied.
    holders = [module for module in network.modules() if not isinstance(module, torch.nn.Linear)]
    for module in holders:
        for name, child in module.named_children():
            if type(child) is torch.nn.Linear and child.weight.dtype == torch.float32 and child.weight.is_cpu:
                setattr(module, name, PackedLinear(child))
