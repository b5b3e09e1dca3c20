"""Lines that are whole on the disk, or not there."""

from pathlib import Path

import pytest

from livewell.errors import OutputError
from livewell.execution.frame_log import FrameLog


def test_lines_come_back_and_a_cut_one_is_cut_off(tmp_path: Path) -> None:
    """What a kill left of a last line is gone, and the next line stands on its own."""
    path = tmp_path / "frames.jsonl"
    log = FrameLog(path)
    log.add({"kind": "frame", "p": float("nan")})
    log.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "fra')
    log = FrameLog(path)
    assert log.lines == [{"kind": "frame", "p": None}]
    log.add({"kind": "frame", "p": 1.0})
    log.close()
    assert path.read_text().splitlines() == [
        '{"kind": "frame", "p": null}',
        '{"kind": "frame", "p": 1.0}',
    ]


def test_one_process_writes(tmp_path: Path) -> None:
    """A second watch in the same folder is refused, and may come when the first has ended."""
    log = FrameLog(tmp_path / "frames.jsonl")
    with pytest.raises(OutputError, match="another program"):
        FrameLog(tmp_path / "frames.jsonl")
    log.close()
    FrameLog(tmp_path / "frames.jsonl").close()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """A line in the middle that is none of ours is refused with its number."""
    (tmp_path / "frames.jsonl").write_text('{"kind": "frame"}\nhello\n')
    with pytest.raises(OutputError, match="line 2"):
        FrameLog(tmp_path / "frames.jsonl")
