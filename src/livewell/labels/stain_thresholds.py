"""From which level on a pixel counts as lit by a stain, image by image."""

import math

from livewell.errors import Fault, LabelError, SpecError, TableError
from livewell.labels.mixture import Mixture
from livewell.study.stained import Threshold
from livewell.study.study import Study


def threshold_of(
    study: Study, sds: float | None, above: float | None, labels: str | None
) -> tuple[Threshold, str]:
    """The threshold that is asked for by one of three ways, and what it is in words.

    Parameters
    ----------
    study
        The study that `labels` are of.
    sds
        Standard deviations of the background above its level.
    above
        Counts, the same in every image.
    labels
        Labels by a stain, whose dead threshold it is.
    """
    given = [name for name, value in (("above", above), ("labels", labels)) if value is not None]
    if len(given) + (sds is not None) > 1:
        raise SpecError(
            "several thresholds",
            expected="one of sds, above and labels",
            got=" and ".join([*(["sds"] if sds is not None else []), *given]),
            remedy="leave all but one out",
        )
    if above is not None:
        return (lambda image, level, sd: above), f"{above:g} counts"
    if labels is not None:
        return _of_labels(study, labels), f"the dead threshold of the labels {labels}"
    number = BACKGROUND_SDS if sds is None else sds
    text = f"the background by {number:g} of its standard deviations"
    return (lambda image, level, sd: level + number * sd), text


BACKGROUND_SDS = 5.0
"""So far above the background, in standard deviations, a pixel counts as lit by default."""


def _of_labels(study: Study, name: str) -> Threshold:
    meta = study.label_meta(name)
    settings = meta.settings
    if not meta.mixtures or settings.get("eight_bit"):
        raise LabelError(
            "labels without a threshold in counts",
            where=f"labels {name}",
            expected="labels by a stain, in the file's own levels",
            got=f"labels by {meta.route}" + (" in 8 bits" if meta.mixtures else ""),
            remedy="name labels by `livewell label stain`, or give --sds or --above",
        )
    mixtures = {group: _mixture(values) for group, values in meta.mixtures.items()}
    fields = study.fields().set_index("image")
    per, offset = settings.get("per"), float(settings.get("offset_counts", 0))
    groups = {str(image): str(fields[per][image]) if per else "" for image in fields.index}
    without = sorted(image for image, group in groups.items() if group not in mixtures)
    if without:
        raise TableError(
            f"labels {name} have no mixture for some images",
            [Fault("unfit", image, f"of group {groups[image]}") for image in without],
            remedy="label all groups together, or give --sds or --above",
        )

    def threshold(image: str, level: float, sd: float) -> float:
        dead = mixtures[groups[image]].dead_above
        if settings["on"] == "mean":
            return dead
        ratio = math.exp(dead) if settings["on"] == "log-ratio" else dead
        return offset + ratio * (level - offset)

    return threshold


def _mixture(values: dict[str, float]) -> Mixture:
    names = ("live_mean", "live_sd", "dead_mean", "dead_sd")
    return Mixture(*(float(values[name]) for name in names))
