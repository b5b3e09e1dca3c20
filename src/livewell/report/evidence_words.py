"""What a page says of how evidence was found: of nets of crops, and on a fixed backbone."""

from collections.abc import Sequence
from dataclasses import dataclass

from livewell.explain.crops import CropCam
from livewell.explain.places import PlaceCam
from livewell.report.page import Note, info

PER_CELL = "score per cell of the layer"
AVERAGING = (
    "The class activation map (CAM, Zhou et al. 2016) is the sum of the net's last maps, each times"
    " the net's weight of it for the class: it adds up to the class score but for the bias."
    " Grad-CAM (Selvaraju et al. 2017) weighs maps by the mean of their slopes and leaves out what"
    " is below zero; at the last maps, which this net averages, it is the same map cut at zero."
)
HIDDEN = (
    "A class activation map (CAM, Zhou et al. 2016) is defined for nets that average their last"
    " maps and weigh the averages; between the maps and the scores of this one lie more layers, so"
    " that there is none. Grad-CAM (Selvaraju et al. 2017) is defined for all."
)


@dataclass(frozen=True)
class Words:
    """How a page says what was looked at.

    `unit` and `field_unit` are those of maps of patches and of fields; `margin` says by how much
    cells are widened, `activations` what class activation maps are of this net.
    """

    lead: str
    unit: str = PER_CELL
    field_unit: str = PER_CELL
    fields: str = "Maps of overlapping crops, averaged where they overlap."
    margin: str = "half a cell of the layer"
    activations: str = ""
    notes: Sequence[Note] = ()


def words_of(cam: CropCam | PlaceCam, models: bool, most: int) -> Words:
    """The words for a net; `models` were asked for, `most` patches make weights of a class."""
    if isinstance(cam, CropCam):
        of_class = f"weights averaged over training patches of the class, at most {most}"
        weights = of_class if cam.shown == "class" else "weights of each crop"
        known = AVERAGING if cam.averages else HIDDEN
        return Words(f"Grad-CAM at layer {cam.layer.name}, {weights}.", activations=known)
    layer, first = cam.layer, cam.names[0]
    of = "" if cam.module.pool_px else "'s centre"
    notes = [
        info(
            "The net judges all of a patch, as the mean over the places in it; what it reads just"
            " beyond the patch is not shown in full."
            if cam.module.pool_px
            else "The net reads a patch by squares round its centre, one inside the other, the"
            f" largest {layer.squares_px} px wide: evidence is strongest at the centre, whatever is"
            " there. Where patches are centred on cells it lies on cells for that reason alone."
        ),
    ]
    if layer.name != first:
        notes.append(
            info(
                f"A cell of these maps sees a square of up to {layer.field_px:,} px, so what made"
                f" it may lie elsewhere in the image. `livewell explain --layer {first}` shows the"
                " part of the evidence that is surely near."
            )
        )
    if models:
        notes.append(info("Class models are made of nets of crops; of this one there are none."))
    return Words(
        f"What each cell of {layer.name} of the fixed backbone, at all its zooms, adds to the class"
        f" score of the patch{of}, beside the mean of training fields (integrated gradients of"
        " the maps, exact).",
        "score per square of 8 px",
        "score",
        "What each position adds to the class scores of all positions around it, on a scale of its"
        " own. With what speaks against the class, the mean over a field is nearly its mean"
        " score, less that of a mean training field.",
        f"half the mean distance of the maps' cells, {layer.margin_px} px",
        "The class activation map (CAM) of this net is exact: what each cell adds to the class"
        " score, beside the mean of training fields (Zhou et al. 2016 for nets that average their"
        " maps). Grad-CAM (Selvaraju et al. 2017) takes the mean of each map's slopes for each"
        " cell's own, and leaves out what is below zero: it says less exactly where.",
        notes,
    )
