"""The weights of a light head on features that a fixed backbone gives."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


class Head(NamedTuple):
    """A head's weights: of features, and of its hidden units where it has any, else empty."""

    weight: Values
    bias: Values
    last_weight: Values
    last_bias: Values

    def logits(self, x: Values) -> Values:
        """Of features (n, features), (n, classes)."""
        first: Values = x @ self.weight.T + self.bias
        if not self.last_weight.size:
            return first
        return np.maximum(first, 0) @ self.last_weight.T + self.last_bias

    def shifted(self, logits: Values) -> "Head":
        """The same with (classes,) added to its logits."""
        if not self.last_weight.size:
            return self._replace(bias=self.bias + logits)
        return self._replace(last_bias=self.last_bias + logits)
