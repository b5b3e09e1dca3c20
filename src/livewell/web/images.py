"""What is known of one image: its file, its row in the study, its labels."""

from typing import Any

import pandas as pd

from livewell.errors import LivewellError
from livewell.images.listing import fingerprint
from livewell.tables.schemas import BOX
from livewell.text import plural, printable
from livewell.web.conditions import shown
from livewell.web.gallery import row_of
from livewell.web.health import SLACK_NS
from livewell.web.overlays import Overlay
from livewell.web.refusals import words_of
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site

NAMES = {
    "t0": "time index of its first frame",
    "time_s": "time of its first frame, hours",
    "dose_unit": "unit of the dose",
    "cell_line": "cell line",
    "picture": "cut from",
}
CHANGED = (
    "The file changed after the study was indexed. Labels may be of what it was; run `livewell"
    " index` again."
)


def about(site: Site, image: str) -> dict[str, Any]:
    """What the viewer must know: sizes, type, channels, scale, time, limits, overlays."""
    header = site.frames.header(image)
    channel = site.frames.channel(image)
    listing = site.catalogue.listing()
    time_s = row_of(listing, listing.numbers[image]).get("time_s")
    known = isinstance(time_s, int | float) and time_s == time_s
    return {
        "frames": header.frames,
        "height": header.height,
        "width": header.width,
        "type": header.dtype if header.dtype in ("uint8", "uint16") else "float32",
        "file_type": header.dtype,
        "channels": ["grey"] if header.colourless else list(header.channels),
        "channel": 0 if header.colourless else channel,
        "colour": site.frames.colour(image),
        "pixel_um": header.pixel_um,
        "frame_s": header.frame_s,
        "time0_s": float(time_s or 0) if known else 0.0,
        "limits": list(site.frames.limits(image, channel)),
        "overlays": [_described(site, each) for each in site.look.overlays.of(image)],
    }


def _described(site: Site, overlay: Overlay) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": overlay.id,
        "kind": overlay.kind,
        "name": printable(overlay.result.name),
    }
    if overlay.kind == "map":
        told = site.look.overlays.told(overlay)
        frame = overlay.result.about.get("frame")
        said |= {
            "classes": list(told.classes),
            "threshold": told.threshold,
            # of a map of a single frame
            "frame": frame if isinstance(frame, int) else None,
        }
    return said


def metadata(site: Site, person: SignedIn, number: int) -> list[tuple[str, str]]:
    """What the study and the file say of an image, as rows of a table."""
    listing = site.catalogue.listing()
    row = row_of(listing, number)
    found: list[tuple[str, str]] = []
    for name, value in row.items():
        text = shown(value)
        if not text or (name in ("picture", "path") and text == row["image"]):
            continue
        if name == "path" and not person.may("owner"):
            continue
        if name == "time_s":
            text = f"{float(value) / 3600:.2f}"
        found.append((NAMES.get(name, name.replace("_", " ")), printable(text)))
    image = listing.names[number]
    try:
        header = site.frames.header(image)
    except LivewellError as error:
        return [*found, ("file", words_of(error, site, person))]
    micro = f"{header.pixel_um:g} µm" if header.pixel_um else "the file does not say"
    step = f"{header.frame_s / 60:g} min" if header.frame_s else "the file does not say"
    found += [
        ("size", f"{header.height:,} x {header.width:,} px, {plural(header.frames, 'frame')}"),
        ("channels", printable(", ".join(header.channels))),
        ("pixel type", header.dtype),
        ("pixel size", micro),
    ]
    if header.frames > 1:
        found.append(("time between frames", step))
    notes = "\n".join(printable(note) for note in (*header.notes, *header.account))
    if notes:
        found.append(("how the file was read", notes))
    if _changed(site, image):
        found.append(("note", CHANGED))
    return found


def _changed(site: Site, image: str) -> bool:
    study = site.catalogue.study()
    _, indexed = fingerprint(study.folder / "fields.parquet")
    return fingerprint(study.path(image))[1] > indexed + SLACK_NS


def labels_of(site: Site, image: str) -> list[dict[str, Any]]:
    """Labels of an image by set: what is said of it, how often, and of which frames."""
    found = []
    for name in site.catalogue.study().label_names():
        try:
            table = site.catalogue.labels(name)
        except LivewellError as error:
            found.append({"set": name, "label": printable(error.what), "where": ""})
            continue
        rows = table[table["image"] == image]
        for label, part in rows.groupby("label"):
            found.append({"set": name, "label": printable(str(label)), "where": _where(part)})
    return found


def _where(rows: pd.DataFrame) -> str:
    """Which frames and regions labels are of, in words."""
    boxed = int(rows[BOX[0]].notna().sum())
    frames = rows["t"].dropna()
    if boxed:
        return plural(boxed, "region")
    if frames.empty:
        return "the whole image"
    first, last = int(frames.min()) + 1, int(frames.max()) + 1
    if len(frames) == 1:
        return f"frame {first}"
    return f"{len(frames)} frames, from {first} to {last}"
