"""Plugins that measure, compare or count, and print results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tests.plugins.sides import Case, normal
from tests.plugins.suites.reports import OUTCOMES, load, without

if TYPE_CHECKING:
    from pathlib import Path


def coverage(path: Path) -> Any:
    """Return what was measured and the names of remaining data files, which are removed."""
    report = load(path, "coverage.json")
    left = sorted(file.name for file in path.glob(".coverage*"))
    for file in path.glob(".coverage*"):
        file.unlink()
    return [without(report, "timestamp"), left]


COV = Case(
    plugin="pytest-cov",
    compared="total, missing lines and branches, contexts, `--cov-fail-under`",
    files={
        "pytest.ini": "[pytest]\n",
        ".coveragerc": "[json]\nshow_contexts = true\n",
        "shop/__init__.py": "from shop.prices import price\n",
        "shop/prices.py": """
            RATES = {}

            def register(name):
                def decorate(function):
                    RATES[name] = function
                    return function
                return decorate

            @register("book")
            def book(amount):
                if amount > 10:
                    return amount * 0.9
                return amount

            @register("toy")
            def toy(amount):
                return amount * 2

            def price(kind, amount):
                if kind not in RATES:
                    raise LookupError(kind)
                return RATES[kind](amount)
            """,
        "shop/stock.py": """
            import threading

            class Stock:
                def __init__(self):
                    self.items = []

                def add(self, item):
                    for known in self.items:
                        if known == item:
                            return False
                    self.items.append(item)
                    return True

                def in_thread(self, item):
                    thread = threading.Thread(target=self.add, args=[item])
                    thread.start()
                    thread.join()

                def never_called(self):
                    while self.items:
                        self.items.pop()
            """,
        "shop/never_imported.py": "def nobody():\n    return 1\n",
        "conftest.py": """
            import pytest
            from shop.stock import Stock

            @pytest.fixture
            def stock(): return Stock()
            """,
        "test_prices.py": """
            import pytest
            from shop import price

            def test_cheap(): assert price("book", 5) == 5
            def test_unknown():
                with pytest.raises(LookupError):
                    price("car", 1)
            @pytest.mark.parametrize("amount", [1, 2])
            def test_toy(amount): assert price("toy", amount) == 2 * amount
            """,
        "test_stock.py": """
            def test_add(stock): assert stock.add("one")
            def test_thread(stock):
                stock.in_thread("two")
                assert stock.items == ["two"]
            def test_late_import():
                from shop import prices
                assert prices.book(20) == 18
            """,
    },
    runs=(
        "--cov=shop --cov-report=term-missing --cov-report=json",
        "--cov=shop --cov-branch --cov-report=term-missing --cov-report=json",
        "--cov=shop --cov-context=test --cov-fail-under=95 --cov-report=term --cov-report=json",
        "--cov=shop --cov-report=json --no-cov-on-fail --cov-fail-under=50 --dist=loadscope",
    ),
    terminal=r"^(shop|TOTAL|Name|FAIL|ERROR|Required|Coverage JSON).*|(?<!rustpar: )coverage:.*",
    artefact=coverage,
)


def _properties(path: Path) -> Any:
    root = ElementTree.parse(path / "out.xml").getroot()
    return sorted((element.get("name"), normal(element.get("value") or "")) for element in root.iter("property"))


METADATA = Case(
    plugin="pytest-metadata",
    compared="the header with `-v`, the fixture, the hook, properties in JUnit XML",
    files={
        "conftest.py": """
            import pytest

            def pytest_metadata(metadata):
                metadata["from hook"] = "hooked"
                metadata.pop("Platform", None)
                metadata["Plugins"] = "removed"
            """,
        "test_one.py": """
            import pytest

            def test_given(metadata): assert metadata["given"] == "a value"
            def test_from_json(metadata): assert metadata["json"] == {"a": 1}
            def test_from_hook(metadata): assert metadata["from hook"] == "hooked"
            """,
        "test_two.py": """
            import pytest
            pytestmark = pytest.mark.usefixtures("include_metadata_in_junit_xml")

            def test_one(): pass
            def test_two(): pass
            """,
    },
    runs=("-v --metadata given 'a value' --metadata-from-json '{\"json\": {\"a\": 1}}' --junitxml=out.xml",),
    terminal=r"^metadata: .*",
    artefact=_properties,
    differs="The metadata is not in the JUnit XML.",
    better="The metadata is in the JUnit XML, as in plain pytest's.",
)


def snapshots(path: Path) -> Any:
    """Return the contents of the snapshot files."""
    return {str(file.relative_to(path)): file.read_text() for file in sorted(path.glob("__snapshots__/**/*.*"))}


SYRUPY = Case(
    plugin="syrupy",
    compared="snapshots that match, differ, are new or unused, the files after `--snapshot-update`",
    files={
        "test_one.py": """
            import pytest
            from syrupy.extensions.json import JSONSnapshotExtension

            def test_matches(snapshot): assert {"a": 1} == snapshot
            def test_differs(snapshot): assert [1, 2, 3] == snapshot
            def test_is_new(snapshot): assert "new" == snapshot

            @pytest.fixture
            def as_json(snapshot): return snapshot.use_extension(JSONSnapshotExtension)

            def test_json(as_json): assert {"key": [1, 2]} == as_json
            """,
        "test_two.py": """
            import pytest

            @pytest.mark.parametrize("n", range(3))
            def test_parameters(n, snapshot): assert n == snapshot

            def test_named(snapshot):
                assert "first" == snapshot(name="first")
                assert "second" == snapshot(name="second")
            """,
        "__snapshots__/test_one.ambr": """\
            # serializer version: 1
            # name: test_differs
              list([
                1,
                2,
              ])
            # ---
            # name: test_is_gone
              'gone'
            # ---
            # name: test_matches
              dict({
                'a': 1,
              })
            # ---
            """,
        "__snapshots__/test_nobody.ambr": "# serializer version: 1\n# name: test_nobody\n  1\n# ---\n",
    },
    runs=("--snapshot-details", "--snapshot-update", "--snapshot-details"),
    terminal=r".*snapshots? .*|^Re-run pytest.*",
    artefact=snapshots,
)

SUGAR = Case(
    plugin="pytest-sugar",
    compared="failures shown at once, the results at the end",
    files={key: text for key, text in OUTCOMES.items() if key == "test_one.py"}
    | {"test_two.py": "def test_one(): pass\ndef test_two(): pass\n"},
    runs=("--force-sugar",),
    terminal=r"^Results|^ +- .*|^ +\d+ \w+|^―+ \w+|^E  .*",
)

BENCHMARK = Case(
    plugin="pytest-benchmark",
    compared="benchmarks run once and not measured, the warning, `--benchmark-skip`, the error of `--benchmark-only`",
    files={
        "test_one.py": """
            import pytest
            def test_fast(benchmark): assert benchmark(sum, [1, 2]) == 3
            def test_pedantic(benchmark): benchmark.pedantic(sum, args=([1],), rounds=3, iterations=1)
            def test_fails(benchmark): benchmark(int, "x")
            """,
        "test_two.py": """
            import pytest
            @pytest.mark.benchmark(group="texts", max_time=0.01)
            def test_group(benchmark): benchmark("a".join, ["b", "c"])
            def test_is_no_benchmark(): pass
            """,
    },
    runs=("--benchmark-max-time=0.01", "--benchmark-skip", "--benchmark-only"),
    terminal=r"Benchmarks are automatically disabled.*|^-+ benchmark.*: \d+ tests|^ERROR: .*",
    artefact=lambda path: sorted(entry.name for entry in path.glob(".benchmarks")),
    differs="pytest-xdist switches benchmarks off, and pytest-benchmark says so.",
)

CASES = [COV, METADATA, SYRUPY, SUGAR, BENCHMARK]
