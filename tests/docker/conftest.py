"""One engine, one agent and one control plane for all tests of a file: starting them is most of what they cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.host import Host
from tests.harness.certificates import make_certificates
from tests.harness.docker_engine import DockerEngine
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.recorder import Recorder


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("d")
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    try:
        tls, port = make_certificates(folder / "tls"), free_port()
        engine = DockerEngine(programs, folder, tls=(tls, port))
        recorder = Recorder(folder / "relay.sock", folder / "docker.sock")
        with engine.running(), recorder.running():
            here = Host(programs, engine, recorder, folder)
            here.tls = f"tcp://127.0.0.1:{port}"
            here.plane.start()
            here.start_agent()
            yield here
            assert here.agent is not None
            here.agent.stop()
            here.plane.close()
    finally:
        programs.stop_all()


@pytest.fixture
def engine(host: Host) -> Iterator[DockerEngine]:
    """The engine with nothing on it, before and after."""
    yield host.engine
    if found := host.engine.docker("ps", "-aq").split():
        host.engine.docker("rm", "-f", *found)
    host.awaits()
