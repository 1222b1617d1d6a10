"""The operations that the sandbox serves, one file per chapter of KooDrive's API reference."""
