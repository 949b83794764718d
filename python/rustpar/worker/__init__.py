"""The worker: a pytest session whose run loop takes its tests from the engine."""
