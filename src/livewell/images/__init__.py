"""Image files behind one door: readers, headers, inspection."""
