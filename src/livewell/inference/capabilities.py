"""What a model can do, and the errors where it is asked for something else."""

from pathlib import Path

from livewell.errors import ModelFileError
from livewell.metrics.rules import RegionRule
from livewell.models.files import Card


def need_patches(card: Card, folder: Path) -> None:
    """Refuse a model of whole frames where patches are judged."""
    if not card.patch_px:
        raise _unfit(
            card,
            folder,
            "this model judges whole frames, and here patches are judged",
            expected="a model of a profile such as FAST",
            remedy="use `livewell localise`, or `livewell evaluate` for its run",
        )


def need_two_classes(card: Card, folder: Path, what: str) -> None:
    """Refuse more than two classes for what is of two, in words that begin the message."""
    if not card.class_names.binary:
        raise _unfit(
            card,
            folder,
            f"{what} one class against another",
            expected="a model of two classes",
            got=", ".join(card.class_names),
            remedy="merge classes with `livewell label merge`, and train on these labels",
        )


def need_class_map(card: Card, folder: Path) -> None:
    """Refuse a model of patches, and one whose class maps do not say where."""
    if card.patch_px:
        raise _unfit(
            card,
            folder,
            "this model judges patches, and here whole frames are judged",
            expected="a model of a profile such as WSCNN_FAST",
            remedy="use `livewell assess` for its verdicts, or `livewell explain` for where its"
            " evidence lies",
        )
    if not card.profile.says_where:
        raise _unfit(
            card,
            folder,
            "a model with a fully connected head does not tell where",
            expected="a head that judges every place alike, such as global_pool=max",
            got=f"global_pool={card.profile.net.pooled_by}",
            remedy="hold it against labels with `livewell evaluate`, or train with global_pool=max",
        )


def detection_rule(card: Card, folder: Path) -> RegionRule:
    """The rule for detections of a model of two classes whose maps say where."""
    need_class_map(card, folder)
    need_two_classes(card, folder, "detections are of")
    if card.detection_rule is None:
        raise _unfit(
            card,
            folder,
            "the card has no rule for detections",
            expected="a detection_rule, chosen on validation frames",
            got="",
            remedy="train again with this version of livewell",
        )
    return card.detection_rule


def _unfit(card: Card, folder: Path, what: str, **more: str) -> ModelFileError:
    given = {"where": str(folder), "got": f"profile {card.profile.name}"} | more
    return ModelFileError(what, **given)
