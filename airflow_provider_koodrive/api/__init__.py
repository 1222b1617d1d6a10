"""KooDrive's REST API. Imports no Airflow; usable from any Python program."""
