"""Tasks of the Fractal platform that judge cells by livewell."""
