"""Recording of runs: journal, history of durations and outcomes, timeline and trace files."""
