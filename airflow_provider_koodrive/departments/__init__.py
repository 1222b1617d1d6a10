"""
Departments: read them from a file, a database or KooDrive, select those that need a space, report the run.

Usable without Airflow; :class:`airflow_provider_koodrive.operators.departments.DepartmentListOperator` gives
the sources what they need of it.
"""

from __future__ import annotations

from airflow_provider_koodrive.departments.file import FileDepartments
from airflow_provider_koodrive.departments.koodrive import KooDriveDepartments
from airflow_provider_koodrive.departments.model import BadRow, Department, DepartmentList
from airflow_provider_koodrive.departments.report import onboarding_report, report_lines
from airflow_provider_koodrive.departments.selection import select_new
from airflow_provider_koodrive.departments.sql import SqlDepartments

__all__ = [
    "BadRow",
    "Department",
    "DepartmentList",
    "FileDepartments",
    "KooDriveDepartments",
    "SqlDepartments",
    "onboarding_report",
    "report_lines",
    "select_new",
]
