from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.auth import TokenAuth
from airflow_provider_koodrive.api.http.request import API_ROOT, prepare, query_string, url_of

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


class TestPrepare:
    """What is prepared equals what ``requests`` prepares, which takes longer."""

    @pytest.mark.parametrize("body", [None, b"{}", b'{"a": 1}'])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
    def test_headers_and_body(self, method, body):
        url, auth = f"https://localhost{API_ROOT}", TokenAuth("token")
        headers = {"Accept": "application/json", "X-Traceid": "1"}
        ours = prepare(method, url, headers, body, auth)
        content_type = {"Content-Type": "application/json"} if body else {}
        theirs = requests.Request(method, url, {**headers, **content_type}, data=body, auth=auth).prepare()
        assert (ours.method, ours.url, ours.body) == (theirs.method, theirs.url, theirs.body)
        assert dict(ours.headers) == dict(theirs.headers)

    @given(path=texts, query=st.dictionaries(texts, texts))
    @pytest.mark.parametrize("endpoint", ["https://localhost:8443", "http://bücher.example"])
    def test_url(self, endpoint, path, query):
        path = API_ROOT + path.translate(dict.fromkeys(map(ord, "?#")))
        url = url_of(endpoint, path) + query_string(query)
        assert url == requests.Request("GET", endpoint + path + query_string(query)).prepare().url
