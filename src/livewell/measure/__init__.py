"""What is measured on pixels: pure functions on arrays, no file access."""
