"""Routes from what is known about images to labels: pure functions over tables."""
