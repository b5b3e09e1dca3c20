"""What a recipe is: every setting of a training run, frozen and checked.

`override` makes another one with single settings changed.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from livewell.errors import Fault, SpecError
from livewell.models.nets.catalog import NETS, AnyNetSpec
from livewell.models.specs import LOCAL, AugmentSpec, FitSpec, InputSpec, Spec, hold

RENAMED = {
    "move_px": "translate_px",
    "shift_px": "crop_jitter_px",
    "turns": "flips",
    "test_turns": "test_time_augmentation",
}
"""Names that settings had in version 0.1; they are still read."""
GROUPS: dict[str, type[Spec]] = {"input": InputSpec, "augment": AugmentSpec, "fit": FitSpec}


class Profile(Spec):
    """Everything that decides a training run, apart from data and seed."""

    name: str
    source: str
    net: AnyNetSpec
    input: InputSpec
    augment: AugmentSpec = AugmentSpec()
    fit: FitSpec

    @property
    def sees_frames(self) -> bool:
        """Whether its net sees whole frames, not patches."""
        return self.net.sees_frames

    @property
    def seen_px(self) -> int:
        """Edge of what its net sees: the centre of a patch with a margin; 0: whole frames."""
        return self.input.input_px + 2 * self.net.margin_px if self.input.input_px else 0

    @property
    def middle_px(self) -> int:
        """Edge of the middle of a patch in which a cell must lie for it to be judged.

        The patch itself, but for nets that judge what is at its centre. Where nothing else is asked
        for, patches lie so far apart.
        """
        patch_px = self.input.patch_px
        return max(patch_px // 8 * 2 + patch_px % 2, 1) if self.net.reads_centre else patch_px

    def for_labels(self, centred: bool) -> "Profile":
        """The recipe for labels of what lies at the centres of patches, or of whole patches."""
        return self.model_copy(update={"net": self.net.for_labels(centred)})

    @property
    def dense_is_exact(self) -> bool:
        """Whether dense maps of its net equal windows one by one, but for rounding."""
        return not self.net.pads and self.input.normalise in LOCAL

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, values: Any) -> Any:
        """A recipe as version 0.1 wrote it: all settings side by side."""
        if not isinstance(values, Mapping) or not isinstance(values.get("net"), str):
            return values
        flat = {RENAMED.get(name, name): value for name, value in values.items()}
        own = NETS[flat["net"]].model_fields if flat["net"] in NETS else {"kind": None}
        net = {name: flat[name] for name in own if name in flat} | {"kind": flat["net"]}
        made: dict[str, Any] = {"name": flat["name"], "source": flat["source"], "net": net}
        for group, spec in GROUPS.items():
            made[group] = {name: flat[name] for name in spec.model_fields if name in flat}
        return made

    @model_validator(mode="after")
    def _fits(self) -> "Profile":
        kind, edges = self.net.kind, self.input
        sizes = (edges.patch_px, edges.input_px, edges.stride_px)
        if self.sees_frames:
            rules = {
                f"net '{kind}' sees frames: patch_px, input_px, stride_px must be 0": not any(
                    sizes
                ),
                "whole frames are not normalised by the square of a patch": (
                    edges.normalise not in LOCAL
                ),
                "test_time_augmentation is for nets of patches": not edges.test_time_augmentation,
            }
        else:
            rules = {
                f"net '{kind}' needs patch_px, input_px and stride_px above 0": all(sizes),
                "normalise 'mean_image' is for wscnn nets only": edges.normalise != "mean_image",
            }
        rules["input_px is larger than patch_px"] = edges.input_px <= edges.patch_px
        rules[
            "optimiser 'lbfgs' is for nets that see fields, such as 'frozen', which take no other"
        ] = self.net.sees_fields == (self.fit.optimiser == "lbfgs")
        rules["lr_first and head_epochs are for nets with blocks, such as 'resnet50'"] = (
            self.net.has_blocks or not (self.fit.lr_first or self.fit.head_epochs)
        )
        if self.net.sees_fields:
            rules |= {
                f"net '{kind}' sees fields as they are: no augmentation": (
                    self.augment == AugmentSpec(flips=False)
                ),
                f"net '{kind}' is fitted in steps, and by a penalty (weight_decay) above 0": (
                    not self.fit.passes and self.fit.weight_decay > 0
                ),
            }
        hold(rules | self.net.rules(edges, self.augment))
        return self

    def over(self, regions: int) -> "Profile":
        """The recipe for so many regions to train on, its passes over them counted in steps.

        Without weights to begin with there are no epochs of the last layer alone.
        """
        alone = self.fit.head_epochs if self.net.begins_with else 0
        fit = self.fit.over(regions).model_copy(update={"head_epochs": alone})
        return self.model_copy(update={"fit": fit})

    def settings(self) -> dict[str, Any]:
        """All settings side by side, by name; of the net those that it has."""
        net = self.net.model_dump()
        found = {"net": net.pop("kind"), **net}
        for group in GROUPS:
            found |= getattr(self, group).model_dump()
        return found

    def updated(self, name: str, source: str, **settings: object) -> "Profile":
        """The recipe under another name, with single settings changed."""
        return Profile.model_validate({"name": name, "source": source} | self.settings() | settings)


def override(base: Profile, settings: Mapping[str, object]) -> Profile:
    """`base` with single settings changed; all faults are named at once.

    Parameters
    ----------
    base
        The recipe to start from.
    settings
        Values, or their text as typed (``{"lr": "0.001", "blur_px": "0,1.5"}``). With another net
        settings that both have are kept.

    Raises
    ------
    SpecError
        A setting that does not exist, or a value out of range.
    """
    if not settings:
        return base
    named = {RENAMED.get(name, name): value for name, value in settings.items()}
    known = ["net", *_fields(NETS.get(str(named.get("net", base.net.kind)), type(base.net)))]
    faults = [_unknown(name, known) for name in named if name not in known]
    changed = ", ".join(f"{name}={named[name]}" for name in sorted(named))
    values = {name: value for name, value in named.items() if name in known}
    try:
        result = base.updated(base.name, f"{base.source} Changed: {changed}.", **values)
    except ValidationError as error:
        faults += [_bad_value(each, named) for each in error.errors()]
    if faults:
        unknown = any(fault.code == "unknown-setting" for fault in faults)
        raise SpecError(
            f"settings of profile {base.name}",
            got="; ".join(map(str, faults)),
            expected=f"settings among {', '.join(known)}" if unknown else "",
            remedy=f"see `livewell train --settings-of {base.name}` for every setting",
        )
    return result


def described(base: Profile) -> str:
    """A recipe's name and source, then every setting with value and meaning, one a line."""
    lines, fields = [f"{base.name}: {base.source}"], _fields(type(base.net))
    for name, value in base.settings().items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        said = fields[name].description if name in fields else "which net"
        lines.append(f"{name}={text}" + (f"  ({said})" if said else ""))
    return "\n".join(lines)


