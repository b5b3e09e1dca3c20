"""Which pages of a TIFF are its image, and which are thumbnails, masks or others beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from livewell.errors import ImageReadError, LivewellError
from livewell.images.plain import damaged
from livewell.images.reference import field_names, one_field
from livewell.images.tiff.checks import page_faults
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.statement import Statement
from livewell.text import plural


@dataclass(frozen=True, slots=True)
class Choice:
    """The pages of the image and what is said of them; what was left out, with notes on doubts."""

    said: Statement
    pages: Sequence[Page]
    account: tuple[str, ...]
    notes: tuple[str, ...]


def choose(pages: Sequence[Page], statements: Sequence[Statement], field: str = "") -> Choice:
    """The pages of one image; an error where one of them is damaged.

    That of the name `field`, see `fields_of`; without one an error where several could be it.
    """
    account: list[str] = []
    notes: list[str] = []
    said, own = _asked(pages, statements, field, notes) if field else (None, [])
    if said is None:
        candidates = _candidates(_sound(pages, notes), statements)
        best = _best(candidates)
        if best is None:
            raise several(pages[0].file.path, candidates)
        said, own = candidates[best]
    _refuse_odd(own)
    chosen = {page.number for page in own}
    others = [page for page in pages if page.number not in chosen]
    for page in others:
        if page.form.reduced:
            account.append(f"page {page.number} not read: a smaller copy or a mask ({page.form})")
        elif not (field or page_faults(page)):
            notes.append(f"page {page.number} not read: it is not of the same series ({page.form})")
    if field and others:
        account.append(f"{plural(len(others), 'page')} of other images of the file not read")
    inner = [page for page in own if 330 in page.tags]
    if inner:
        account.append(_inner(inner))
    return Choice(said, own, tuple(_merged(account)), tuple(_merged(notes)))


def fields_of(pages: Sequence[Page], statements: Sequence[Statement]) -> tuple[str, ...]:
    """Names of the images of a file, in its order; none where one of them stands out as the image.

    They are what the file calls them, else their numbers from 1.
    """
    candidates = _candidates(pages, statements)
    return _names(candidates) if _best(candidates) is None else ()


def several(path: Path, candidates: Sequence[tuple[Statement, Sequence[Page]]]) -> ImageReadError:
    """The error for a file of several images, none of which was asked for."""
    names = _names(candidates)
    told = "; ".join(
        f"{name} ({numbered(own)}: {own[0].form})"
        for name, (_, own) in zip(names[:6], candidates, strict=False)
    )
    return ImageReadError(
        f"holds {len(candidates)} images (positions, or pages that do not fit together)",
        where=str(path),
        expected=f"one of them, named behind the file: {path.name}/{names[0]}",
        got=told,
        remedy="name one of them so, or save every position to a file of its own",
    )


def _refuse_odd(own: Sequence[Page]) -> None:
    """Pages of one series must be of one form."""
    odd = [page for page in own if page.form.key != own[0].form.key]
    if odd:
        raise ImageReadError(
            f"pages of one series differ: {own[0].form}, and page {odd[0].number} {odd[0].form}",
            where=str(own[0].file.path),
            remedy="save pages of one size and number type to a file of their own",
        )


def _names(candidates: Sequence[tuple[Statement, Sequence[Page]]]) -> tuple[str, ...]:
    return field_names([said.name for said, _ in candidates])


def _asked(
    pages: Sequence[Page], statements: Sequence[Statement], field: str, notes: list[str]
) -> tuple[Statement, list[Page]]:
    """The image of a name, and its pages, which must be sound."""
    candidates = _candidates(pages, statements)
    said, own = candidates[one_field(_names(candidates), field, pages[0].file.path)]
    return said, _sound(own, notes)


def _sound(pages: Sequence[Page], notes: list[str]) -> list[Page]:
    """Pages that can be read; a damaged one is an error unless it is a copy of another."""
    found = []
    for page in pages:
        if page.form.depth > 1:
            raise ImageReadError(
                f"a volume of {page.form.depth} slices in one page",
                where=str(page.file.path),
                remedy="save its slices as pages of their own",
            )
        faults = page_faults(page)
        if not faults:
            found.append(page)
        elif page.form.reduced and len(pages) > 1:
            notes.append(f"page {page.number}, a smaller copy or a mask, is damaged: {faults[0]}")
        else:
            raise damaged(page.file.path, f"page {page.number}: {'; '.join(faults)}")
    if not found:
        raise damaged(pages[0].file.path, "a TIFF without an image")
    return found


def _candidates(
    pages: Sequence[Page], statements: Sequence[Statement]
) -> list[tuple[Statement, list[Page]]]:
    """Series of pages, each with what is said of it."""
    full = [page for page in pages if not page.form.reduced] or list(pages)
    if all(said.pages is not None and len(said.pages) == 1 for said in statements):
        # a description for every page: nothing tells what they are
        said = replace(statements[0], pages=None)
        statements = [replace(said, source="", sizes=()) if len(statements) > 1 else said]
    if len(statements) == 1 and statements[0].places is None:
        groups: dict[tuple[Any, ...], list[Page]] = {}
        for page in full:
            groups.setdefault(page.form.key, []).append(page)
        return [(statements[0], group) for group in groups.values()]
    series = [(said, _spoken_of(said, pages)) for said in statements]
    found = [(said, own) for said, own in series if own]
    if not found:
        raise damaged(pages[0].file.path, "its description names no page that can be read")
    return found


def _spoken_of(said: Statement, pages: Sequence[Page]) -> list[Page]:
    """Pages that a statement speaks of."""
    numbers = set(said.pages or ())
    if said.places is not None:
        numbers = {number for file, number in said.places.values() if not file}
    own = [page for page in pages if page.number in numbers]
    if said.places is None:
        own = [page for page in own if not page.form.reduced] or own
    return own


def _best(candidates: Sequence[tuple[Statement, Sequence[Page]]]) -> int | None:
    """The series of most pages, or the largest of single pages; none where that is a guess."""
    sizes = [(len(own), own[0].form.height * own[0].form.width) for _, own in candidates]
    most = max(count for count, _ in sizes)
    longest = [i for i, (count, _) in enumerate(sizes) if count == most]
    best = max(longest, key=lambda i: sizes[i][1])
    largest = sizes[best][1]
    alike = [
        count
        for (said, _), (count, area) in zip(candidates, sizes, strict=True)
        if area == largest and (count > 1 or said.places is not None)
    ]
    if most == 1:
        doubt = sum(area == largest for _, area in sizes) > 1
    elif len(alike) > 1:
        doubt = True
    else:
        doubt = len(longest) > 1 or any(n * area > most * largest for n, area in sizes)
    return None if doubt else best


def _inner(pages: Sequence[Page]) -> str:
    """What lies inside the pages as sub-images."""
    first = pages[0]
    told = []
    for at in first.values(330)[:20]:
        try:
            page, _ = first.file.page(int(at), 0)
            told.append(f"{page.form.height} x {page.form.width} px")
        except LivewellError:
            told.append("damaged")
    return f"sub-images of {numbered(pages)} not read ({', '.join(told)})"


def numbered(pages: Sequence[Page]) -> str:
    """Pages by their numbers."""
    numbers = [page.number for page in pages]
    if len(numbers) == 1:
        return f"page {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"pages {numbers[0]} to {numbers[-1]}"
    some = ", ".join(map(str, numbers[:8]))
    return f"{len(numbers)} pages ({some}{' ...' if len(numbers) > 8 else ''})"


def _merged(notes: Sequence[str]) -> list[str]:
    """At most six notes on single pages, and how many more there are."""
    kept = list(notes[:6])
    return [*kept, f"{len(notes) - 6} more pages not read"] if len(notes) > 6 else kept
