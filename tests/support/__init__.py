"""What several tests need: raw servers, and clients of the sandbox with short waits."""
