"""How far persons agree, against worked examples of the literature and simulated crews."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.agreement import NAMES, coverage
from benchmarks.crews import Crew
from livewell.metrics.agreement import Agreement, coefficients
from livewell.metrics.answer_matrix import NOTHING, AnswerMatrix
from livewell.metrics.intervals import share_of

KRIPPENDORFF = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
"""Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C: four observers (rows)
of twelve units; also Gwet's example of four raters."""
FLEISS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
"""Fleiss 1971, Table 1: how many of six psychiatrists gave each of 30 patients each diagnosis."""
COHEN = ([[25, 13, 12], [12, 2, 16], [3, 15, 2]], [[44, 7, 9], [5, 20, 5], [1, 3, 6]])
"""Cohen 1960, Tables 1 and 2, of 100 patients: kappas -0.09 and 0.49."""


def matrix(codes, classes: int, group=None, *, doubted: bool = False) -> AnswerMatrix:
    """Answers as numbers, shape (items, persons); every item a group of its own if not said."""
    codes = np.asarray(codes)
    items, persons = (tuple(map(str, range(size))) for size in codes.shape)
    names = (*map(str, range(classes)), *(["unsure"] if doubted else []))
    of = np.arange(len(codes)) if group is None else np.asarray(group)
    return AnswerMatrix(codes, items, persons, names, classes, of, int(of.max()) + 1)


def of_table(table) -> AnswerMatrix:
    """Two persons whose answers are counted in a table."""
    rows = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return matrix(rows, len(table))


def some_answers(seed: int, *, classes: int = 3) -> AnswerMatrix:
    """Answers of four persons to 60 items of 12 groups, some of them lacking."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, 60)
    codes = np.where(rng.random((60, 4)) < 0.7, truth[:, None], rng.integers(0, classes, (60, 4)))
    codes[rng.random(codes.shape) < 0.2] = NOTHING
    return matrix(codes, classes, np.arange(60) // 5)


def test_krippendorff_s_example() -> None:
    """Alpha of nominal data with gaps is 0.743; Fleiss' kappa as Gwet generalises it 0.761."""
    rows = zip(*KRIPPENDORFF, strict=True)
    codes = [[NOTHING if c == "." else int(c) - 1 for c in row] for row in rows]
    found = coefficients(matrix(codes, 5))
    assert found.alpha.value == pytest.approx(0.743, abs=5e-4)
    assert found.fleiss.value == pytest.approx(0.761, abs=5e-4)
    assert found.observed.value == pytest.approx(0.818, abs=5e-4)
    assert (found.items, found.shared[0, 1]) == (11, 9)


def test_fleiss_example() -> None:
    """Fleiss' kappa of 30 patients is 0.430, agreement 0.556; all groups of one patient."""
    counts = [[int(c) for c in row] for row in FLEISS.split()]
    codes = [[code for code, n in enumerate(row) for _ in range(n)] for row in counts]
    found = coefficients(matrix(codes, 5))
    assert found.fleiss.value == pytest.approx(0.430, abs=5e-4)
    assert found.observed.value == pytest.approx(0.556, abs=5e-4)
    assert found.fleiss.groups == 30


def test_cohen_examples() -> None:
    """Kappa of both tables; for two persons it is also the mean over pairs."""
    for table, kappa in zip(COHEN, (-0.09, 0.49), strict=True):
        found = coefficients(of_table(table))
        assert found.pairs[0, 1].value == pytest.approx(kappa, abs=5e-3)
        assert found.cohen.value == found.pairs[0, 1].value
        assert found.cohen.low < kappa < found.cohen.high


def test_interval_of_kappa_is_near_the_known_one() -> None:
    """With many items on their own the interval is that of Fleiss, Cohen and Everitt (1969)."""
    table = np.array(COHEN[1]) * 5
    found = coefficients(of_table(table)).pairs[0, 1]
    p, n = table / table.sum(), table.sum()
    rows, columns, kappa = p.sum(axis=1), p.sum(axis=0), found.value
    chance = rows @ columns
    each = np.diag(p) * (1 - (rows + columns) * (1 - kappa)) ** 2
    off = p * (columns[:, None] + rows[None]) ** 2
    between = (1 - kappa) ** 2 * (off.sum() - np.trace(off))
    error = math.sqrt(
        (each.sum() + between - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    )
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.03)


