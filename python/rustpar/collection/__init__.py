"""What is read from collected tests: their order, their shard, what they must not run beside, and what they share."""
