"""Benchmarks that anyone can run; each writes its figures and ratios to `results/`."""
