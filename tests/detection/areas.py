"""Average precision by its definition, which intervals are held against."""

import math

import numpy as np
import pandas as pd

from livewell.detection.matching import precision_recall_curve
from livewell.detection.tables import Images


def average_precision(matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> float:
    """Sum of precision times the rise of recall; NaN where there is no object."""
    curve = precision_recall_curve(matched, objects, images)
    if objects.empty:
        return math.nan
    return float((curve["precision"] * np.diff(curve["recall"], prepend=0.0)).sum())
