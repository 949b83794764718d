"""Requests of httpx and requests in load tests: metrics, names, connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import events, journals
from tests.load.server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Run, Suite
    from tests.load.server import Server

pytest.importorskip("httpx")
pytest.importorskip("requests")

# The sessions that install httpx also install plugins that change how tests run.
APART = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

TIMES = 6


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    shared_server.asked.clear()
    return shared_server


def run(suite: Suite, *args: str, n: str = "1") -> Run:
    return suite.run_with(APART, "-p", "xdist", "-p", "rustpar", "--rustpar-load", *args, n=n)


def write(suite: Suite, server: Server, body: str, *, keyword: str = "def", users: int = 2, mark: str = "") -> None:
    """Write a load test with 6 iterations of this body."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    mark = mark and f", {mark}"
    suite.write({"test_it.py": ""})
    (suite.path / "test_it.py").write_text(
        f"import httpx, pytest, requests\n"
        f"URL = {server.url!r}\n"
        f"@pytest.mark.load(users={users}, iterations={TIMES}, duration='60s'{mark})\n"
        f"{keyword} test_it(load):\n{lines}\n"
    )


def metrics(suite: Suite) -> dict[str, dict[str, Any]]:
    """Return the metrics of the last run's load test."""
    (result,) = [event for event in events(journals(suite)[-1]) if event["e"] == "loadresult"]
    return {metric["name"]: metric for metric in result["metrics"]}


def counted(suite: Suite, name: str, metric: str = "http_reqs") -> float | None:
    """Return the value of a counter for requests with this name."""
    found = metrics(suite).get(f"{metric}{{name:{name}}}")
    return None if found is None else found["value"]


SYNCHRONOUS = {
    "an httpx client": "with httpx.Client() as client: client.get(URL + '/items/7?page=2')",
    "a requests session": "with requests.Session() as client: client.get(URL + '/items/7?page=2')",
    "httpx.get": "httpx.get(URL + '/items/7?page=2')",
    "requests.get": "requests.get(URL + '/items/7?page=2')",
    "httpx.stream": """
with httpx.stream("GET", URL + "/items/7") as response:
    assert len(b"".join(response.iter_bytes(100))) == 1000
""",
    "a stream of requests": """
with requests.get(URL + "/items/7", stream=True) as response:
    assert len(b"".join(response.iter_content(100))) == 1000
""",
}


@pytest.mark.parametrize("body", SYNCHRONOUS.values(), ids=SYNCHRONOUS)
def test_each_request_is_measured_in_total_and_by_name(suite: Suite, server: Server, body: str) -> None:
    write(suite, server, body)
    ended = run(suite, n="2")
    assert ended.counts() == {"passed": 1}, ended.text
    found = metrics(suite)
    for name in ("", "{name:GET /items/{id}}"):
        assert (found["http_req_duration" + name]["kind"], found["http_req_duration" + name]["count"]) == ("time", 6)
        assert found["http_reqs" + name]["value"] == TIMES
        assert found["http_req_failed" + name]["count"] == TIMES
        assert "part" not in found["http_req_failed" + name]
        # The body, and headers of some hundred bytes.
        assert 1000 * TIMES < found["data_received" + name]["value"] < 1500 * TIMES
        assert 50 * TIMES < found["data_sent" + name]["value"] < 500 * TIMES
    assert ended.line("http_req_duration{name:GET /items/{id}}")
    assert "data_sent{" not in ended.out


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_requests_of_asynchronous_clients_are_measured(suite: Suite, server: Server, loop: str) -> None:
    if loop == "trio":
        pytest.importorskip("trio")
    body = """
async with httpx.AsyncClient(base_url=URL) as client:
    await client.get("/items/1")
    async with client.stream("GET", "/chunks") as response:
        assert [chunk async for chunk in response.aiter_raw()]
    assert (await client.get("/status/503")).status_code == 503
"""
    write(suite, server, body, keyword=f"@pytest.mark.{loop}\nasync def")
    suite.write({"pytest.ini": "[pytest]\nmarkers =\n    asyncio\n    trio\n"})
    ended = run(suite)
    assert ended.counts() == {"passed": 1}, ended.text
    found = metrics(suite)
    assert found["http_req_duration"]["count"] == 3 * TIMES
    assert found["http_req_failed"]["part"] == TIMES
    assert found["http_req_failed{name:GET /status/{id}}"]["part"] == TIMES
    assert counted(suite, "GET /chunks") == TIMES
    assert (counted(suite, "GET /chunks", "data_received") or 0) >= 10 * TIMES


