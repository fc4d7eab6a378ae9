"""PDF documents through PDFium: each page is a frame, and, on request, each picture embedded in a page.

PDFium runs no script and follows no reference out of the file. A page has 150 pixels an inch, as far as its longest
side allows; it is rendered smaller where less is needed. Embedded pictures come as they lie in the file. With the
setting `panels` the panels of each page are frames too, cut from the page at its full size.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.places import FIRST_PANEL, FIRST_PICTURE, LAST_PANEL, PANELS_A_PAGE, panel_number
from dedupindex.records import Frame
from dedupindex.settings import PdfMode
from dedupindex.sources.content import (
    PART_BYTES,
    DecodedContent,
    Source,
    check_count,
    check_frame,
    check_total,
    make_frame,
)
from dedupindex.sources.panels import panel_frames
from dedupindex.sources.pictures import read_picture
from dedupindex.sources.readers.packages import package
from dedupindex.sources.reasons import words_of

DOTS_AN_INCH = 150.0
LONGEST_SIDE = 4096  # pixels of a page
LEAST_SIDE = 32  # pixels of the shorter side of an embedded picture; smaller ones are lines, bullets and masks
_POINTS_AN_INCH = 72.0
_DEPTH = 5  # forms inside forms in which pictures are looked for
_AS_THEY_ARE = {"DCTDecode": "JPEG", "JPXDecode": "JPEG2000"}  # filters whose data is a file of that format

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A picture on a page: its number, and where it is met first."""

    number: int
    page: int
    place: int  # among the pictures of that page
    height: int
    width: int


def read_pdf(source: Source) -> DecodedContent:
    """Pages, and embedded pictures where the setting `pdf` asks for them (or one is asked for by its number).

    Raises
    ------
    ReadError
        The extra is missing, a password is needed, or nothing in it can be drawn.
    """
    pdfium = package(source, "pypdfium2", "PDF", "pdf")
    document = _opened(source, pdfium)
    try:
        pages = len(document)
        check_count(source, pages)
        wanted = source.wanted
        if wanted is not None and wanted >= FIRST_PANEL:
            return DecodedContent("PDF", (_panel(source, document, pages, wanted),), pages)
        embedded: Sequence[_Embedded] = ()
        if source.settings.pdf is PdfMode.PICTURES or (wanted or 0) >= FIRST_PICTURE:
            embedded = list(_embedded(source, pdfium, document, pages))
            check_count(source, pages + len(embedded))
        numbers = [*range(pages), *(one.number for one in embedded)]
        if not numbers:
            raise UnsupportedImageError(source.path, Reason.NOT_AN_IMAGE, "a document without a page")
        chosen, part = _chosen(source, numbers, embedded)
        frames: list[Frame] = []
        failed: list[str] = []
        for number in chosen:
            try:
                if number < FIRST_PICTURE:
                    frames.append(_page(source, document, number))
                else:
                    frames.append(_picture(source, pdfium, document, embedded[number - FIRST_PICTURE]))
            except MemoryError:
                raise
            except (ReadError, Exception) as error:
                if wanted is not None:
                    raise
                what = f"page {number + 1}" if number < FIRST_PICTURE else f"picture {number - FIRST_PICTURE + 1}"
                failed.append(f"{what}: {words_of(error)}")
                source.note(failed[-1])
        if not frames and not part:
            raise ReadError(source.path, Reason.DAMAGED, failed[0] if failed else "nothing in it can be drawn")
        count = len(numbers)
        if source.settings.panels and wanted is None:
            panels, cut = _panels_of_part(source, document, pages, count, len(frames), part)
            frames += panels
            numbers += cut
    finally:
        document.close()
    sparse = tuple(numbers) if len(numbers) > pages else ()
    return DecodedContent("PDF", tuple(frames), count, part=part, numbers=sparse)


def _panels_of_part(
    source: Source, document: Any, pages: int, count: int, have: int, part: int
) -> tuple[list[Frame], list[int]]:
    """Panels of the pages that belong to this reading, and the numbers of all that were looked at.

    The first reading looks at every page, because it has to tell the numbers; a later one begins at the page of its
    first frame and ends when it is full. One page at its full size is in memory at once, besides the panels that stay.
    """
    first = source.first or 0
    begin = (first - FIRST_PANEL) // PANELS_A_PAGE if first >= FIRST_PANEL else 0
    frames: list[Frame] = []
    numbers: list[int] = []
    for page in range(begin, pages):
        if first and have + len(frames) >= part:
            break
        try:
            panels = _panels(source, document, page)
        except MemoryError:
            raise
        except (ReadError, Exception) as error:
            source.note(f"panels of page {page + 1}: {words_of(error)}")
            continue
        panels = tuple(panel for panel in panels if panel.number >= first)
        numbers += [panel.number for panel in panels]
        check_count(source, count + len(numbers))
        room = max(0, part - have - len(frames)) if part else len(panels)
        frames += panels[:room]
        if not part:
            check_total(source, sum(frame.pixels.nbytes for frame in frames))
    return frames, numbers


def _panels(source: Source, document: Any, page: int) -> tuple[Frame, ...]:
    """The panels of a page, cut at its full size."""
    first = panel_number(page, 0)
    if first + PANELS_A_PAGE - 1 > LAST_PANEL:
        return ()
    return panel_frames(_page(replace(source, min_side=None), document, page), first)


