"""By what a check is decided, and what is no finding."""

from pathlib import Path

from livewell.labels.by_column import Column
from livewell.splitting.audit import Association, decided
from livewell.splitting.checks.acquisition import acquisition
from livewell.splitting.checks.background import background
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import confounded, design, rows_of
from livewell.splitting.checks.findings import Finding, by_order, leading
from livewell.workflows.label import label
from tests.splitting.checks.planted import STATES, cells, study

SICK = [(n + n // 8) % 2 for n in range(16)]


def test_a_certain_but_weak_finding_hides_no_strong_one():
    """The strong one leads where it is certain too; else the least p value does."""
    weak = Finding(Association("plate", "Cramer's V", 0.15), 0.0005)
    strong = Finding(Association("order by number", "AUC", 0.95), 0.001)
    assert leading([weak, strong]) is strong
    assert leading([weak, Finding(strong.association, 0.2)]) is weak


def test_neighbours_alike_are_weak_or_strong_beyond_chance():
    """Half of what chance leaves is strong, a tenth is weak, whatever chance itself is."""
    assert Association("neighbours in the order of images", "alike beyond chance", 0.1).weak
    assert not Association("neighbours in the order of images", "alike beyond chance", 0.5).weak


def test_units_of_one_place_in_an_order_are_no_neighbours(tmp_path: Path):
    """Ties are not settled by names of wells, where one class comes first."""
    made = study(tmp_path, states=[0] * 8 + [1] * 8, order=[0, 0, 0, 1, 1, 1, 2, 2] * 2)
    data = AuditData.of(made, "labels")
    rows = rows_of(data)
    neighbours = by_order(data, data.of_rows(rows, rows["order"]), "order")[-1]
    assert neighbours.what == "neighbours in the order of images"
    assert neighbours.p_value > 0.05


def test_too_few_wells_are_unchecked_and_do_not_pass(tmp_path: Path):
    """Four wells of each class, one class much brighter: nobody can tell, and it says so."""
    few = ["healthy" if not sick else "sick" for sick in SICK[:8]] + [""] * 8
    made = study(tmp_path, lambda well, state: cells(well, state, 90.0 + 60 * state), few=few)
    label(made, Column("few", {name: name for name in STATES}, "drop"), STATES, name="few")
    data = AuditData.of(made, "few")
    for question in (design, acquisition, background):
        check = question(data)
        assert decided([check]) == ("unchecked",)
        assert "too few" in check.unchecked


def test_a_column_of_one_class_only_is_no_batch(tmp_path: Path):
    """An operator who is named for sick wells alone says nothing of a batch left out."""
    named = ["" if not sick else "xy"[n // 8] for n, sick in enumerate(SICK)]
    check = design(AuditData.of(study(tmp_path, operator=named), "labels"))
    assert decided([check]) == ("passes",)


def test_batches_are_confounded_beyond_their_number(tmp_path: Path):
    """Seven and two of eight in a replicate go with the label, not where two columns are asked."""
    late = iter([1] * 7 + [0])
    early = iter([1, 1] + [0] * 6)
    replicate = [f"R{next(late if sick else early)}" for sick in SICK]
    one = study(tmp_path / "one", replicate=replicate)
    assert confounded(AuditData.of(one, "labels")) == ["replicate"]
    two = study(tmp_path / "two", replicate=replicate, experiment=["E1", "E1", "E2", "E2"] * 4)
    assert confounded(AuditData.of(two, "labels")) == []
