"""The notebook of the documents runs as it stands."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "from_python.ipynb"
SHORT = {"wells": 6}
MOST_BYTES = 50_000


@pytest.mark.long
def test_the_notebook_runs_to_its_end(tmp_path: Path) -> None:
    """On a small plate every cell runs; values show themselves in at most 50 kB of HTML."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    settings = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    settings.source = "\n".join(f"{name} = {value}" for name, value in SHORT.items())
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output.get("data", {}) for output in outputs]
    pages = [each["text/html"] for each in data if "text/html" in each]
    assert len(pages) >= 4
    assert all(len(page.encode()) <= MOST_BYTES for page in pages)
    assert any(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])
    )
