"""`filter`: a Proxy-Wasm filter judged before any Envoy has it, and packed for a registry. Needs no control plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.exits import Exit, Failed
from xds.cli.output import Format, Output, field, print_json, print_table

if TYPE_CHECKING:
    from xds.proxywasm.admission import Verdict

app = typer.Typer(no_args_is_help=True, help="Check a Wasm filter, or pack it for a registry.")

Module = Annotated[Path, typer.Argument(metavar="FILE", help="The module.", show_default=False)]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="PATH", help="Its configuration; without, an empty one.")
]
Sha256 = Annotated[str, typer.Option("--sha256", metavar="HEX", help="What its digest must be.")]
RootId = Annotated[
    str, typer.Option("--root-id", metavar="NAME", help="For modules that hold several filters and choose one by it.")
]


@app.command()
def check(
    file: Module, config: Config = None, sha256: Sha256 = "", root_id: RootId = "", output: Output = Format.TABLE
) -> None:
    """Start a filter, configure it, run a few odd requests through it, and say what was found.

    It prints what the module exports and imports, what it logged, and the verdict, which is the one that `fairlead
    serve` would come to. Exit code 1 says that it is refused; the last line says why and whose fault that is.
    """
    verdict = _verdict(file, config, sha256, root_id)
    if output is Format.JSON:
        print_json(_document(verdict))
    else:
        _print(verdict)
    if not verdict.accepted:
        raise Failed(f"{file} is refused: {verdict.reason}")


@app.command()
def package(
    file: Module,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the image layout goes; new or empty.")],
    config: Config = None,
    sha256: Sha256 = "",
    root_id: RootId = "",
    tag: Annotated[str, typer.Option("--tag", metavar="NAME", help="The image's name in the layout.")] = "latest",
    annotations: Annotated[
        list[str] | None, typer.Option("--annotation", metavar="KEY=VALUE", help="One more; may be repeated.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Write a filter as an OCI image layout, which any registry's tool can push and Envoy's control planes can pull.

    What `filter check` refuses is not packed. The same filter always gives the same digest.
    """
    from xds.proxywasm.image import write_image

    more = _pairs(annotations or [])
    verdict = _verdict(file, config, sha256, root_id)
    if not verdict.accepted:
        raise Failed(f"{file} is refused, and not packed: {verdict.reason}")
    own = {
        "org.opencontainers.image.title": file.name,
        "fairlead.filter.sha256": verdict.sha256,
        "fairlead.filter.abi": verdict.abi,
    }
    try:
        image = write_image(out, file.read_bytes(), tag=tag, annotations=own | more)
    except OSError as error:
        raise Failed(f"--out: {error}", Exit.INVALID) from None
    row = {"folder": str(image.folder), "tag": tag, "digest": image.digest, "layer": image.layer}
    if output is Format.JSON:
        print_json({**row, "annotations": dict(image.annotations)})
    else:
        print_table({name: field(name) for name in row}, [row], nothing="")


def add_to(parent: typer.Typer) -> None:
    """Add these commands to the command line."""
    parent.add_typer(app, name="filter")


def _verdict(file: Path, config: Path | None, sha256: str, root_id: str) -> Verdict:
    """The verdict; a file that is too large is refused unread."""
    from xds.proxywasm.admission import Verdict, check
    from xds.proxywasm.runtime import Limits

    try:
        size, most = file.stat().st_size, Limits().module_bytes
        if size > most:
            return Verdict(False, f"the module is {size} bytes long, the most is {most}", "")
        configuration = config.read_bytes() if config else b""
        return check(file.read_bytes(), configuration, sha256=sha256, root_id=root_id)
    except OSError as error:
        raise Failed(str(error), Exit.INVALID) from None


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "accepted": verdict.accepted,
        "reason": verdict.reason,
        "abi": verdict.abi,
        "sha256": verdict.sha256,
        "exports": list(verdict.exports),
        "imports": list(verdict.imports),
        "logs": [{"level": line.level.name.lower(), "text": line.text} for line in verdict.logs],
    }


def _print(verdict: Verdict) -> None:
    """The findings as rows; what there may be many of takes a row each."""
    rows = [{"what": "sha256", "found": verdict.sha256}, {"what": "abi", "found": verdict.abi}]
    rows += [{"what": "exports", "found": name} for name in verdict.exports]
    rows += [{"what": "imports", "found": name} for name in verdict.imports]
    rows += [{"what": f"log {line.level.name.lower()}", "found": line.text} for line in verdict.logs]
    rows.append({"what": "verdict", "found": "accepted" if verdict.accepted else "refused"})
    print_table({"what": field("what"), "found": field("found")}, rows, nothing="")


def _pairs(annotations: list[str]) -> dict[str, str]:
    found = {}
    for each in annotations:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise Failed(f"--annotation: {each!r} is not KEY=VALUE", Exit.INVALID)
        found[name] = value
    return found
