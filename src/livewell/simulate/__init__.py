"""Images whose truth is known because they were computed: tests' data and the demo's."""
