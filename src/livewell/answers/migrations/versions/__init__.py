"""One file a change; what has been released is never edited."""
