"""What pages say of a model."""

from collections.abc import Mapping
from typing import Any

from livewell.models.files import Card
from livewell.report.page import Note, info
from livewell.text import threshold_p


def meaning(card: Card) -> tuple[str, ...]:
    """What p means, where it is no probability."""
    return (card.data["p"],) if "p" in card.data else ()


def card_notes(cards: Mapping[int, Card]) -> list[Note]:
    """What a reader should know of the models of a run's folds, by their cards.

    What p means where one class alone was learnt; which of several recipes was kept, and why; what
    features of a plate are relative to.
    """
    found = {fold: card.data["chosen"] for fold, card in cards.items() if "chosen" in card.data}
    anchors = dict.fromkeys(card.anchor for card in cards.values() if card.anchor is not None)
    return [
        *(info(text) for text in dict.fromkeys(t for c in cards.values() for t in meaning(c))),
        *(info(f"Fold {fold}: {chosen['because']}") for fold, chosen in sorted(found.items())),
        *(
            info(
                f"Features of every plate are relative to those of its anchor ({anchor}), whose"
                " regions are neither learnt from nor judged. A new plate needs such wells too."
            )
            for anchor in anchors
        ),
    ]


def model_summary(card: Card) -> dict[str, Any]:
    """A model's card in a few lines."""
    first = {"weights": card.weights_sha256[:16], "profile": card.profile.name}
    last = {"verdicts": card.image_rule.note, "trained on": card.data.get("study", "")}
    if not card.patch_px:
        rule = card.detection_rule
        least = "none" if rule is None else f"p {threshold_p(rule.threshold)}"
        return {
            **first,
            "net": card.profile.net.kind,
            "global pooling": card.profile.net.pooled_by,
            "pixel_um": card.pixel_um,
            "frame_px": " x ".join(map(str, card.frame_px or ())),
            "threshold of a detection": least,
            "temperature of a detection": "none" if rule is None else f"{rule.temperature:.3f}",
            **last,
        }
    results = {
        row["name"]: f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"
        for row in card.results
    }
    return {
        **first,
        "pixel_um": card.pixel_um,
        "patch_px": card.patch_px,
        **({"predicts the stain": card.stain} if card.stain else {}),
        **({"features relative to": str(card.anchor)} if card.anchor else {}),
        "dense maps": "equal to scores of regions"
        if card.profile.net.sees_fields
        else "equal to windows"
        if card.profile.dense_is_exact
        else "near windows at best; heat maps measure how near",
        **last,
        "results on unseen groups": results or "not evaluated",
    }
