"""Units of work with a record each: done once, whatever happens to the others."""

from pathlib import Path

import pytest

from livewell.errors import ImageContentError, OutputError
from livewell.execution.items import FolderRecords, Item, Journal, Record, map_items
from livewell.progress import Tick


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Three files with one setting."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / name).write_text(name)
    return [Item(name, tmp_path / "in" / name, {"stride_px": 8}) for name in "abc"]


class Work:
    """Counts what it did; may fail on one item."""

    def __init__(self, fails: str = "", error: type[Exception] = ImageContentError) -> None:
        self.done: list[str] = []
        self.fails, self.error = fails, error

    def __call__(self, item: Item, tick: Tick) -> Record:
        """One row an item."""
        self.done.append(item.name)
        if item.name == self.fails:
            raise self.error("no good")
        return {"rows": [{"t": 0, "text": item.path.read_text()}]}


@pytest.fixture(params=["journal", "folders"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Journal | FolderRecords:
    """Both ways to keep records."""
    if request.param == "journal":
        return Journal(tmp_path)
    return FolderRecords(tmp_path, {name: tmp_path / name for name in "abc"}, "record.json", ())


def again(records: Journal | FolderRecords) -> Journal | FolderRecords:
    """The same records, read by a new process."""
    return Journal(records.folder) if isinstance(records, Journal) else records


def test_what_is_recorded_is_not_done_again(items, records, tmp_path: Path) -> None:
    """After a kill only the rest is done, and what came of all is as if nothing had happened."""
    work = Work("b", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        map_items(items, work, records, what="working")
    work = Work()
    batch = map_items(items, work, again(records), what="working")
    assert work.done == ["b", "c"]
    assert batch.made == 2
    assert batch.rows == [{"image": name, "t": 0, "text": name} for name in "abc"]
    assert batch.failures.empty


def test_a_bad_item_stops_no_other(items, records) -> None:
    """It is a failure with its reason and has no record; the next call tries it again."""
    batch = map_items(items, Work("b"), records, what="working")
    assert list(batch.records) == ["a", "c"]
    assert batch.failures.to_numpy().tolist()[0][0] == "b"
    assert "[image-content] no good" in batch.failures["error"][0]
    assert map_items(items, work := Work(), again(records), what="working").made == 1
    assert work.done == ["b"]


def test_what_is_no_fault_of_an_item_stops_the_job(items, records) -> None:
    """An output that cannot be written is told at once."""
    with pytest.raises(OutputError):
        map_items(items, Work("b", OutputError), records, what="working")


def test_other_files_and_settings_are_done_again(items, records, tmp_path: Path) -> None:
    """A changed file, another setting, or a file of the record that is gone."""
    map_items(items, Work(), records, what="working")
    items[0].path.write_text("longer")
    items[1] = Item("b", items[1].path, {"stride_px": 9})
    map_items(items, work := Work(), again(records), what="working")
    assert work.done == ["a", "b"]
    gone = [tmp_path / "gone"]
    map_items(items, work := Work(), again(records), what="working", files=lambda record: gone)
    assert work.done == ["a", "b", "c"]


@pytest.mark.parametrize(
    "spoilt",
    [
        b"\xff\xfe\x00\x80",
        b"[" * 100_000,
        b"9" * 5000,
        b"null",
        b'{"asked": 7}',
        b'00000000 {"asked": {"image": "b"}}',
    ],
)
def test_a_damaged_line_is_no_record(items, tmp_path: Path, spoilt: bytes) -> None:
    """Row L6: whatever stands in a journal, only whole lines are believed; the rest is done."""
    map_items(items, Work(), Journal(tmp_path), what="working")
    path = Journal(tmp_path).path
    lines = [line for line in path.read_bytes().splitlines() if line]
    path.write_bytes(b"\n".join([lines[0], spoilt, lines[2]]))
    batch = map_items(items, work := Work(), Journal(tmp_path), what="working")
    assert work.done == ["b"]
    assert batch.rows == [{"image": name, "t": 0, "text": name} for name in "abc"]


def test_a_changed_digit_is_no_record(items, tmp_path: Path) -> None:
    """A line whose JSON is sound, but not what was written, is damaged too."""
    map_items(items, Work(), Journal(tmp_path), what="working")
    path = Journal(tmp_path).path
    path.write_bytes(path.read_bytes().replace(b'"text": "b"', b'"text": "c"'))
    assert map_items(items, Work(), Journal(tmp_path), what="working").made == 1


def test_a_journal_is_never_written_through_a_link(items, tmp_path: Path) -> None:
    """Row L15: a link in the journal's place is replaced; what it leads to stays as it was."""
    (tmp_path / "thesis.txt").write_text("years")
    journal = Journal(tmp_path)
    journal.units.mkdir()
    journal.path.symlink_to(tmp_path / "thesis.txt")
    map_items(items, Work(), journal, what="working")
    assert (tmp_path / "thesis.txt").read_text() == "years"
    assert not journal.path.is_symlink()
    assert map_items(items, Work(), again(Journal(tmp_path)), what="working").made == 0


def test_units_are_never_written_into_a_linked_folder(items, tmp_path: Path) -> None:
    """A link in the place of the folder of units is replaced; nothing is written where it leads."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "units").symlink_to(tmp_path / "thesis")
    map_items(items, Work(), Journal(tmp_path / "out"), what="working")
    assert not list((tmp_path / "thesis").iterdir())
    assert not (tmp_path / "out" / "units").is_symlink()
