"""Creating a group space exactly once."""
