"""docs/breaker-rule.schema.json is the schema of the rule as the code has it.

`UPDATE_GOLDEN=1 pytest tests/conventions/test_breaker_schema.py` writes it anew.
"""

from __future__ import annotations

import json
import os
import re

from tests.harness.repo import ROOT
from xds.wire.filter_schema import BreakerRule

SCHEMA = ROOT / "docs" / "breaker-rule.schema.json"
PAGE = ROOT / "docs" / "breaker-policy.md"


def test_the_schema_in_the_documents_is_that_of_the_code() -> None:
    made = json.dumps(BreakerRule.model_json_schema(), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA.write_text(made, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == made


def test_the_page_names_every_number_of_the_rule_with_its_default() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| `([\w]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    defaults = {name: json.dumps(field.default) for name, field in BreakerRule.model_fields.items()}
    assert told == defaults
