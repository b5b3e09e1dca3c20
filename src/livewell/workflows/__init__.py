"""One function a verb: paths and settings in, a folder out."""