@pytest.mark.parametrize("client", ["httpx", "requests"])
def test_error_statuses_and_errors_are_failed_requests(suite: Suite, server: Server, client: str) -> None:
    error = "httpx.HTTPError" if client == "httpx" else "requests.RequestException"
    body = f"""
{client}.get(URL + "/status/404")
with pytest.raises({error}): {client}.get(URL + "/broken")
with pytest.raises({error}): {client}.get("http://127.0.0.1:1/nobody")
{client}.get(URL + "/fine")
"""
    write(suite, server, body)
    ended = run(suite)
    assert ended.counts() == {"passed": 1}, ended.text
    found = metrics(suite)
    failed = {
        name: found[f"http_req_failed{{name:GET /{name}}}"].get("part", 0) for name in ("broken", "nobody", "fine")
    }
    assert failed == {"broken": TIMES, "nobody": TIMES, "fine": 0}
    assert found["http_req_failed"]["part"] == 3 * TIMES
    assert found["http_req_duration"]["part"] == 3 * TIMES


@pytest.mark.parametrize("client", ["httpx", "requests"])
def test_each_redirect_is_a_request_and_has_the_cookies_of_its_call_only(
    suite: Suite, server: Server, client: str
) -> None:
    follow = ", follow_redirects=True" if client == "httpx" else ""
    write(suite, server, f"{client}.get(URL + '/login'{follow})")
    assert run(suite).counts() == {"passed": 1}
    assert counted(suite, "GET /login") == counted(suite, "GET /home") == TIMES
    cookies = {asked.line: asked.headers.get("cookie") for asked in server.asked}
    assert cookies == {"GET /login": None, "GET /home": "session=1"}


@pytest.mark.parametrize("client", ["httpx", "requests"])
def test_requests_without_a_client_have_one_connection_for_each_user(suite: Suite, server: Server, client: str) -> None:
    write(suite, server, f"{client}.get(URL + '/a')\n{client}.post(URL + '/b', data={{'x': 'y'}}, timeout=20)", users=3)
    assert run(suite).counts() == {"passed": 1}
    assert len(server.connections("GET /a") | server.connections("POST /b")) <= 3
    assert {asked.body for asked in server.asked if asked.line == "POST /b"} == {b"x=y"}
    assert "rustpar" not in str(server.asked)


def test_head_requests_and_requests_whose_body_is_not_read_are_measured(suite: Suite, server: Server) -> None:
    body = """
requests.head(URL + "/head")
requests.get(URL + "/closed", stream=True).close()
requests.get(URL + "/raw", stream=True).raw.read()
httpx.head(URL + "/head")
with httpx.stream("GET", URL + "/closed"): pass
with httpx.stream("GET", URL + "/begun") as response: next(response.iter_raw(10))
"""
    write(suite, server, body)
    ended = run(suite)
    assert ended.counts() == {"passed": 1}, ended.text
    names = ("HEAD /head", "GET /closed", "GET /raw", "GET /begun")
    assert [counted(suite, name) for name in names] == [12, 12, 6, 6]


def test_a_name_can_be_given(suite: Suite, server: Server) -> None:
    body = """
with load.request_name("search"):
    httpx.get(URL + "/search/a")
    requests.get(URL + "/search/b")
httpx.get(URL + "/other")
"""
    threshold = "thresholds='http_req_duration{name:search}:max<60s, http_req_failed{name:GET /other}:rate<1%'"
    write(suite, server, body, mark=threshold)
    ended = run(suite)
    assert ended.counts() == {"passed": 1}, ended.text
    assert counted(suite, "search") == 2 * TIMES
    assert counted(suite, "GET /other") == TIMES
    assert counted(suite, "GET /search/a") is None
    assert "kept" in ended.line("threshold http_req_duration{name:search}")


def test_identifiers_in_paths_make_no_names(suite: Suite, server: Server) -> None:
    body = """
import uuid
for path in ("/users/12/orders/34", f"/users/{uuid.uuid4()}/orders/507f1f77bcf86cd799439011"):
    httpx.get(URL + path)
httpx.get(URL + "/v2/deadbeef/1a?x=1")
httpx.get(URL + "/a,b")
"""
    write(suite, server, body)
    assert run(suite).counts() == {"passed": 1}
    names = {name for name in metrics(suite) if name.startswith("http_reqs{")}
    expected = {"/users/{id}/orders/{id}", "/v2/deadbeef/1a", "/a%2Cb"}
    assert names == {f"http_reqs{{name:GET {path}}}" for path in expected}


