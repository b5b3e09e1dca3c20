"""Looking at a study: what it holds, plates and wells, one image."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from livewell.errors import LivewellError
from livewell.geometry import Box
from livewell.text import plural, printable
from livewell.web.conditions import Colouring, shown
from livewell.web.gallery import PAGE, Gallery, Plates, Tile, gallery, tile_of
from livewell.web.images import about, labels_of, metadata
from livewell.web.overlays import Overlay, map_frame
from livewell.web.pixels import image_name, packed, packed_box, unavailable
from livewell.web.rendering import page
from livewell.web.security import Looker, Owner, TheSite, Viewer, looks
from livewell.web.site import Site
from livewell.web.thumbnails import Thumbnail

router = APIRouter()
FEW = 20
"""Names of images that a page lists at once."""
Number = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("/", response_class=HTMLResponse)
def overview(
    request: Request,
    person: Viewer,
    site: TheSite,
    colour: Annotated[str, Query(max_length=400)] = "",
    plate: Number = 0,
    sort: Annotated[str, Query(max_length=100)] = "",
    down: bool = False,
    column: Annotated[str, Query(max_length=100)] = "",
    value: Annotated[str, Query(max_length=400)] = "",
    number: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    view: Annotated[str, Query(pattern="^(plate|list|)$")] = "",
) -> Response:
    """What the study holds: plates of wells, or pages of thumbnails."""
    if not looks(site, person):
        return RedirectResponse("/annotate", 303)
    listing, plates = site.catalogue.listing(), Plates.of(site.catalogue)
    colouring, names = _colouring(site, colour)
    on_plate = bool(plates.names) and view != "list"
    if on_plate and plate >= len(plates.names):
        raise HTTPException(404, "There is no plate of this number.")
    shown_images: Gallery | None = None
    if not on_plate:
        shown_images = gallery(listing, colouring, sort, down, column, value, number)
    return page(
        request,
        person,
        "look.html",
        site_name=printable(listing.study.folder.resolve().name),
        summary=_summary(site, plates),
        health=site.look.health.get(),
        few=FEW,
        numbers=listing.numbers,
        plates=plates,
        plate=plates.plate(plate, colouring) if on_plate else None,
        plate_number=plate,
        gallery=shown_images,
        per_page=PAGE,
        colouring=colouring,
        colourings=names,
        asked={"sort": sort, "down": down, "column": column, "value": value},
    )


@router.get("/well/{plate}/{well}", response_class=HTMLResponse)
def well_page(
    request: Request,
    plate: int,
    well: str,
    person: Looker,
    site: TheSite,
    colour: Annotated[str, Query(max_length=400)] = "",
) -> HTMLResponse:
    """All images of a well, by position and time."""
    listing, plates = site.catalogue.listing(), Plates.of(site.catalogue)
    colouring, names = _colouring(site, colour)
    rows = plates.images(plate, well)
    if not rows:
        raise HTTPException(404, "There is no such well with images.")
    tiles: list[Tile] = [tile_of(listing, row, colouring) for row in rows]
    return page(
        request,
        person,
        "look_well.html",
        well=well,
        plate_number=plate,
        plate_name=plates.names[plate],
        many_plates=len(plates.names) > 1,
        tiles=tiles,
        neighbours=plates.beside(plate, well),
        colouring=colouring,
        colourings=names,
    )


@router.get("/image/{number}", response_class=HTMLResponse)
def image_page(request: Request, number: int, person: Looker, site: TheSite) -> HTMLResponse:
    """One image or movie in the viewer, with what is known of it."""
    name, listing = image_name(site, number), site.catalogue.listing()
    plates = Plates.of(site.catalogue)
    return page(
        request,
        person,
        "look_image.html",
        name=name,
        number=number,
        count=len(listing.names),
        at=plates.at(number),
        rows=metadata(site, person, number),
        labels=labels_of(site, name),
        overlays=site.look.overlays.of(name),
        runs=site.mapping.runs() if person.may("owner") else [],
        job=site.mapping.latest(name) if person.may("owner") else None,
    )


@router.post("/image/{number}/map")
def make_map(
    number: int, person: Owner, site: TheSite, run: Annotated[str, Form(max_length=100)]
) -> RedirectResponse:
    """Ask for the class map of an image by a run."""
    name = image_name(site, number)
    found = next((each for each in site.mapping.runs() if each.id == run), None)
    if found is None:
        raise HTTPException(422, "There is no such run with a model.")
    site.mapping.ask(name, found, person.id)
    return RedirectResponse(f"/image/{number}#maps", 303)


@router.get("/image/{number}/job")
def map_job(number: int, person: Owner, site: TheSite) -> dict[str, str]:
    """How far the map is that was asked for last: its state and step."""
    job = site.mapping.latest(image_name(site, number))
    return {"state": job.state, "step": job.step} if job else {"state": "", "step": ""}


@router.get("/image/{number}/about")
def image_about(number: int, person: Looker, site: TheSite) -> JSONResponse:
    """What the viewer must know of an image: size, type, channels, scale, frames, overlays."""
    try:
        return JSONResponse(about(site, image_name(site, number)))
    except LivewellError as error:
        return unavailable(site, error, person)


@router.get("/image/{number}/limits")
def image_limits(
    number: int, person: Looker, site: TheSite, channel: Annotated[int, Query(ge=0, le=10_000)]
) -> JSONResponse:
    """Grey levels between which a channel is shown at first."""
    try:
        return JSONResponse({"limits": site.frames.limits(image_name(site, number), channel)})
    except LivewellError as error:
        return unavailable(site, error, person)


@router.get("/image/{number}/pixels")
def image_pixels(
    number: int,
    person: Looker,
    site: TheSite,
    t: Number = 0,
    frames: Annotated[int, Query(ge=1, le=1000)] = 1,
    channel: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    y0: Number | None = None,
    x0: Number | None = None,
    y1: Number | None = None,
    x1: Number | None = None,
    step: Annotated[int, Query(ge=1, le=64)] = 1,
) -> Response:
    """Raw numbers of a box of frames, see `web.pixels.packed`."""
    name, corners = image_name(site, number), (y0, x0, y1, x1)
    given = [corner for corner in corners if corner is not None]
    if len(given) not in (0, 4):
        raise HTTPException(422, "A box has four corners, y0, x0, y1 and x1, or none.")
    try:
        box = Box.of(*given) if given else None
    except LivewellError as error:
        raise HTTPException(422, str(error)) from None
    return packed_box(site, person, name, range(t, t + frames), channel, box, step)


@router.get("/image/{number}/thumbnail")
async def image_thumbnail(request: Request, number: int, person: Looker, site: TheSite) -> Response:
    """A small 8-bit picture, to find one's way by; a placeholder for what cannot be read."""
    thumbnails = site.look.thumbnails

    def get() -> Thumbnail:
        return thumbnails.get(image_name(site, number))

    made = await asyncio.get_running_loop().run_in_executor(thumbnails.pool, get)
    headers = {"Cache-Control": "private, no-cache"}
    if made.tag:
        headers["ETag"] = f'"{made.tag}"'
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
    if made.fault:
        headers = {"Cache-Control": "no-store", "X-Fault": made.fault}
    return Response(made.data, 200, headers, made.kind)


