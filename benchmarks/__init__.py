"""The project's own benchmarks: one function a table."""
