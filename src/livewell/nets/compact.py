"""The small net of the profile `FAST`."""

import itertools

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128)


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch norm and a shortcut, halving the map."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(width)
        # a block that begins as its shortcut trains faster
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            last,
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(before, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, width, h / 2, w / 2), rounded up."""
        out: Tensor = torch.relu(self.body(x) + self.shortcut(x))
        return out


def compact(classes: int = 2, *, dropout: float = 0.2) -> nn.Sequential:
    """The small residual net of the profile `FAST`, livewell's own.

    A stem of stride 2 and three residual blocks of stride 2 (stride 16 in all), then the mean over
    the map.

    Parameters
    ----------
    classes
        Number of outputs.
    dropout
        Share of the pooled features dropped in training.

    Returns
    -------
    torch.nn.Sequential
        (n, 1, h, w) float, h and w at least 16 -> (n, classes) scores before softmax. 303,090
        parameters for two classes.
    """
    blocks = [Block(before, width) for before, width in itertools.pairwise(WIDTHS)]
    return nn.Sequential(
        nn.Conv2d(1, WIDTHS[0], 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(WIDTHS[0]),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(WIDTHS[-1], classes),
    )
