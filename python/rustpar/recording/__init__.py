"""What is kept of a run: its journal, the history of durations and outcomes, and pictures of it."""
