"""
An embedded KooDrive for trials and tests: a real HTTP server on a real SQLite file. Not for production.

From a shell: ``python -m airflow_provider_koodrive.sandbox``. From Python:
:class:`airflow_provider_koodrive.sandbox.server.Sandbox`. From pytest: the fixtures ``koodrive_sandbox``
and ``koodrive_conn`` of :mod:`airflow_provider_koodrive.sandbox.pytest_plugin`.

It answers as KooDrive's API reference describes. It shares no code with the client, so that neither can
hide the other's mistakes.
"""
