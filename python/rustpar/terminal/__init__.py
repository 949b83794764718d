"""The controller's terminal output."""
