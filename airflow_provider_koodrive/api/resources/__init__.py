"""KooDrive's resources, one file per chapter of its API reference."""
