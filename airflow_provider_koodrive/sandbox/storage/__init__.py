"""The sandbox's database, and the contents of a new one."""
