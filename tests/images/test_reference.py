"""Names of fields and the paths that lead to them."""

from pathlib import Path, PurePosixPath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livewell.images.reference import ImageRef, field_names, one_field


@given(st.lists(st.text(max_size=12), max_size=8))
def test_names_of_fields_are_told_apart_and_fit_a_path(said: list[str]) -> None:
    """Whatever a file calls its fields, each has one name, which is a path below the file."""
    names = field_names(said)
    assert len(set(names)) == len(said)
    for name in names:
        assert PurePosixPath(name).as_posix() == name
        assert name.isprintable()
        assert not PurePosixPath(name).is_absolute()
        assert ".." not in PurePosixPath(name).parts
        assert names[one_field(names, name, Path("a.nd2"))] == name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_a_path_leads_back_to_file_and_field(tmp_path: Path, said: list[str]) -> None:
    """The path of a field is that of its file and its name, and is taken apart to these."""
    file = tmp_path / "a.nd2"
    file.write_bytes(b"x")
    for name in field_names(said):
        assert ImageRef.of(file / name) == ImageRef(file, name)
        assert ImageRef(file, name).path == file / name
