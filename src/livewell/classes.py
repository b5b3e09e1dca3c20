"""The classes that a model tells apart: their names, their order, and which one is sought."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livewell.errors import LabelError, SpecError

UNSURE = "unsure"
"""What stands in place of a class where no verdict is given."""
_UNLIKE = "unlike "


def p_of(name: str) -> str:
    """What pages call p of a class: its probability, but of what is unlike the only one learnt."""
    return f"{p_word(name)} of {name}"


def p_word(name: str) -> str:
    """As `p_of`, in one word."""
    return "p" if name.startswith(_UNLIKE) else "probability"


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Names of two or more classes in the order of a net's logits.

    Parameters
    ----------
    names
        Names, each once, at least two. Of two classes the second is the positive one.
    positive
        The class that is sought, such as ``sick``; ``None`` where no class is, which three or more
        classes may leave open.

    Raises
    ------
    SpecError
        Fewer than two names, an empty one or one twice, the name ``unsure``, a positive class that
        is not among them, or two classes whose second one is not the positive class.
    """

    names: tuple[str, ...]
    positive: str | None = None

    def __post_init__(self) -> None:
        names = tuple(map(str, self.names))
        object.__setattr__(self, "names", names)
        if len(names) == 2 and self.positive is None:
            object.__setattr__(self, "positive", names[1])
        rules = {
            "at least two classes": len(names) >= 2,
            "every name once": len(set(names)) == len(names),
            "no empty name": all(name.strip() for name in names),
            f"no class named {UNSURE!r}": UNSURE not in names,
            "a positive class among them": self.positive in (None, *names),
            "the positive one of two classes second": len(names) != 2 or self.positive == names[1],
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            positive = "" if self.positive is None else f", positive {self.positive}"
            raise SpecError(
                "the names of classes cannot be used",
                expected="; ".join(broken),
                got=(", ".join(names) or "none") + positive,
            )

    @classmethod
    def of(cls, names: "ClassNames | Sequence[str]", positive: str | None = None) -> "ClassNames":
        """Classes from a list of names; two are given as (negative, positive)."""
        return names if isinstance(names, ClassNames) else cls(tuple(names), positive)

    @classmethod
    def unlike(cls, healthy: str) -> "ClassNames":
        """A class that alone is known, and whatever is unlike it."""
        return cls((healthy, _UNLIKE + healthy))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, code: int) -> str:
        return self.names[code]

    def __str__(self) -> str:
        return ", ".join(self.names)

    @property
    def binary(self) -> bool:
        """Whether there are two: then log odds, a threshold and a band of doubt decide."""
        return len(self.names) == 2

    @property
    def pair(self) -> tuple[str, str]:
        """(negative, positive), for what is made for two classes.

        Raises
        ------
        SpecError
            There are more than two.
        """
        if not self.binary:
            raise SpecError(
                f"this is for two classes, and there are {len(self)}",
                expected="a negative and a positive class",
                got=str(self),
                remedy="merge the classes into two with `livewell label merge`, and train on these",
            )
        return self.names[0], self.names[1]

    @property
    def sought(self) -> tuple[str, ...]:
        """Classes that figures and maps are made of: the positive one, or all where there is none.

        Of three or more classes with a positive one all are shown, the positive one first.
        """
        if self.positive is None:
            return self.names
        others = () if self.binary else tuple(n for n in self.names if n != self.positive)
        return (self.positive, *others)

    def code(self, name: str) -> int:
        """Number of a class, from 0.

        Raises
        ------
        LabelError
            There is no such class.
        """
        return int(self.codes([name])[0])

    def codes(self, labels: Iterable[object]) -> NDArray[np.int64]:
        """Number of the class of every label, from 0.

        Raises
        ------
        LabelError
            Labels that are none of the classes.
        """
        texts = [str(label) for label in labels]
        numbers = {name: number for number, name in enumerate(self.names)}
        strange = sorted(set(texts) - set(numbers))
        if strange:
            raise LabelError(
                "labels that the model does not know",
                where="label",
                expected=" or ".join(self.names),
                got=", ".join(strange[:5]),
                remedy="use labels with the names of the model's classes",
            )
        return np.array([numbers[text] for text in texts], dtype=np.int64)

    def called(self, code: int) -> str:
        """Name of a called class; `UNSURE` for -1."""
        return UNSURE if code < 0 else self.names[code]

    def merged(self, into: Mapping[str, str], positive: str | None = None) -> "ClassNames":
        """The classes that these become when some go together.

        Parameters
        ----------
        into
            New name of every class.
        positive
            Positive one of the new classes.

        Raises
        ------
        LabelError
            A class has no new name, or a name is given for a class that is not there.
        SpecError
            Fewer than two classes are left.
        """
        absent, strange = sorted(set(self.names) - set(into)), sorted(set(into) - set(self.names))
        if absent or strange:
            raise LabelError(
                "not every class is named once in the merging",
                expected=f"a new name for each of {self}",
                got=f"none for {', '.join(absent)}" if absent else f"one for {', '.join(strange)}",
            )
        names = tuple(dict.fromkeys(into[name] for name in self.names))
        if len(names) == 2 and positive == names[0]:
            names = (names[1], names[0])
        return ClassNames(names, positive)
