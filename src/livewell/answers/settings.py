"""What an annotation task asks, and in which order its items come."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from livewell.errors import SpecError


class TaskSettings(BaseModel):
    """Settings of a task, kept with it.

    Shares are of items shown; what is left of them is drawn by chance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shared_every: int = Field(5, ge=0)
    """Every so manieth item is one that another person answered and this one has not (Richmond et
    al. 2017, section 2.2); 0 for none."""
    controls: float = Field(0.0, ge=0, le=0.5)
    """Share of items whose truth is known."""
    repeats: float = Field(0.05, ge=0, le=0.5)
    """Share of items that this person answered before, at least `repeat_after` items ago."""
    repeat_after: int = Field(20, ge=1)
    uncertain: float = Field(0.0, ge=0, le=0.9)
    """Share of items of which a model is least sure, where one has judged them."""
    stop_at: float | None = Field(None, gt=0.5, lt=1)
    """Posterior of Dawid and Skene from which an item needs no more answers; ``None``: never."""
    tags: tuple[str, ...] = ()
    """Words that may be put to an answer."""
    keys: dict[str, str] = {}
    """Key of each class and of "unsure", where not the first letters."""
    seed: int = Field(0, ge=0)
    fit_every: int = Field(0, ge=0)
    """A model is fitted by itself whenever so many answers have come; 0: only when it is asked."""
    quiz: str | None = None
    """Folder of the model that people are held against; items have parts before, study, after."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        shared = 1 / self.shared_every if self.shared_every else 0.0
        if shared + self.controls + self.repeats + self.uncertain > 1 + 1e-9:
            raise ValueError(
                f"shares of shared items ({shared:.0%}), controls ({self.controls:.0%}), repeats"
                f" ({self.repeats:.0%}) and uncertain items ({self.uncertain:.0%}) are more than"
                " 100% together; lower some"
            )
        return self


def task_settings(**values: Any) -> TaskSettings:
    """Settings of a task; a `SpecError` names all that is wrong with them."""
    try:
        return TaskSettings.model_validate(values)
    except ValidationError as error:
        faults = [
            ": ".join([*map(str, fault["loc"]), fault["msg"].removeprefix("Value error, ")])
            for fault in error.errors()
        ]
        raise SpecError("settings that a task cannot have", got="; ".join(faults)) from None