def test_the_number_of_names_is_limited(suite: Suite, server: Server) -> None:
    write(suite, server, "for number in range(60): httpx.get(f'{URL}/page-{number}')")
    assert run(suite).counts() == {"passed": 1}
    assert len([name for name in metrics(suite) if name.startswith("http_reqs{")]) == 41
    assert counted(suite, "(others)") == 20 * TIMES
    assert metrics(suite)["http_reqs"]["value"] == 60 * TIMES


def test_requests_of_fixtures_are_not_measured(suite: Suite, server: Server) -> None:
    write(suite, server, "httpx.get(URL + '/iteration')", mark="fresh=True")
    suite.conftest(
        f"""
        import httpx, pytest

        @pytest.fixture(autouse=True)
        def own():
            httpx.get({server.url!r} + "/before")
            yield
            httpx.get({server.url!r} + "/after")
        """
    )
    ended = run(suite)
    assert ended.counts() == {"passed": 1}, ended.text
    assert server.lines() == {"GET /before", "GET /after", "GET /iteration"}
    assert metrics(suite)["http_reqs"]["value"] == counted(suite, "GET /iteration") == TIMES


def test_nothing_is_replaced_before_and_after_a_load_test_nor_in_an_ordinary_run(suite: Suite, server: Server) -> None:
    suite.conftest(
        """
        import httpx, pytest, requests
        from support import note

        def parts():
            return (httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request, httpx.get,
                    httpx.get.__globals__["Client"], requests.adapters.HTTPAdapter.send, requests.api.sessions)

        ORIGINALS = parts()

        @pytest.fixture(scope="session", autouse=True)
        def around():
            note(f"before {parts() == ORIGINALS}")
            yield
            note(f"after {parts() == ORIGINALS}")
        """
    )
    write(
        suite,
        server,
        "from conftest import ORIGINALS, parts\nfrom support import note\nnote(f'in {parts() == ORIGINALS}')",
    )
    assert run(suite).counts() == {"passed": 1}
    noted = {line.split(" ", 1)[1] for line in suite.notes()}
    assert noted == {"before True", "in False", "after True"}
    (suite.path / "notes.log").unlink()
    assert suite.run_with(APART, "-p", "xdist", "-p", "rustpar", n="1").counts() == {"passed": 1}
    assert {line.split(" ", 1)[1] for line in suite.notes()} == {"before True", "in True", "after True"}


def test_the_configuration_file_can_switch_it_off(suite: Suite, server: Server) -> None:
    write(suite, server, "httpx.get(URL + '/a')\nrequests.get(URL + '/a')")
    suite.write({"pytest.ini": "[pytest]\nrustpar_load_http = off\n"})
    assert run(suite).counts() == {"passed": 1}
    assert set(metrics(suite)) == {"iteration"}
    assert len(server.connections("GET /a")) == 2 * TIMES
    suite.write({"pytest.ini": "[pytest]\nrustpar_load_http = sometimes\n"})
    ended = run(suite)
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert "rustpar_load_http = sometimes: use auto or off" in ended.err


def test_a_client_that_is_imported_too_late_is_reported(suite: Suite, server: Server) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.mark.load(users=1, iterations=2, duration="60s")
        def test_it():
            import requests
            requests.get({server.url!r})
        """
    )
    ended = run(suite)
    assert ended.counts() == {"passed": 1, "warnings": 1}
    assert "requests was first imported while the load test ran" in ended.out


def test_requests_that_are_cancelled_at_the_end_are_not_counted(suite: Suite, server: Server) -> None:
    suite.test(
        f"""
        import httpx, pytest, socket

        @pytest.fixture(scope="session")
        def silent():
            with socket.create_server(("127.0.0.1", 0)) as server:
                yield server.getsockname()[1]

        @pytest.mark.load(users=2, duration="1s", graceful_stop=0)
        async def test_it(silent):
            async with httpx.AsyncClient(timeout=100) as client:
                await client.get({server.url!r})
                await client.get(f"http://127.0.0.1:{{silent}}/silent")
        """
    )
    run(suite)
    assert metrics(suite)["http_reqs"]["value"] == 2
    assert counted(suite, "GET /silent") is None