def _panel(source: Source, document: Any, pages: int, wanted: int) -> Frame:
    """One panel by its frame number.

    Raises
    ------
    ReadError
        There is no such page or panel.
    """
    page, panel = divmod(wanted - FIRST_PANEL, PANELS_A_PAGE)
    if page >= pages:
        raise ReadError(source.path, Reason.MISSING, f"no page {page + 1}; the document has {pages} pages")
    panels = _panels(source, document, page)
    if panel >= len(panels):
        detail = f"no panel {panel + 1}; page {page + 1} has {len(panels)}"
        raise ReadError(source.path, Reason.MISSING, detail)
    return panels[panel]


def _opened(source: Source, pdfium: Any) -> Any:
    try:
        return pdfium.PdfDocument(source.data)
    except pdfium.PdfiumError as error:
        text = str(error)
        if "assword" in text or "ecurity" in text:
            detail = "a password is needed to open it"
            raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail) from error
        raise ReadError(source.path, Reason.DAMAGED, "the document cannot be opened") from error


def _chosen(source: Source, numbers: list[int], embedded: Sequence[_Embedded]) -> tuple[list[int], int]:
    """Numbers of the frames to read now, and how many a reading has (0 = they are all of them)."""
    if source.wanted is not None:
        if source.wanted not in numbers:
            picture = source.wanted >= FIRST_PICTURE
            what = f"picture {source.wanted - FIRST_PICTURE + 1}" if picture else f"page {source.wanted + 1}"
            have = f"{len(embedded)} pictures" if picture else f"{len(numbers) - len(embedded)} pages"
            raise ReadError(source.path, Reason.MISSING, f"no {what}; the document has {have}")
        return [source.wanted], 0
    if source.first is None:
        return numbers, 0
    side = LONGEST_SIDE if source.min_side is None else 2 * source.min_side
    largest = max([side * side, *(min(one.height * one.width, 4 * side * side) for one in embedded)])
    part = max(1, PART_BYTES // (3 * largest))
    if len(numbers) <= part and not source.settings.panels:  # how many panels there are is not known yet
        return numbers, 0
    begin = bisect_left(numbers, source.first)
    return numbers[begin : begin + part], part


def _page(source: Source, document: Any, number: int) -> Frame:
    """A page, rendered in colour on white."""
    page = document[number]
    try:
        width, height = page.get_size()
        if not (0 < width < 1e6 and 0 < height < 1e6):
            raise ReadError(source.path, Reason.DAMAGED, f"a page of {width:g} x {height:g} points")
        longest = min(LONGEST_SIDE, max(1.0, max(width, height) * DOTS_AN_INCH / _POINTS_AN_INCH))
        scale = longest / max(width, height)
        full = (max(1, round(height * scale)), max(1, round(width * scale)))
        check_frame(source, full[0], full[1], 4)
        if source.min_side is not None:
            scale = min(longest, 2.0 * source.min_side) / max(width, height)
        bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
        pixels = np.array(bitmap.to_numpy())[..., :3]
        bitmap.close()
    finally:
        page.close()
    pixels = np.ascontiguousarray(pixels)
    full = (max(full[0], pixels.shape[0]), max(full[1], pixels.shape[1]))
    return make_frame(source, pixels, number, full_shape=full, bits=8)


def _embedded(source: Source, pdfium: Any, document: Any, pages: int) -> Iterator[_Embedded]:
    """The pictures embedded in the pages, in their order, each once; tiny ones are left out."""
    seen: set[bytes] = set()
    number = FIRST_PICTURE
    for page_number in range(pages):
        page = document[page_number]
        try:
            for place, image in enumerate(_images(pdfium, page)):
                width, height = image.get_px_size()
                if min(width, height) < LEAST_SIDE:
                    continue
                key = hashlib.sha256(f"{width} {height}".encode())
                key.update(bytes(image.get_data()))
                if key.digest() in seen:
                    continue
                seen.add(key.digest())
                yield _Embedded(number, page_number, place, height, width)
                number += 1
                check_count(source, number - FIRST_PICTURE)
        except pdfium.PdfiumError as error:
            source.note(f"page {page_number + 1}: {words_of(error)}")
        finally:
            page.close()


def _images(pdfium: Any, page: Any) -> Iterator[Any]:
    return iter(page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH))


def _picture(source: Source, pdfium: Any, document: Any, one: _Embedded) -> Frame:
    """An embedded picture as it lies in the document, at its own resolution."""
    check_frame(source, one.height, one.width, 4)
    page = document[one.page]
    try:
        image = next(image for place, image in enumerate(_images(pdfium, page)) if place == one.place)
        filters = image.get_filters()
        format = _AS_THEY_ARE.get(filters[-1]) if filters else None
        if format is not None and not filters[:-1]:
            data = bytes(image.get_data())
            inner = replace(source, data=data, wanted=None, first=None, settings=replace(source.settings))
            try:
                frame = read_picture(inner, format).frames[0]
                return Frame(frame.pixels, frame.mask, one.number, frame.full_shape, frame.bits)
            except ReadError:
                pass  # PDFium may read what others do not
        bitmap = image.get_bitmap(render=False)
        pixels = _colours(np.array(bitmap.to_numpy()))
        bitmap.close()
    finally:
        page.close()
    return make_frame(source, pixels, one.number, bits=8)


def _colours(samples: Array) -> Array:
    """(H, W) or (H, W, 3) RGB of PDFium's samples, whose order is BGR."""
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    return np.ascontiguousarray(samples if samples.ndim == 2 else samples[..., 2::-1])
