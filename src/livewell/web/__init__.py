"""The site: look at a study, annotate, agree, fit, and be tested."""
