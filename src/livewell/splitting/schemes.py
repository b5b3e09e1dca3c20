"""Splits by group: no group is ever on two sides, and every class stands on every side."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.assignment import Counts, assignments, can_cover
from livewell.splitting.groups import group_counts
from livewell.tables.faults import listed
from livewell.tables.schemas import FOLDS
from livewell.tables.schemas import PARTS as EVERY_PART

PARTS = EVERY_PART[:3]
"""Parts that a group can play; the fourth, ``unused``, keeps it out of a fold."""
_ALL = "train, validation and test"
NAMED_VALIDATION = 0.15
"""Share of the groups that validation gets where only those of the test are named."""


@dataclass(frozen=True, slots=True)
class Scheme(ABC):
    """How groups play parts, as frozen settings; a new scheme is a subclass of `GroupScheme`."""

    @abstractmethod
    def settled(self, fields: pd.DataFrame, groups: "pd.Series[str]") -> "GroupScheme":
        """How these groups are assigned; what cannot be is refused, before any pixel is read.

        `fields` is the study's table (`schemas.FIELDS`), `groups` the group by image.
        """


class GroupScheme(Scheme):
    """A scheme that needs no more than the patches and their groups."""

    __slots__ = ()

    def settled(self, fields: pd.DataFrame, groups: "pd.Series[str]") -> "GroupScheme":
        """The scheme itself."""
        self.check(sorted(groups.dropna().unique()))
        return self

    def check(self, groups: Sequence[str]) -> None:
        """Refuse what these groups cannot be assigned to."""

    @abstractmethod
    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """The part of every group in every fold (`schemas.FOLDS`).

        Train and validation of each fold hold every class. `patches` are as in
        `livewell.splitting.groups.group_counts`; the seed decides between equally good ways.

        Raises
        ------
        SplitError
            Groups that cannot be assigned so, or too few groups of a class.
        """


@dataclass(frozen=True, slots=True)
class Holdout(GroupScheme):
    """One fold: groups assigned to train, validation and test, each with every class.

    Parameters
    ----------
    fractions
        Shares of train, validation and test; above 0, sum 1.
    """

    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)

    def __post_init__(self) -> None:
        wrong = len(self.fractions) != 3 or min(self.fractions) <= 0
        if wrong or abs(sum(self.fractions) - 1) > 1e-6:
            raise SplitError(
                "shares that cannot be",
                where="fractions",
                expected=f"{_ALL}, each above 0, together 1",
                got=str(self.fractions),
            )

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """One fold."""
        return _folds([_assigned(group_counts(patches), self.fractions, seed, _ALL)])


class _Folds(GroupScheme):
    """Folds that together test every group once; `validation` is a share of the other groups."""

    __slots__ = ()
    folds: int
    validation: float

    def __post_init__(self) -> None:
        _check_share(self.validation)

    def check(self, groups: Sequence[str]) -> None:
        """Refuse one fold, and more folds than groups."""
        if not 2 <= self.folds <= len(groups):
            raise SplitError(
                "no such number of folds",
                where="--folds",
                expected=f"2 to {len(groups)}, the number of groups",
                got=str(self.folds),
            )


@dataclass(frozen=True, slots=True)
class KFolds(_Folds):
    """Folds that together test every group once; each part of each holds every class.

    Parameters
    ----------
    folds
        Number of folds, at least 2.
    validation
        Share of the groups outside the test part, above 0 and below 1.
    """

    folds: int = 5
    validation: float = 0.1

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """Folds with nearly equal numbers of patches of each class to test."""
        counts, folds = group_counts(patches), self.folds
        self.check(list(counts.index))
        values = counts.to_numpy(float)
        if not can_cover(values, folds):
            raise _starved(counts, folds, f"{folds} test parts")
        share = np.full(folds, 1 / folds)
        # Where one group is as big as all others, equal numbers of patches put it alone in a fold
        # and leave nothing to validate on; equal numbers of groups are the way out.
        ways = assignments(values, share, seed)
        ways += assignments((values > 0).astype(float), share, seed)
        for fold_of in ways:
            if all(can_cover(values[fold_of != fold], 2) for fold in range(folds)):
                tests = [counts.index[fold_of == fold] for fold in range(folds)]
                return _tested(counts, tests, self.validation, seed)
        raise _starved(counts, 3, f"{_ALL} of every fold")


@dataclass(frozen=True, slots=True)
class LeaveOneOut(GroupScheme):
    """Every group tested once, alone; a test part may hold one class only.

    Parameters
    ----------
    validation
        As in `KFolds`.
    """

    validation: float = 0.1

    def __post_init__(self) -> None:
        _check_share(self.validation)

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """One fold a group."""
        counts = group_counts(patches)
        return _tested(counts, [pd.Index([group]) for group in counts.index], self.validation, seed)


@dataclass(frozen=True, slots=True)
class Stratified(_Folds):
    """Every group tested once, in folds over which the groups of each stratum are spread.

    Two folds differ by one group of a stratum at most; a test part may lack a class.

    Parameters
    ----------
    strata
        Stratum of every group, such as its dose.
    folds, validation
        As in `KFolds`.
    """

    strata: Mapping[str, float]
    folds: int = 5
    validation: float = 0.1

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """Folds with nearly equal numbers of groups of each stratum to test."""
        counts, strata = group_counts(patches), self.strata
        self.check(list(counts.index))
        rng = np.random.default_rng([seed, 5])
        order = rng.permutation(self.folds)
        fold_of: dict[str, int] = {}
        for stratum in sorted({strata[group] for group in counts.index}):
            members = sorted(group for group in counts.index if strata[group] == stratum)
            # each stratum goes on where the last one ended, so that folds stay of one size
            for group in rng.permutation(members):
                fold_of[str(group)] = int(order[len(fold_of) % self.folds])
        tests = [counts.index[counts.index.map(fold_of) == fold] for fold in range(self.folds)]
        return _tested(counts, tests, self.validation, seed)


@dataclass(frozen=True, slots=True)
class Named(GroupScheme):
    """One fold, whose test groups are named, and if wished its validation groups.

    Parameters
    ----------
    test, validation
        Names of groups; where `validation` is ``None`` it is chosen from the rest.
    """

    test: tuple[str, ...]
    validation: tuple[str, ...] | None = None

    def check(self, groups: Sequence[str]) -> None:
        """Refuse names that are no groups or stand in both lists, and no test group."""
        checked = self.validation or ()
        wrong = [f"no such group: {n}" for n in sorted({*self.test, *checked} - set(groups))]
        wrong += [f"in both lists: {name}" for name in sorted({*self.test} & {*checked})]
        wrong += [] if self.test else ["no test group"]
        if wrong:
            raise SplitError(
                "groups that cannot be held out",
                where="test and validation groups (--test)",
                expected=f"names among {listed(groups, 12)}",
                got="; ".join(wrong),
                remedy="name groups as the group column spells them",
            )

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """One fold with these groups, the rest in train, or assigned to train and validation."""
        counts = group_counts(patches)
        self.check(list(counts.index))
        if self.validation is None:
            return _tested(counts, [pd.Index(self.test)], NAMED_VALIDATION, seed)
        roles = dict.fromkeys(counts.index, "train")
        roles |= dict.fromkeys(self.test, "test") | dict.fromkeys(self.validation, "validation")
        for part in ("train", "validation"):
            held = counts.loc[[group for group, role in roles.items() if role == part]].sum()
            if (held == 0).any():
                raise SplitError(
                    f"the {part} part has no patch of"
                    f" {', '.join(map(repr, held.index[held == 0]))}",
                    where="test and validation groups",
                    expected="every class in train and in validation",
                    remedy="name other groups, or leave validation to be chosen",
                )
        return _folds([roles])


@dataclass(frozen=True, slots=True)
class NamedFolds(GroupScheme):
    """A fold for each of some lists of test groups; the others are train and validation.

    Parameters
    ----------
    tests
        Names of the test groups of every fold.
    unknown
        Classes that only test groups hold, and that are meant to be new to the models.
    validation
        As in `KFolds`.
    """

    tests: tuple[tuple[str, ...], ...]
    unknown: tuple[str, ...] = ()
    validation: float = NAMED_VALIDATION

    def check(self, groups: Sequence[str]) -> None:
        """Refuse names that are no groups, and a fold without test group."""
        for test in self.tests or ((),):
            Named(test).check(groups)

    def assign(self, patches: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """One fold a list; the seed divides the other groups."""
        counts = group_counts(patches)
        self.check(list(counts.index))
        known = counts.drop(columns=list(self.unknown))
        return _tested(known, [pd.Index(test) for test in self.tests], self.validation, seed)


@dataclass(frozen=True, slots=True)
class Parts(Scheme):
    """Every group's part stands in a column of the study: train, validation or test.

    Parameters
    ----------
    column
        Its name.
    """

    column: str

    def settled(self, fields: pd.DataFrame, groups: "pd.Series[str]") -> GroupScheme:
        """The groups that the column names for test and validation."""
        if self.column not in fields:
            raise SplitError(
                "no such column",
                where="--parts",
                expected="a column of the study's images with train, validation or test",
                got=self.column,
                remedy="index with --metadata",
            )
        groups = groups.dropna()
        part = fields[self.column].set_axis(fields["image"]).reindex(groups.index)
        words = ["" if pd.isna(word) else str(word) for word in part]
        pairs = pd.DataFrame({"group": groups.to_numpy(), "part": words}).drop_duplicates()
        wrong = sorted(set(pairs["part"]) - set(PARTS))
        torn = sorted(pairs.loc[pairs["group"].duplicated(), "group"].unique())
        if wrong or torn:
            raise SplitError(
                "the column does not give every group one part",
                where=f"column {self.column}",
                expected=", ".join(PARTS),
                got=", ".join([repr(name) for name in wrong[:3]] or [f"several for {torn[0]}"]),
                remedy="mend the table and index again",
            )
        _, validation, test = (tuple(pairs.loc[pairs["part"] == name, "group"]) for name in PARTS)
        return Named(test, validation).settled(fields, groups)


def _tested(
    counts: pd.DataFrame, tests: Sequence[pd.Index], validation: float, seed: int
) -> pd.DataFrame:
    """A fold for each of `tests`; the other groups are assigned to train and validation."""
    folds = []
    for fold, test in enumerate(tests):
        beside = repr(test[0]) if len(test) == 1 else f"fold {fold}"
        what = f"train and validation beside {beside} as test"
        rest = _assigned(counts.drop(index=test), (1 - validation, validation), seed, what)
        folds.append(dict.fromkeys(test, "test") | rest)
    return _folds(folds)


def _assigned(
    counts: pd.DataFrame, fractions: Sequence[float], seed: int, what: str
) -> dict[str, str]:
    """Part of every group, of the first parts of `PARTS`; `what` says for what groups are few."""
    values: Counts = counts.to_numpy(float)
    if can_cover(values, len(fractions)):
        ways = assignments(values, np.array(fractions) / sum(fractions), seed)
        if ways:
            return dict(zip(counts.index, np.array(PARTS)[ways[0]], strict=True))
    raise _starved(counts, len(fractions), what)


def _starved(counts: pd.DataFrame, parts: int, what: str) -> SplitError:
    held = (counts > 0).sum()
    mixed = int((counts > 0).all(axis=1).sum())
    scarce = held.idxmin()
    return SplitError(
        f"too few groups of {scarce!r} for {what}",
        expected=f"every class in each of {parts} parts, and no group in two of them",
        got=", ".join(f"{name!r} in {n} group{'s' if n != 1 else ''}" for name, n in held.items())
        + f" ({mixed} hold{'s' if mixed == 1 else ''} all classes), {len(counts)} groups in all",
        remedy="label more groups of that class; split by something finer (--by), if its parts"
        " really are independent; or ask for fewer parts or folds",
    )


def _check_share(validation: float) -> None:
    if not 0 < validation < 1:
        raise SplitError(
            "a share that cannot be",
            where="validation",
            expected="above 0 and below 1",
            got=str(validation),
        )


def _folds(roles: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    rows = [
        (fold, group, role)
        for fold, parts in enumerate(roles)
        for group, role in sorted(parts.items())
    ]
    return FOLDS.check(pd.DataFrame(rows, columns=FOLDS.names))
