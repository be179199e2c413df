"""Routes: from documents to values of the model, and back."""

from __future__ import annotations

from xds.api.convert.matches import matches_of, matches_out
from xds.api.convert.pointers import renamed
from xds.api.convert.weights import maybe_duration, retry_of, retry_out, split_of, weights_out
from xds.api.schemas.route import PathModel, RouteIn, RouteOut
from xds.model.labels import escape
from xds.model.names import Key, ServiceKey
from xds.model.problems import InvalidInput
from xds.model.route import PathKind, PathMatch, Route
from xds.translate.regex import check_regex


def route_of(document: RouteIn, env: str, owner: str, name: str | None = None) -> Route:
    """Return the route of a document; `name` is the one in the path, which the document may repeat."""
    service = ServiceKey.of(document.service, env)
    full = _full_name(document, name)
    given = {"headers": document.headers, "cookies": document.cookies, "queries": document.queries}
    matches = {group: matches_of(documents, group) for group, documents in given.items()}
    places = {
        f"/{group}/{at}": f"/{group}/{escape(match.name)}"
        for group, found in matches.items()
        for at, match in enumerate(found)
    }
    with renamed(places):
        return Route(
            key=Key(env, full),
            service=service,
            hosts=tuple(document.hosts),
            path=PathMatch() if document.path is None else _path(document.path),
            methods=tuple(document.methods),
            headers=matches["headers"],
            cookies=matches["cookies"],
            queries=matches["queries"],
            priority=document.priority,
            rewrite=document.rewrite,
            timeout=document.timeout,
            idle_timeout=document.idle_timeout,
            retry=None if document.retry is None else retry_of(document.retry),
            port=document.port,
            subset=document.subset,
            split=None if document.split is None else split_of(document.split),
            owner=owner,
        )


def route_out(route: Route, *, revision: int) -> RouteOut:
    """Return a route as a document."""
    return RouteOut(
        name=route.key.name,
        service=route.service.name,
        env=route.key.env,
        hosts=list(route.hosts),
        path={route.path.kind.value: route.path.value},
        methods=list(route.methods),
        headers=matches_out(route.headers),
        cookies=matches_out(route.cookies),
        queries=matches_out(route.queries),
        priority=route.priority,
        rewrite=route.rewrite,
        timeout=maybe_duration(route.timeout),
        idle_timeout=maybe_duration(route.idle_timeout),
        retry=None if route.retry is None else retry_out(route.retry),
        port=route.port,
        subset=route.subset,
        split=None if route.split is None else weights_out(route.split.weights),
        revision=revision,
        owner=route.owner,
    )


def _full_name(document: RouteIn, name: str | None) -> str:
    """Return `<service>.<name>`, whether or not the caller wrote the service's part."""
    given = [each for each in (document.name, name) if each is not None]
    if not given:
        raise InvalidInput("name is required", pointer="/name")
    full = {each if each.startswith(f"{document.service}.") else f"{document.service}.{each}" for each in given}
    if len(full) > 1:
        raise InvalidInput(f"the path says {name!r}, the document {document.name!r}", pointer="/name")
    return full.pop()


def _path(document: PathModel) -> PathMatch:
    if document.exact is not None:
        return PathMatch(PathKind.EXACT, document.exact)
    if document.regex is not None:
        return PathMatch(PathKind.REGEX, check_regex(document.regex, pointer="/path/regex"))
    return PathMatch(PathKind.PREFIX, document.prefix or "")
