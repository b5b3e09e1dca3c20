"""Items of a task that no image is needed for."""

import pandas as pd


def patches(count: int, **columns: object) -> pd.DataFrame:
    """Items of a task: patches of 64 px, five an image."""
    numbers = pd.Series(range(count))
    return pd.DataFrame(
        {
            "image": "w" + (numbers // 5).astype("str") + ".tif",
            "t": 0,
            "frames": 1,
            "y0": 0,
            "x0": numbers % 5 * 64,
            "y1": 64,
            "x1": numbers % 5 * 64 + 64,
            "height": 256,
            "width": 320,
            **columns,
        }
    )