@router.get("/image/{number}/overlays/{overlay}/map")
def overlay_map(
    number: int, overlay: str, person: Looker, site: TheSite, t: Number = 0
) -> Response:
    """One frame of a class map as raw float32 (classes, rows, columns), and where its cells lie."""
    found = _overlay(site, number, overlay, "map")
    try:
        values, transform, frames = map_frame(found, t)
    except LivewellError as error:
        return unavailable(site, error, person)
    y, x = transform.origin_px
    headers = {"X-Stride": str(transform.stride_px), "X-Origin": f"{y},{x}"}
    return packed(values, headers=headers | {"X-Frames": str(frames)})


@router.get("/image/{number}/overlays/{overlay}/detections")
def overlay_detections(number: int, overlay: str, person: Looker, site: TheSite) -> JSONResponse:
    """Detections of an image, in pixels of it."""
    found = _overlay(site, number, overlay, "detections")
    name = image_name(site, number)
    return JSONResponse({"detections": site.look.overlays.detections(found, name)})


def _overlay(site: Site, number: int, overlay: str, kind: str) -> Overlay:
    found = site.look.overlays.named(image_name(site, number), overlay)
    if found is None or found.kind != kind:
        raise HTTPException(404, "This image has no such overlay.")
    return found


def _colouring(site: Site, asked: str) -> tuple[Colouring | None, dict[str, str]]:
    """The colouring asked for, else by what the study knows first; and all there are."""
    names = site.look.conditions.names()
    key = asked if asked in names else next(iter(names), "")
    return site.look.conditions.get(key), names


def _summary(site: Site, plates: Plates) -> list[tuple[str, str]]:
    """What the study holds, in words."""
    listing = site.catalogue.listing()
    fields, study = listing.fields, listing.study
    found = [("images", f"{len(fields):,}")]
    if plates.names:
        wells = sum(len(plates.wells(n)) for n in range(len(plates.names)))
        where = plural(len(plates.names), "plate")
        found.append(("wells", f"{wells:,} on {where}"))
    if "dose" in fields and fields["dose"].notna().any():
        units: list[str] = []
        if "dose_unit" in fields:
            units = fields["dose_unit"].dropna().unique().tolist()
        doses = ", ".join(shown(dose) for dose in sorted(fields["dose"].dropna().unique())[:12])
        found.append(("doses", printable(f"{doses} {units[0] if len(units) == 1 else ''}")))
    if "treatment" in fields and fields["treatment"].notna().any():
        names = sorted(fields["treatment"].dropna().astype(str).unique())
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        found.append(("treatments", printable(", ".join(names[:8]) + more)))
    labels, results = study.label_names(), site.look.results.all()
    found.append(("sets of labels", printable(", ".join(labels)) or "none yet"))
    runs = sum(each.kind == "training run" for each in results)
    found.append(("runs", f"{runs} found" if runs else "none found"))
    return found
