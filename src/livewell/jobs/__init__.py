"""One function a verb: paths and a spec in, a folder out."""
