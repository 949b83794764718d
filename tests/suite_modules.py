"""The texts of modules that the tests put into their suites."""

# A plugin (`-p recorder`) that records each report that reaches the process that the user started.
RECORDER = """
    import json
    import os
    import pytest

    PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reports.jsonl")

    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Recorder())

    class Recorder:
        def pytest_runtest_logreport(self, report):
            node = getattr(report, "node", None)
            about = {
                "nodeid": report.nodeid,
                "when": report.when,
                "outcome": report.outcome,
                "wasxfail": getattr(report, "wasxfail", None),
                "longrepr": str(report.longrepr),
                "sections": [list(section) for section in report.sections],
                "user_properties": [[str(k), repr(v)] for k, v in report.user_properties],
                "type": type(report).__name__,
                "worker": node and node.gateway.id,
                "worker_id": getattr(report, "worker_id", None),
                "item_index": getattr(report, "item_index", None),
                "testrun_uid": getattr(report, "testrun_uid", None),
                "keywords": sorted(report.keywords),
                "location": list(report.location),
            }
            with open(PATH, "a", encoding="utf-8", errors="surrogatepass") as file:
                file.write(json.dumps(about) + "\\n")
"""

# A module for tests of a suite: `meet` lets tests wait for each other, `note` writes to a shared log.
SUPPORT = """
    import os
    import time

    HERE = os.path.dirname(os.path.abspath(__file__))

    def arrive(name):
        open(os.path.join(HERE, name + ".here"), "w").close()

    def wait_for(*names, limit=100):
        end = time.monotonic() + limit
        for name in names:
            while not os.path.exists(os.path.join(HERE, name + ".here")):
                assert time.monotonic() < end, f"{name} did not come"
                time.sleep(0.005)

    def meet(me, *others):
        arrive(me)
        wait_for(*others)

    def note(text):
        # Read in a way that is not detected.
        worker = os.environ._data.get(b"PYTEST_XDIST_WORKER", b"main").decode()
        line = f"{worker} {text}\\n"
        fd = os.open(os.path.join(HERE, "notes.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, line.encode())
        os.close(fd)
"""

# A module for suites in which each worker runs one test: `wait_for_all` is a barrier, `claim` fails for duplicates,
# both separately for each module.
SYNC = """
    import os
    import sys
    from support import HERE, meet

    def _caller():
        return sys._getframe(2).f_globals["__name__"]

    def wait_for_all(me, where):
        where = f"{_caller()}-{where}"
        meet(f"{where}-{me}", *(f"{where}-{other}" for other in ALL))

    def claim(what):
        path = os.path.join(HERE, f"{_caller()}-{what}.claimed".replace(os.sep, "-"))
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
"""

# A script that runs pytest in several directories, one after the other, with the arguments given for each as JSON.
RUN_EACH = """
    import json
    import os
    import sys
    import pytest

    HERE = os.path.dirname(os.path.abspath(__file__))

    for directory, arguments in json.loads(sys.argv[1]).items():
        os.chdir(os.path.join(HERE, directory))
        path, environment = sys.path[:], dict(os.environ)
        sys.path.insert(0, os.getcwd())
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
            os.close(file)
        status = int(pytest.main(["-p", "recorder", *arguments]))
        sys.stdout.flush()
        sys.stderr.flush()
        with open("status", "w") as file:
            file.write(str(status))
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(os.path.join(HERE, "")) and name != "__main__":
                del sys.modules[name]
"""

# A conftest that leaves the report of a test's call to its teardown, as `request.node.report`.
REMEMBER = """
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item):
        report = yield
        if report.when == "call":
            item.report = report
        return report
"""

# Each worker runs one test, and all of them call `use` at the same time.
ONE_TEST_PER_WORKER = """
    import pytest
    import sync

    @pytest.mark.parametrize("me", sync.ALL)
    def test_it(me):
        sync.wait_for_all(me, "begin")
        try:
            use(me)
        finally:
            sync.wait_for_all(me, "end")
"""
