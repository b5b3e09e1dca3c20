"""Large convolutions by the fast Fourier transform: the same sums in far fewer operations."""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_KERNEL, LEAST_CELLS = 5, 256
"""Smaller kernels and maps are quicker as plain sums."""


class SpectralConv(nn.Module):
    """A valid convolution of stride 1, in blocks that overlap by the kernel (overlap-save).

    DeadNet's first fully connected layer slid over a frame is a 13 x 13 convolution of 128 to 512
    maps: two thirds of all operations of the dense net as plain sums, a quarter of their time here.
    `weight` is (out, in, k, k), `bias` (out,). A block's edge is two kernels, rounded up to a
    multiple of 8 cells.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.kernel = int(weight.shape[-1])
        self.block = -(-2 * self.kernel // 8) * 8
        self.spectrum_bytes = self.block * (self.block // 2 + 1) * weight[..., 0, 0].numel() * 8
        self._ready: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def forward(self, features: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, h - k + 1, w - k + 1)."""
        rows, columns = (edge - self.kernel + 1 for edge in features.shape[-2:])
        if self.kernel < LEAST_KERNEL or len(features) * rows * columns < LEAST_CELLS:
            return functional.conv2d(features, self.weight, self.bias)
        return self._by_blocks(features, rows, columns) + self.bias[:, None, None]

    def _by_blocks(self, features: Tensor, rows: int, columns: int) -> Tensor:
        number, before = features.shape[:2]
        edge, own = self.block, self.block - self.kernel + 1
        down, across = -(-rows // own), -(-columns // own)
        height, width = features.shape[-2:]
        room = (0, across * own + self.kernel - 1 - width, 0, down * own + self.kernel - 1 - height)
        # (n, in, down, across, edge, edge)
        blocks = functional.pad(features, room).unfold(2, edge, own).unfold(3, edge, own)
        waves = torch.fft.rfft2(blocks)
        spectrum = self._spectrum(features)
        # one matrix product a frequency: (frequencies, blocks, in) @ (frequencies, in, out)
        left = waves.permute(4, 5, 0, 2, 3, 1).reshape(len(spectrum), -1, before)
        made = torch.bmm(left, spectrum)
        made = made.reshape(edge, edge // 2 + 1, number, down, across, -1).permute(2, 5, 3, 4, 0, 1)
        back = torch.fft.irfft2(made, s=(edge, edge))[..., :own, :own]
        whole = back.permute(0, 1, 2, 4, 3, 5).reshape(number, -1, down * own, across * own)
        result: Tensor = whole[..., :rows, :columns]
        return result

    def _spectrum(self, like: Tensor) -> Tensor:
        """The kernels' transform, (frequencies, in, out), made when it is first wanted."""
        key = like.dtype, like.device
        if key not in self._ready:
            after, before = self.weight.shape[:2]
            kind = torch.complex128 if like.dtype == torch.float64 else torch.complex64
            number = self.block * (self.block // 2 + 1)
            made = torch.empty(number, before, after, dtype=kind, device=like.device)
            # some at a time: all at once would take five times the memory of the result
            for first in range(0, after, 32):
                kernels = self.weight[first : first + 32].to(like.device, torch.float64)
                waves = torch.fft.rfft2(kernels, s=(self.block, self.block)).conj()
                made[..., first : first + 32] = waves.permute(2, 3, 1, 0).flatten(0, 1)
            self._ready[key] = made
        return self._ready[key]
