"""Trials: faults made on purpose, from real runs; see docs/reliability.md and scripts/trials."""
