"""Plugins that run tests of a framework, with its database or its event loop."""

from __future__ import annotations

from tests.plugins.sides import Case, notes

DJANGO = Case(
    plugin="pytest-django",
    compared="tests with the database, the name of each worker's database, client, settings, `--reuse-db`",
    files={
        "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n",
        "site_settings.py": """
            from pathlib import Path
            HERE = Path(__file__).parent
            SECRET_KEY = "secret"
            USE_TZ = True
            ALLOWED_HOSTS = ["*"]
            STATIC_URL = "/static/"
            ROOT_URLCONF = "shop.urls"
            INSTALLED_APPS = ["shop"]
            DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
            DATABASES = {
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": HERE / "db.sqlite3",
                    "TEST": {"NAME": HERE / "test_db.sqlite3"},
                }
            }
            """,
        "shop/__init__.py": "",
        "shop/models.py": """
            from django.db import models
            class Book(models.Model):
                title = models.CharField(max_length=50)
            """,
        "shop/urls.py": """
            from django.http import HttpResponse
            from django.urls import path
            from shop.models import Book

            urlpatterns = [path("count/", lambda request: HttpResponse(str(Book.objects.count())))]
            """,
        "conftest.py": """
            import pytest
            from support import note

            # Else a worker would have no database that runs none but tests without one.
            @pytest.fixture(autouse=True, scope="session")
            def made(django_db_setup): pass

            @pytest.fixture(autouse=True)
            def database(request):
                yield
                if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
                    from django.db import connection
                    note(f"{connection.settings_dict['NAME']}")
            """,
        "test_models.py": """
            import pytest
            from shop.models import Book

            @pytest.mark.django_db
            @pytest.mark.parametrize("n", range(4))
            def test_sees_only_its_own(n):
                Book.objects.create(title=f"book {n}")
                assert Book.objects.count() == 1

            @pytest.mark.django_db(transaction=True)
            def test_transaction():
                Book.objects.create(title="committed")
                assert Book.objects.count() == 1

            def test_needs_the_mark():
                Book.objects.count()
            """,
        "test_views.py": """
            import pytest
            from django.test import TestCase
            from shop.models import Book

            def test_client(client, db):
                Book.objects.create(title="one")
                assert client.get("/count/").content == b"1"

            def test_settings(settings):
                settings.SECRET_KEY = "changed"
                from django.conf import settings as real
                assert real.SECRET_KEY == "changed"

            def test_queries(django_assert_num_queries, db):
                with django_assert_num_queries(1):
                    Book.objects.count()
                with django_assert_num_queries(2):
                    Book.objects.count()

            def test_mail(mailoutbox):
                from django.core.mail import send_mail
                send_mail("subject", "body", "from@example.org", ["to@example.org"])
                assert len(mailoutbox) == 1

            def test_live_server(live_server, db):
                from urllib.request import urlopen
                assert urlopen(f"{live_server.url}/count/").read() == b"0"

            class TestUnit(TestCase):
                @classmethod
                def setUpTestData(cls):
                    Book.objects.create(title="class")

                def test_data(self):
                    assert Book.objects.get().title == "class"
            """,
    },
    runs=("", "--reuse-db"),
    terminal=r"^django: .*",
    artefact=lambda path: [notes(path), sorted(file.name for file in path.glob("*.sqlite3*"))],
    differs="Each worker has a database of its own, with its name at the end.",
)


ASYNCIO = Case(
    plugin="pytest-asyncio",
    compared="coroutine tests and fixtures in loops of every scope, `strict` and `auto`, failures",
    files={
        "conftest.py": """
            import asyncio
            import pytest
            import pytest_asyncio
            from support import note

            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def session_loop():
                await asyncio.sleep(0)
                yield asyncio.get_running_loop()
                await asyncio.sleep(0)
                note("session fixture closed")

            @pytest_asyncio.fixture
            async def value():
                await asyncio.sleep(0)
                yield 42
            """,
        "test_strict.py": """
            import asyncio
            import pytest
            import pytest_asyncio

            @pytest.mark.asyncio
            async def test_fixture(value): assert value == 42

            @pytest.mark.asyncio
            async def test_fails(value):
                await asyncio.sleep(0)
                assert value == 43

            @pytest.mark.asyncio(loop_scope="session")
            async def test_in_the_loop_of_the_session(session_loop):
                assert asyncio.get_running_loop() is session_loop

            @pytest_asyncio.fixture(scope="class", loop_scope="class")
            async def class_loop(): return asyncio.get_running_loop()

            @pytest.mark.asyncio(loop_scope="class")
            class TestClass:
                async def test_one(self, class_loop):
                    assert asyncio.get_running_loop() is class_loop
                async def test_two(self, class_loop):
                    assert asyncio.get_running_loop() is class_loop
            """,
        "test_unmarked.py": """
            import asyncio
            import pytest

            async def test_runs_in_auto_mode(): await asyncio.sleep(0)

            async def test_fails_in_auto_mode():
                with pytest.raises(ValueError, match="inner"):
                    await asyncio.gather(asyncio.sleep(0), raising())
                await asyncio.wait_for(asyncio.sleep(5), 0.01)

            async def raising(): raise ValueError("inner")

            def test_is_no_coroutine(): asyncio.run(asyncio.sleep(0))

            @pytest.mark.parametrize("n", range(4))
            async def test_many(n, value): assert value == 42
            """,
    },
    runs=("", "--asyncio-mode=auto"),
    terminal=r"^asyncio: .*",
)

ANYIO = Case(
    plugin="anyio",
    compared="tests and fixtures with asyncio and trio, shared fixtures, failures",
    files={
        "conftest.py": """
            import anyio
            import pytest

            @pytest.fixture(scope="module", params=["asyncio", "trio"])
            def anyio_backend(request): return request.param

            @pytest.fixture(scope="module")
            async def resource(anyio_backend):
                await anyio.sleep(0)
                yield {"backend": anyio_backend}
                await anyio.sleep(0)

            @pytest.fixture
            async def value():
                await anyio.sleep(0)
                return 42
            """,
        "test_one.py": """
            import anyio
            import pytest
            import sniffio

            pytestmark = pytest.mark.anyio

            async def test_backend(resource): assert resource["backend"] == sniffio.current_async_library()
            async def test_fixture(value): assert value == 42
            async def test_fails(value):
                await anyio.sleep(0)
                assert value == 43

            async def test_group_fails():
                async with anyio.create_task_group() as group:
                    group.start_soon(failing)

            async def failing(): raise ValueError("in a task")
            """,
        "test_two.py": """
            import anyio
            import pytest

            @pytest.mark.anyio
            @pytest.mark.parametrize("n", range(3))
            async def test_shared(resource, n):
                resource[n] = True
                await anyio.sleep(0.001)

            async def test_is_not_marked(): pass
            """,
    },
)

CASES = [DJANGO, ASYNCIO, ANYIO]
