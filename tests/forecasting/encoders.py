"""PyTorch's own modules behind the encoders' contract."""

from typing import Any

from torch import Tensor, nn


class PlainEncoder(nn.Module):
    """``nn.GRU`` or another."""

    def __init__(
        self, input_size: int, hidden: int = 12, cell: type[nn.RNNBase] = nn.GRU, **options: Any
    ) -> None:
        super().__init__()
        self.network = cell(input_size, hidden, batch_first=True, **options)
        self.is_bidirectional = bool(options.get("bidirectional"))
        self.output_size = hidden * (1 + self.is_bidirectional)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        found: tuple[Tensor, Any] = self.network(inputs, state)
        return found
