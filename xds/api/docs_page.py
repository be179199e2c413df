"""The OpenAPI document as one HTML page: no script, no style sheet, no asset from anywhere.

Whoever runs this may have no way to the internet, and a page from here must not load what somebody else can change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886 }
summary { cursor: pointer; padding: .25rem 0 }
code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { background: #8881; padding: .75rem; overflow-x: auto; border-radius: 4px }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top }
.verb { display: inline-block; min-width: 4.5rem; font-weight: 600 }
""".strip()

_VERBS: Final = ("get", "put", "patch", "post", "delete")


def render(document: Mapping[str, object]) -> str:
    """Return the page for an OpenAPI 3.1 document."""
    info = _map(document.get("info"))
    operations = list(_operations(document))
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_text(info['title'])} API</title>",
        f"<style>{_STYLE}</style><h1>{_text(info['title'])} API {_text(info['version'])}</h1>",
        f"<p>{_words(info['description'])}</p>",
        "<p>For programs: <a href=/openapi.json>openapi.json</a>.</p>",
    ]
    for tag in _list(document.get("tags")):
        name = str(_map(tag)["name"])
        mine = [each for each in operations if _list(each[2].get("tags"))[:1] == [name]]
        if mine:
            parts.append(f"<h2 id={_text(name.replace(' ', '-'))}>{_text(name)}</h2>")
            parts.append(f"<p>{_words(_map(tag).get('description', ''))}</p>")
            parts += [_operation(verb, path, operation, document) for path, verb, operation in mine]
    return "\n".join(parts)


def _operations(document: Mapping[str, object]) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    for path, verbs in _map(document.get("paths")).items():
        for verb in _VERBS:
            if verb in _map(verbs):
                yield path, verb, _map(_map(verbs)[verb])


def _operation(verb: str, path: str, operation: Mapping[str, object], document: Mapping[str, object]) -> str:
    head = f"<span class=verb>{verb.upper()}</span> <code>{_text(path)}</code>"
    parts = [f"<details><summary>{head} · {_text(operation.get('summary', ''))}</summary>"]
    parts.append(f"<p>{_words(operation.get('description', ''))}</p>")
    if parameters := _list(operation.get("parameters")):
        rows = "".join(_parameter(_map(each)) for each in parameters)
        parts.append(f"<table><tr><th>parameter<th>in<th>what{rows}</table>")
    body = _map(_map(_map(operation.get("requestBody")).get("content")).get("application/json"))
    if body:
        sample = _sample(body, document)
        parts.append("<p>Send:</p>" + _json(sample))
        parts.append("<p>With curl:</p><pre>" + _text(_curl(verb, path, sample)) + "</pre>")
    for status, response in _map(operation.get("responses")).items():
        content = _map(_map(response).get("content"))
        if status.startswith("2"):
            parts.append(f"<p>{_text(status)}:</p>" + _answer(content, document))
    errors = [status for status in _map(operation.get("responses")) if not status.startswith("2")]
    parts.append(f"<p>Errors: {_text(', '.join(errors))}, as problem documents.</p></details>")
    return "".join(parts)


def _answer(content: Mapping[str, object], document: Mapping[str, object]) -> str:
    """Return the example of an answer: a document, or plain text."""
    plain = _map(content.get("text/plain"))
    if plain:
        return f"<pre>{_text(plain['example'])}</pre>"
    answer = _map(content.get("application/json"))
    return _json(_sample(answer, document)) if answer else "<p>no body</p>"


def _parameter(parameter: Mapping[str, object]) -> str:
    name, place = _text(parameter["name"]), _text(parameter["in"])
    what = parameter.get("description") or _map(parameter.get("schema")).get("description", "")
    return f"<tr><td><code>{name}</code><td>{place}<td>{_words(what)}"


def _curl(verb: str, path: str, sample: object) -> str:
    body = json.dumps(sample, ensure_ascii=False)
    return f"curl -X {verb.upper()} http://127.0.0.1:15080{path} -H 'content-type: application/json' -d '{body}'"


def _sample(content: Mapping[str, object], document: Mapping[str, object]) -> object:
    """Return the example of a body: its own, or the first of the schema that it refers to."""
    if "example" in content:
        return content["example"]
    schema = _map(content.get("schema"))
    for choice in [schema, *map(_map, _list(schema.get("anyOf")))]:
        name = str(choice.get("$ref", "")).rpartition("/")[2]
        named = _map(_map(_map(document.get("components")).get("schemas")).get(name)) or choice
        if examples := _list(named.get("examples")):
            return examples[0]
    return {}


def _json(value: object) -> str:
    return f"<pre>{_text(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _text(value: object) -> str:
    return escape(str(value))


def _words(value: object) -> str:
    """Return a sentence, with what stands in backticks as code."""
    pieces = _text(value).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
