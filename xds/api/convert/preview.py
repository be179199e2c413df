"""Previews of rollouts, from documents to values of the model, and back."""

from __future__ import annotations

from xds.api.convert.matches import matches_of, matches_out
from xds.api.convert.pointers import renamed, under
from xds.api.scalars import write_percent
from xds.api.schemas.preview import PreviewIn, PreviewOut
from xds.model.labels import escape
from xds.model.preview import Preview
from xds.model.split import weight_from_percent


def preview_of(document: PreviewIn | None, version: str) -> Preview | None:
    """Return the preview of a version that a document asks for; None for none."""
    if document is None:
        return None
    with under("/preview"):
        headers, cookies = matches_of(document.headers, "headers"), matches_of(document.cookies, "cookies")
        mirror = weight_from_percent(document.mirror, pointer="/mirror")
    groups = (("headers", headers), ("cookies", cookies))
    places = {
        f"/preview/{group}/{at}": f"/preview/{group}/{escape(match.name)}"
        for group, found in groups
        for at, match in enumerate(found)
    }
    with renamed(places):
        return Preview(version, headers, cookies, mirror)


def preview_out(preview: Preview | None) -> PreviewOut | None:
    """Return a preview as a document."""
    if preview is None:
        return None
    return PreviewOut(
        headers=matches_out(preview.headers),
        cookies=matches_out(preview.cookies),
        mirror=write_percent(preview.mirror),
    )
