"""Folders of screening microscopes, one module a vendor: a file a plane, an index or names."""