def test_agreement_of_the_paper() -> None:
    """49 of 263 make 37.3% ambiguous, 22.9% left, and ceilings of 77.1% and 88.6%."""
    found = Agreement(263, 49)
    assert found.share == pytest.approx(0.186, abs=5e-4)
    assert found.ambiguous == pytest.approx(0.373, abs=5e-4)
    assert found.left == pytest.approx(0.229, abs=5e-4)
    assert found.ceiling == pytest.approx(0.771, abs=5e-4)
    assert found.chance_ceiling == pytest.approx(0.886, abs=5e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_agreement_is_always_a_share(pair: tuple[int, int]) -> None:
    """Whatever the counts, shares stay between 0 and 1, and more disagreement leaves less."""
    found = Agreement(*pair)
    for share in (found.share, found.ambiguous, found.left, found.ceiling, found.chance_ceiling):
        assert 0 <= share <= 1
    assert found.ceiling <= found.chance_ceiling
    assert math.isnan(Agreement(0, 0).share)


@given(st.integers(0, 2**32 - 1))
def test_order_of_persons_and_classes_does_not_matter(seed: int) -> None:
    """Permuted persons, classes and items leave all coefficients and intervals as they are."""
    answers, rng = some_answers(seed), np.random.default_rng(seed)
    found = coefficients(answers)
    names = np.append(rng.permutation(3), NOTHING)
    order, items = rng.permutation(4), rng.permutation(60)
    codes = names[answers.codes][items][:, order]
    again = coefficients(matrix(codes, 3, answers.group[items]))
    for name in ("alpha", "fleiss", "cohen", "observed"):
        one, other = getattr(found, name), getattr(again, name)
        assert [one.value, one.low, one.high] == pytest.approx([other.value, other.low, other.high])


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_perfect_agreement_is_one_and_chance_is_none(seed: int, persons: int) -> None:
    """Who always agree have 1 with an interval below it; who guess have about 0."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 40)
    truth[:2] = 0, 1
    found = coefficients(matrix(np.tile(truth[:, None], persons), 2))
    for each in (found.alpha, found.fleiss, found.cohen, found.observed):
        assert each.value == pytest.approx(1)
        assert 0.7 < each.low < 1 <= each.high + 1e-12
    guessed = coefficients(matrix(rng.integers(0, 2, (400, persons)), 2))
    assert abs(guessed.alpha.value) < 0.25


def test_wells_widen_an_interval() -> None:
    """Where items of a well are alike, intervals over wells are wider than those over items."""
    rng, crew = np.random.default_rng(4), Crew.draw(np.random.default_rng(8))
    alike = Crew(np.array([0.5, 0.5]), crew.says[:, :, :2, [0, 1, -1]], crew.asked, 0.5, 0.5)
    answers = alike.answer(np.full(20, 40), rng).without_unsure
    alone = matrix(answers.codes, 2)
    grouped, single = coefficients(answers).alpha, coefficients(alone).alpha
    assert grouped.value == pytest.approx(single.value)
    assert grouped.high - grouped.low > 1.1 * (single.high - single.low)
    assert grouped.groups == 20 < single.groups


def test_what_cannot_be_said_is_said() -> None:
    """Nothing answered twice, one class throughout, and one group only."""
    once = coefficients(matrix([[0, NOTHING], [NOTHING, 1]], 2))
    assert math.isnan(once.alpha.value)
    assert "two answers" in once.alpha.note
    assert (once.items, once.pairs) == (0, {})
    same = coefficients(matrix(np.zeros((20, 3), int), 2))
    assert math.isnan(same.alpha.value)
    assert "chance" in same.alpha.note
    assert same.observed.value == 1
    group = coefficients(matrix(some_answers(1).codes, 3, np.zeros(60, int)))
    assert group.alpha.method == "none"
    assert math.isnan(group.alpha.low)


def test_unsure_is_a_class_or_left_out() -> None:
    """With unsure as a class who is unsure alone disagrees; left out the item has one answer."""
    codes = [[0, 0], [1, 1], [0, 2], [1, 1], [0, 0], [1, 2]]
    answers = matrix(codes, 2, doubted=True)
    assert coefficients(answers).observed.value == pytest.approx(4 / 6)
    assert coefficients(answers.without_unsure).observed.value == 1
    assert Agreement.of(answers) == Agreement(4, 0)
    assert Agreement.of(matrix([[0, 1, 1], [0, 0, 0], [0, 1, 2]], 2, doubted=True)).disagreed == 1


def test_shares_have_intervals_over_groups() -> None:
    """A share lies in its interval within [0, 1]; one well says nothing of others."""
    found = share_of([1, 1, 0, 1] * 10, np.repeat(np.arange(10), 4))
    assert found.value == 0.75
    assert 0 < found.low < 0.75 < found.high < 1
    assert share_of([1] * 30, range(30)).low > 0.85
    assert math.isnan(share_of([1, 0], [0, 0]).low)
    rng = np.random.default_rng(6)
    for share, groups, size in ((0.95, 15, 1), (0.8, 30, 1), (0.9, 6, 20)):
        each = rng.beta(share * 9, (1 - share) * 9, (300, groups))
        right = (
            rng.random((300, groups, size)) < (each if size > 1 else share + 0 * each)[..., None]
        )
        names = np.repeat(np.arange(groups), size)
        found = [share_of(one.ravel(), names) for one in right]
        assert np.mean([one.low <= share <= one.high for one in found]) > 0.92
    assert math.isnan(share_of([], []).value)


def test_the_truth_of_a_crew_is_that_of_endless_items() -> None:
    """Coefficients of 50,000 items lie at the exact ones, also with gaps and unsure answers."""
    rng = np.random.default_rng(2)
    for number in range(4):
        crew = Crew.draw(np.random.default_rng(number))
        answers = crew.answer(np.full(2_000, 25), rng)
        for unsure in (False, True):
            found = coefficients(answers if unsure else answers.without_unsure)
            truth = crew.truth(unsure=unsure)
            for name in ("alpha", "fleiss", "cohen", "observed"):
                assert getattr(found, name).value == pytest.approx(truth[name], abs=0.02)


@pytest.mark.long
def test_intervals_hold_the_truth() -> None:
    """Of 1,000 crews of known skill 93 to 97% of the intervals hold the true agreement."""
    held = coverage(seed=1, crews=1000).values["all"]
    for name in NAMES:
        assert 0.93 <= held[name]["held"] / held[name]["of"] <= 0.97
