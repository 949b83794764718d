"""What a test leaves behind: processes, threads, descriptors, temporary files, the environment, the directory."""
