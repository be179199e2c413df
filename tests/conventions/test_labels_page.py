"""The tables of docs/labels.md are those of the code that reads labels.

`UPDATE_GOLDEN=1 pytest tests/conventions/test_labels_page.py` writes them anew.
"""

from __future__ import annotations

import os
import re
from typing import Final

from tests.harness.repo import ROOT
from xds.labels.keys import AnyKey
from xds.labels.table import SECTIONS, Section

PAGE: Final = ROOT / "docs" / "labels.md"
PLACE: Final = re.compile(r"(<!-- keys: .*? -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def cell(text: str) -> str:
    return text.replace("|", "\\|") or "-"


def code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def row(key: AnyKey) -> str:
    costs = "refuses it; " if key.essential else ""
    later = " (read and checked; nothing acts on it yet)" if not key.acts else ""
    cells = (f"`{key.label}`", key.type.name, key.default, code(key.example), f"{costs}{key.does}{later}")
    return "| " + " | ".join(map(cell, cells)) + " |"


def table(section: Section) -> str:
    head = "| label | type | default | example | what it does |\n|---|---|---|---|---|"
    return f"\n## {section.title}\n\n{section.words}\n\n{head}\n" + "\n".join(map(row, section.keys)) + "\n"


def test_the_page_has_every_key_as_the_code_reads_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    made = "\n".join(table(section).rstrip("\n") + "\n" for section in SECTIONS)
    wanted = PLACE.sub(lambda found: f"{found[1]}{made}\n{found[2]}", text)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted


def test_every_key_is_in_one_section_and_named_once() -> None:
    names = [key.name for section in SECTIONS for key in section.keys]
    assert len(names) == len(set(names))
