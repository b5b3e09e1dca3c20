"""What goes wrong in a process that loads images is told as if it had gone wrong here."""

from collections.abc import Callable

import pytest
from torch.utils.data import DataLoader, Dataset

from livewell.errors import Fault, ImageContentError, LivewellError, OutputError, TableError
from livewell.training.loading import plainly


class Failing(Dataset[int]):
    """Items that cannot be had."""

    def __init__(self, fail: Callable[[], Exception]) -> None:
        self.fail = fail

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> int:
        raise self.fail()


def content() -> Exception:
    """As of a frame that went bad."""
    return ImageContentError("no frame 3", where="A01.tif", remedy="look at it")


def table() -> Exception:
    """As of several images at once."""
    return TableError("no images", [Fault("lost", "A01.tif", "gone")])


def shared() -> Exception:
    """As of a container with little shared memory."""
    return RuntimeError("unable to resize file </torch_1> to the right size: No space left")


@pytest.mark.long
@pytest.mark.parametrize(
    ("fail", "kind", "says"),
    [
        (content, ImageContentError, r"A01\.tif: no frame 3.*look at it"),
        (table, LivewellError, r"(?s)no images.*A01\.tif: gone"),
        (shared, OutputError, "--shm-size"),
        (lambda: ZeroDivisionError("by zero"), ZeroDivisionError, "by zero"),
    ],
    ids=["image", "table", "shared memory", "other"],
)
def test_errors_of_loading_processes(
    fail: Callable[[], Exception], kind: type[Exception], says: str
) -> None:
    """An error of ours keeps its kind and its sentence, without a traceback in its text."""
    with pytest.raises(kind, match=says) as caught, plainly():
        list(DataLoader(Failing(fail), num_workers=1))
    if isinstance(caught.value, LivewellError):
        assert "Traceback" not in str(caught.value)
