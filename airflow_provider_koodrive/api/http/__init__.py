"""Below the client: connections, requests, responses, retries, and what may be logged."""
