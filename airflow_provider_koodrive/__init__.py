"""Apache Airflow provider for Huawei Cloud KooDrive."""

__version__ = "0.1.0"