def _fields(net: type[Spec]) -> dict[str, FieldInfo]:
    """Every setting by name: those of a net and of all groups."""
    specs = (*GROUPS.values(), net)
    return {
        name: field for spec in specs for name, field in spec.model_fields.items() if name != "kind"
    }


def _bad_value(error: ErrorDetails, settings: Mapping[str, object]) -> Fault:
    """A fault of pydantic's in plain words, with what was given."""
    named = [str(part) for part in error["loc"] if str(part) in settings]
    name = named[-1] if named else ""
    given = [name] if name else sorted(settings)
    where = ", ".join(f"{each}={settings[each]}" for each in given)
    if error["type"] in ("missing", "too_long", "tuple_type"):
        return Fault("bad-value", where, "must be two numbers, LOW,HIGH")
    if error["type"] == "union_tag_invalid":
        return Fault("bad-value", where, f"must be one of {', '.join(NETS)}")
    text = error["msg"].removeprefix("Value error, ").split(", unable to parse")[0]
    return Fault("bad-value", where, text.replace("Input should be", "must be"))


def _unknown(name: str, known: list[str]) -> Fault:
    """A setting that other nets have, or none."""
    kinds = [f"'{kind}'" for kind, spec in NETS.items() if name in spec.model_fields]
    near = get_close_matches(name, known, n=1)
    text = "no such setting" + (f"; did you mean {near[0]}?" if near else "")
    owned = f"for net {' or '.join(kinds)} only"
    return Fault("unknown-setting", name, owned if kinds else text)
