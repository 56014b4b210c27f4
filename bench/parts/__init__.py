"""The parts of bench/run: what each measures, and what they share."""
