"""Whether the classes could be told apart before anything was done to them."""

import numpy as np

from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.sample import Sample
from livewell.splitting.checks.shuffled import areas_table

NAME = "before treatment"
QUESTION = "Could the classes be told apart before the treatment?"
REMEDY = (
    "Time 0 of the study is taken for before the treatment; if imaging began after it, say when it"
    " was given (--treated-s), in seconds of that time. What differed before is no effect of it:"
    " look at how wells were seeded, where they lie and how they were imaged. Assign treatments to"
    " wells at random, and judge changes since time 0 instead of images."
)


def before_treatment(sample: Sample | None, why: str = "", *, seed: int = 0) -> Check:
    """Whether frames at or before time 0 know what was done afterwards.

    Parameters
    ----------
    sample
        Frames at or before time 0, each with the label that its unit got later; ``None`` where
        there are none.
    why
        Why there are none.
    """
    why = why if sample is None else sample.scarce()
    if sample is None or why:
        return Check(NAME, QUESTION, unchecked=why)
    found = sample.permuted(seed=seed)
    value, null = float(np.nanmax(found.areas)), found.null[:, found.strongest]
    low, high = (float(each) for each in np.nanquantile(null, (0.025, 0.975)))
    inside = f"within {sample.within} " * bool(sample.within)
    numbers = (
        f"AUC {value:.2f} {inside}at time 0, where chance gives {low:.2f} to {high:.2f} in 95 of"
        f" 100 cases ({sample.told}; p {found.p_value:.2g})"
    )
    return Check(
        NAME,
        QUESTION,
        p_value=found.p_value,
        found="fails",
        associations=(Association("images at time 0", "AUC", value, text=numbers),),
        fails=f"The classes differed before anything was done: {numbers}.",
        passes=f"Before the treatment the classes looked alike: {numbers}.",
        remedy=REMEDY,
        table=areas_table(found),
    )
