"""From an Airflow connection to checked settings."""
