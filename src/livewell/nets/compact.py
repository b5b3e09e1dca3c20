"""The small net of the profile `FAST`."""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch norm and a shortcut; halves the map when told to."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(before, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, width, h / stride, w / stride)."""
        out: Tensor = torch.relu(self.body(x) + self.shortcut(x))
        return out


class Compact(nn.Module):
    """A residual net of four stages on a quarter-size map, with average and max pooling."""

    def __init__(self, widths: tuple[int, ...], classes: int, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        befores = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(
            *(
                Block(before, width, stride=1 if stage == 0 else 2)
                for stage, (before, width) in enumerate(zip(befores, widths, strict=True))
            )
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) float, h and w at least 32 -> (n, classes) scores before softmax."""
        features = self.stages(self.stem(x))
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        scores: Tensor = self.head(pooled)
        return scores


def compact(
    classes: int = 2, *, widths: tuple[int, ...] = (24, 48, 96, 192), dropout: float = 0.2
) -> Compact:
    """The small residual net of the profile `FAST`, livewell's own.

    Returns
    -------
    Compact
        (n, 1, h, w) float, h and w at least 32 -> (n, classes) scores before softmax.
    """
    return Compact(widths, classes, dropout)
