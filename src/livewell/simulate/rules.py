"""Rules that settings of a simulation keep, named all at once where they are broken."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from livewell.errors import SpecError


def must_hold(what: str, spec: Any, rules: Mapping[str, bool]) -> None:
    """Refuse a dataclass that breaks a rule, with the values of all settings that rules name."""
    broken = "; ".join(rule for rule, holds in rules.items() if not holds)
    if broken:
        named = [each.name for each in fields(spec) if each.name in re.findall(r"\w+", broken)]
        raise SpecError(
            what,
            expected=broken,
            got=", ".join(f"{name} = {getattr(spec, name)!r}" for name in named),
            remedy="correct the values named",
        )
