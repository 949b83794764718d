"""What is derived from collected tests: order, shard, constraints, markers and shared fixtures."""
