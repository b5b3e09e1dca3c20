"""What a model can do, and the errors where it is asked for something else."""

from pathlib import Path

from livewell.errors import ModelFileError, SpecError
from livewell.metrics.rules import RegionRule
from livewell.models.files import Card
from livewell.models.profile import Profile


def refuse_frames(card: Card, folder: Path) -> None:
    """Refuse a model of whole frames where patches are judged.

    Raises
    ------
    ModelFileError
        It is one.
    """
    if not card.patch_px:
        raise ModelFileError(
            "this model judges whole frames, and here patches are judged",
            where=str(folder),
            expected="a model of a profile such as FAST",
            got=f"profile {card.profile.name}",
            remedy="use `livewell localise`, or `livewell evaluate` for its run",
        )


def refuse_frame_recipe(profile: Profile) -> None:
    """Refuse a recipe whose net sees whole frames where patches are counted."""
    if profile.sees_frames:
        raise SpecError(
            "a budget counts patches, and this recipe's net sees whole frames",
            where=f"profile {profile.name}",
            remedy="take FAST; for places in whole frames use `livewell localise`",
        )


def refuse_more_classes(card: Card, folder: Path, what: str) -> None:
    """Refuse a model of more than two classes where one class is held against another.

    Parameters
    ----------
    card, folder
        The model's.
    what
        What is of two classes, in words that begin the message.

    Raises
    ------
    ModelFileError
        It has more.
    """
    if not card.class_names.binary:
        raise ModelFileError(
            f"{what} one class against another",
            where=str(folder),
            expected="a model of two classes",
            got=", ".join(card.class_names),
            remedy="merge classes with `livewell label merge`, and train on these labels",
        )


def detection_rule(card: Card, folder: Path) -> RegionRule:
    """The rule for detections of a model whose maps say where.

    Raises
    ------
    ModelFileError
        It judges patches, its maps do not say where, it has more than two classes, or its card has
        no such rule.
    """
    profile = card.profile
    if card.patch_px:
        raise ModelFileError(
            "this model judges patches, and here whole frames are judged",
            where=str(folder),
            expected="a model of a profile such as WSCNN_FAST",
            got=f"profile {profile.name}",
            remedy="use `livewell assess` for its verdicts, or `livewell explain` for where its"
            " evidence lies",
        )
    if not profile.says_where:
        raise ModelFileError(
            "a model with a fully connected head does not tell where",
            where=str(folder),
            expected="a head that judges every place alike, such as global_pool=max",
            got=f"global_pool={profile.net.pooled_by}",
            remedy="hold it against labels with `livewell evaluate`, or train with global_pool=max",
        )
    refuse_more_classes(card, folder, "detections are of")
    if card.detection_rule is None:
        raise ModelFileError(
            "the card has no rule for detections",
            where=str(folder),
            expected="a detection_rule, chosen on validation frames",
            remedy="train again with this version of livewell",
        )
    return card.detection_rule
