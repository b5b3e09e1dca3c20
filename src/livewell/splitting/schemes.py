"""Splits by group: no group is ever on two sides, and every class stands on every side."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.dealing import Counts, Dealt, can_cover, deals
from livewell.splitting.groups import group_counts
from livewell.tables.schemas import FOLDS

PARTS = ("train", "validation", "test")
"""Parts that a group can play; a fourth, ``unused``, keeps it out of a fold."""
_OTHER_WAYS = (
    "label more groups of that class; or give `group` a finer meaning, if its parts really are"
    " independent; or ask for fewer parts"
)


def holdout(
    patches: pd.DataFrame,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> pd.DataFrame:
    """One fold: groups dealt into train, validation and test.

    Parameters
    ----------
    patches
        As in `livewell.splitting.groups.group_counts`.
    fractions
        Shares of train, validation and test; above 0, sum 1.
    seed
        Decides between equally good ways.

    Returns
    -------
    DataFrame
        `schemas.FOLDS`; each part holds every class.

    Raises
    ------
    SplitError
        Fractions that cannot be, or too few groups of a class.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise SplitError(
            "shares that cannot be",
            where="fractions",
            expected="train, validation and test, each above 0, together 1",
            got=str(fractions),
        )
    counts = group_counts(patches)
    dealt = _deal(counts, fractions, seed, "train, validation and test")
    return _folds([(0, dict(zip(counts.index, np.array(PARTS)[dealt], strict=True)))])


def k_folds(
    patches: pd.DataFrame, folds: int = 5, validation_fraction: float = 0.15, seed: int = 0
) -> pd.DataFrame:
    """Folds that together test every group exactly once.

    Parameters
    ----------
    patches
        As in `livewell.splitting.groups.group_counts`.
    folds
        Number of folds, at least 2.
    validation_fraction
        Share of the groups outside the test part, above 0 and below 1.
    seed
        Decides between equally good ways.

    Returns
    -------
    DataFrame
        `schemas.FOLDS`; each part of each fold holds every class.

    Raises
    ------
    SplitError
        Fewer than two folds, or too few groups of a class.
    """
    _check_fraction(validation_fraction)
    if folds < 2:
        raise SplitError("too few folds", expected="folds >= 2", got=str(folds))
    counts = group_counts(patches)
    values = counts.to_numpy(float)
    if not can_cover(values, folds):
        raise _starved(counts, folds, f"{folds} test parts")
    share = np.full(folds, 1 / folds)
    # Where one group is as big as all others, equal numbers of patches put it alone in a fold and
    # leave nothing to validate on; equal numbers of groups are the way out.
    ways = deals(values, share, seed) + deals((values > 0).astype(float), share, seed)
    dealt = next(
        (way for way in ways if all(can_cover(values[way != fold], 2) for fold in range(folds))),
        None,
    )
    if dealt is None:
        raise _starved(counts, 3, "train, validation and test of every fold")
    parts = []
    for fold in range(folds):
        test = dealt == fold
        roles = dict.fromkeys(counts.index[test], "test")
        parts.append((fold, roles | _train_validation(counts[~test], validation_fraction, seed)))
    return _folds(parts)


def stratified_folds(
    patches: pd.DataFrame,
    strata: Mapping[str, float],
    folds: int = 5,
    validation_fraction: float = 0.15,
    seed: int = 0,
) -> pd.DataFrame:
    """Folds that together test every group once, the groups of each stratum spread over all folds.

    Parameters
    ----------
    patches
        As in `livewell.splitting.groups.group_counts`.
    strata
        Stratum of every group, such as its dose.
    folds
        Number of folds, at least 2; no more than there are groups.
    validation_fraction
        Share of the groups outside the test part, above 0 and below 1.
    seed
        Of the dealing.

    Returns
    -------
    DataFrame
        `schemas.FOLDS`. Two folds differ by one group of a stratum at most; train and
        validation hold every class, a test part may lack one.

    Raises
    ------
    SplitError
        Fewer than two folds, more folds than groups, or too few groups of a class.
    """
    _check_fraction(validation_fraction)
    counts = group_counts(patches)
    if not 2 <= folds <= len(counts):
        expected = f"2 to {len(counts)}, the number of groups"
        raise SplitError("no such number of folds", expected=expected, got=str(folds))
    rng = np.random.default_rng([seed, 5])
    order = rng.permutation(folds)
    dealt: dict[str, int] = {}
    for stratum in sorted({strata[group] for group in counts.index}):
        members = sorted(group for group in counts.index if strata[group] == stratum)
        # each stratum goes on where the last one ended, so that folds stay of one size
        for group in rng.permutation(members):
            dealt[str(group)] = int(order[len(dealt) % folds])
    test = counts.index.map(dealt)
    return _folds(
        (
            fold,
            dict.fromkeys(counts.index[test == fold], "test")
            | _train_validation(
                counts[test != fold], validation_fraction, seed, f" beside fold {fold} as test"
            ),
        )
        for fold in range(folds)
    )


