"""The sandbox's HTTP: listener, application, authentication, envelope."""
