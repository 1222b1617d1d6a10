"""Faults that the sandbox can inject: the plan, the kinds, and the responses that they send."""
