"""All plugins in one suite, loaded automatically, as for most users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.plugins.sides import Case, notes
from tests.plugins.suites import frameworks, kinds, measures, reports, running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DJANGO = frameworks.DJANGO.files


def _only(files: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    return {name: text for name, text in files.items() if name.startswith(prefixes)}


def artefacts(path: Path) -> Any:
    """Return everything that the plugins wrote, by plugin."""
    return {
        "notes": notes(path),
        "coverage": measures.coverage(path),
        "html": reports.html_report(path),
        "report log": reports.report_log(path),
        "json": reports.json_report(path),
        "allure": reports.allure_results(path),
        "cucumber": kinds.cucumber(path),
        "snapshots": measures.snapshots(path),
    }


SUITE = {
    "pytest.ini": """
        [pytest]
        DJANGO_SETTINGS_MODULE = site_settings
        asyncio_default_fixture_loop_scope = function
        timeout = 30
        env =
            FROM_INI=from the ini file
        """,
    **_only(DJANGO, "site_settings.py", "shop/"),
    **reports.OUTCOMES,
    **_only(kinds.BDD.files, "shop.feature"),
    "conftest.py": kinds.BDD.files["conftest.py"]
    + """
            import pytest
            from hypothesis import settings

            settings.register_profile("patient", deadline=None, derandomize=True, database=None)
            settings.load_profile("patient")

            @pytest.fixture(autouse=True)
            def numbers(request):
                yield
                import random
                from support import note
                note(f"{request.node.name} {random.random()}")
        """,
    "test_bdd.py": kinds.BDD.files["test_all.py"],
    "test_loops.py": """
        import asyncio
        import anyio
        import pytest

        @pytest.mark.asyncio
        async def test_asyncio(): await asyncio.sleep(0)

        @pytest.mark.anyio
        async def test_anyio(anyio_backend): await anyio.sleep(0)
        """,
    "test_shop.py": """
        import os
        import pytest
        from hypothesis import given, strategies as st
        from shop.models import Book

        @pytest.mark.django_db
        def test_database(client):
            Book.objects.create(title="one")
            assert client.get("/count/").content == b"1"

        def test_environment(mocker):
            assert os.environ["FROM_INI"] == "from the ini file"
            mocker.patch.dict(os.environ, {"FROM_INI": "patched"})
            assert os.environ["FROM_INI"] == "patched"

        def test_benchmark(benchmark): assert benchmark(sum, [1, 2]) == 3
        def test_snapshot(snapshot): assert {"new": True} == snapshot

        @given(st.integers())
        def test_property_fails(n): assert n < 1000

        @pytest.mark.timeout(20)
        def test_in_time(): pass

        @pytest.mark.order(1)
        def test_first(): pass

        def test_metadata(json_metadata, extras):
            json_metadata["key"] = "value"
        """,
}

TOGETHER = Case(
    plugin="pytest-xdist",
    aspect="with all plugins but pytest-rerunfailures",
    compared="all that they write, in a run where they load themselves",
    autoload=True,
    files=SUITE,
    runs=(
        "-p no:rerunfailures --randomly-seed=42 --cov=shop --cov-report=json --html=report.html --report-log=log.jsonl "
        "--json-report --json-report-file=report.json --alluredir=results --cucumberjson=cucumber.json",
    ),
    terminal=r"^(Using --randomly-seed.*|timeout: .*|django: .*|asyncio: .*)|\d+ snapshots? .*",
    artefact=artefacts,
    differs="What was collected, what was not captured and scenarios are missing in files, as above.",
)

WITH_RERUNS = replace(
    TOGETHER,
    aspect="with all plugins",
    files={
        **SUITE,
        "flaky.py": running.FLAKY,
        "test_flaky.py": """
            import pytest
            from flaky import fails_first

            @pytest.mark.flaky(reruns=1)
            def test_flaky(): fails_first("flaky")
            """,
    },
    runs=(TOGETHER.runs[0].removeprefix("-p no:rerunfailures "),),
)

CASES = [TOGETHER, WITH_RERUNS]