def leave_one_group_out(
    patches: pd.DataFrame, validation_fraction: float = 0.15, seed: int = 0
) -> pd.DataFrame:
    """One fold a group, which alone is the test part; it may hold one class only.

    Parameters
    ----------
    patches, validation_fraction, seed
        As in `k_folds`.

    Returns
    -------
    DataFrame
        `schemas.FOLDS`; train and validation hold every class. `warnings` names the folds
        whose test part does not.

    Raises
    ------
    SplitError
        Too few groups of a class for train and validation beside the test group.
    """
    _check_fraction(validation_fraction)
    counts = group_counts(patches)
    return _folds(
        (
            fold,
            {group: "test"}
            | _train_validation(
                counts.drop(index=group), validation_fraction, seed, f" beside {group!r} as test"
            ),
        )
        for fold, group in enumerate(counts.index)
    )


def named_groups(
    patches: pd.DataFrame,
    test: Sequence[str],
    validation: Sequence[str] | None = None,
    seed: int = 0,
    validation_fraction: float = 0.15,
) -> pd.DataFrame:
    """One fold with the test groups, and if wished the validation groups, named by the user.

    Parameters
    ----------
    patches
        As in `livewell.splitting.groups.group_counts`.
    test, validation
        Names of groups; where `validation` is ``None`` it is dealt from the rest.
    seed, validation_fraction
        As in `k_folds`; used only where `validation` is ``None``.

    Returns
    -------
    DataFrame
        `schemas.FOLDS`; train and validation hold every class.

    Raises
    ------
    SplitError
        A name that is no group or stands in both lists, no test group, or a starved class.
    """
    counts = group_counts(patches)
    chosen = [str(name) for name in test]
    checked = [str(name) for name in validation or ()]
    unknown = sorted({name for name in chosen + checked if name not in counts.index})
    twice = sorted(set(chosen) & set(checked))
    if unknown or twice or not chosen or validation == []:
        raise SplitError(
            "groups that cannot be held out",
            where="test and validation groups",
            expected=f"names among {', '.join(counts.index[:12])}"
            + (f" and {len(counts) - 12} more" if len(counts) > 12 else ""),
            got="; ".join(
                [f"no such group: {name}" for name in unknown]
                + [f"in both lists: {name}" for name in twice]
                + ([] if chosen else ["no test group"])
                + (["no validation group"] if validation == [] else [])
            ),
            remedy="name groups as the group column spells them",
        )
    roles = dict.fromkeys(chosen, "test")
    rest = counts.drop(index=list(roles))
    if validation is None:
        _check_fraction(validation_fraction)
        return _folds([(0, roles | _train_validation(rest, validation_fraction, seed))])
    roles |= dict.fromkeys(checked, "validation")
    roles |= dict.fromkeys(rest.index.difference(checked), "train")
    for part in ("train", "validation"):
        held = counts.loc[[group for group, role in roles.items() if role == part]].sum()
        if (held == 0).any():
            raise SplitError(
                f"the {part} part has no patch of {', '.join(map(repr, held.index[held == 0]))}",
                where="test and validation groups",
                expected="every class in train and in validation",
                remedy="name other groups, or leave validation to be chosen",
            )
    return _folds([(0, roles)])


def _train_validation(
    counts: pd.DataFrame, fraction: float, seed: int, where: str = ""
) -> dict[str, str]:
    dealt = _deal(counts, (1 - fraction, fraction), seed, f"train and validation{where}")
    return dict(zip(counts.index, np.array(PARTS)[dealt], strict=True))


def _deal(counts: pd.DataFrame, fractions: Sequence[float], seed: int, what: str) -> Dealt:
    values: Counts = counts.to_numpy(float)
    if can_cover(values, len(fractions)):
        ways = deals(values, np.array(fractions) / sum(fractions), seed)
        if ways:
            return ways[0]
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
        remedy=_OTHER_WAYS,
    )


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise SplitError(
            "a share that cannot be",
            where="validation_fraction",
            expected="above 0 and below 1",
            got=str(fraction),
        )


def _folds(parts: Iterable[tuple[int, dict[str, str]]]) -> pd.DataFrame:
    rows = [(fold, group, role) for fold, roles in parts for group, role in sorted(roles.items())]
    return FOLDS.check(pd.DataFrame(rows, columns=FOLDS.names))
