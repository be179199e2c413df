"""What the doctor finds on a host, each against its real cause (rows M23, M38, M39)."""

from __future__ import annotations

import http.server
import json
import os
import resource
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from xds.cli.doctor import engine, envoy, host, server, tls
from xds.cli.doctor.finding import Finding
from xds.cli.doctor.server import Server
from xds.cli.doctor.stranger import stranger
from xds.model.instance import Address

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def server_at(url: str) -> Server:
    found = Server.parse(url)
    assert isinstance(found, Server)
    return found


# --------------------------------------------------------------------------------------------------------- the engine
class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def answering(path: Path, document: object) -> Iterator[None]:
    """Something that answers every request on a socket with a document."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "unix"

    with UnixServer(str(path), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield
        running.shutdown()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for sockets, and that everybody may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def engine_at(path: Path, *, inside: bool = False) -> Finding:
    (found,) = engine.examine(f"unix://{path}", "", inside=inside)
    return found


def test_no_engine_is_an_error_where_one_was_named_and_a_note_where_none_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = engine_at(folder / "docker.sock")
    assert (named.level, "systemctl start docker" in named.fix) == ("error", True)
    assert "-v " in engine_at(folder / "docker.sock", inside=True).fix
    monkeypatch.setattr(engine, "SOCKET", f"unix://{folder}/docker.sock")
    (unnamed,) = engine.examine("", "", inside=False)
    assert unnamed.level == "note"


def test_the_folder_that_docker_makes_of_a_missing_socket_is_known(folder: Path) -> None:
    (folder / "docker.sock").mkdir()
    found = engine_at(folder / "docker.sock")
    assert "is a folder, not a socket" in found.says
    assert "source of a -v" in found.fix


def test_a_socket_that_nobody_serves_any_more_asks_for_the_engine_to_be_started(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "docker.sock"))
    found = engine_at(folder / "docker.sock")
    assert (found.level, "start the engine" in found.fix) == ("error", True)


def test_a_socket_that_this_user_may_not_use_names_its_group(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "docker.sock"))
    (folder / "docker.sock").chmod(0o660)
    found = as_nobody(lambda: f"{(f := engine_at(folder / 'docker.sock')).says} | {f.fix}")
    assert "may not use" in found
    assert f"({(folder / 'docker.sock').stat().st_gid})" in found
    inside = as_nobody(lambda: engine_at(folder / "docker.sock", inside=True).fix)
    assert "--group-add" in inside


def as_nobody(look: Callable[[], str]) -> str:
    """What a process of a user without rights gets; where the tests have none themselves, theirs."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65_534)
                os.setuid(65_534)
            os.write(theirs, look().encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as said:
        found = said.read()
    os.waitpid(child, 0)
    return found


@pytest.mark.parametrize(
    ("document", "words", "fix"),
    [
        ({"hello": "world"}, "no Docker Engine answers there", "something else listens there"),
        ({"ApiVersion": "1.12", "Version": "1.0"}, "it speaks 1.24 to 1.12", "update the engine"),
    ],
)
def test_what_is_no_engine_or_an_old_one_is_told_apart(folder: Path, document: object, words: str, fix: str) -> None:
    with answering(folder / "docker.sock", document):
        found = engine_at(folder / "docker.sock")
    assert words in found.says
    assert fix in found.fix


def test_an_engine_over_plain_tcp_beyond_this_host_is_refused_before_it_is_asked() -> None:
    (found,) = engine.examine("tcp://10.0.0.7:2375", "", inside=False)
    assert "root on its host" in found.says


# ---------------------------------------------------------------------------------------------------- ports and files
def test_a_port_is_free_or_taken_by_a_program_with_a_name(free_port: Callable[[], int]) -> None:
    at = Address("127.0.0.1", free_port())
    (free,) = host.ports({"api": at})
    assert free.level == "ok"
    with socket.create_server((at.host, at.port)):
        (taken,) = host.ports({"api": at})
    assert (taken.level, f"process {os.getpid()}" in taken.says) == ("error", True)
    assert f"--api 127.0.0.1:{at.port + 1}" in taken.fix


def test_an_address_of_another_host_is_nothing_to_listen_at() -> None:
    (found,) = host.ports({"api": Address("192.0.2.1", 15080)})
    assert "cannot assign requested address" in found.says


def test_few_files_are_a_warning_with_the_command_that_allows_more() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        (few,) = host.files()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (few.level, few.fix.startswith("`ulimit -n ")) == ("warning", True)


# ----------------------------------------------------------------------------------------- the way to a control plane
@pytest.mark.parametrize(
    ("url", "better"),
    [("localhost:15080", "http://localhost:15080"), ("ftp://x", "ftp://x"), ("http://x:99999", "http://x:99999")],
)
def test_what_is_no_url_is_told_with_one(url: str, better: str) -> None:
    found = Server.parse(url)
    assert isinstance(found, Finding)
    assert better in found.fix


def test_a_name_that_nobody_knows_is_told() -> None:
    addresses, found = server.names(server_at("http://no-such-host.invalid:15080"))
    assert (addresses, found.level) == ([], "error")
    assert "/etc/resolv.conf" in found.fix


def test_a_port_where_nobody_listens_is_refused_and_inside_a_container_so_is_its_host(
    free_port: Callable[[], int],
) -> None:
    at = server_at(f"http://127.0.0.1:{free_port()}")
    outside = server.reach(at, ["127.0.0.1"], inside=False)
    assert ("refused" in outside.says, "fairlead serve" in outside.fix) == (True, True)
    assert "host.docker.internal" in server.reach(at, ["127.0.0.1"], inside=True).fix


def test_an_address_that_swallows_packets_is_taken_for_a_firewall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of connections that is full swallows them as well."""
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        found = server.reach(server_at(f"http://127.0.0.1:{port}"), ["127.0.0.1"], inside=False)
        for each in waiting:
            each.close()
    assert "firewall" in found.fix


def test_one_of_several_addresses_is_enough(free_port: Callable[[], int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        at = server_at(f"http://localhost:{there.getsockname()[1]}")
        found = server.reach(at, ["::1", "127.0.0.1"], inside=False)
    assert (found.level, "::1 does not answer" in found.says) == ("ok", True)


# ---------------------------------------------------------------------------------------------------------------- TLS
@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, a good certificate that is its own authority, and one that ended in 2020."""
    made = tmp_path_factory.mktemp("tls")
    (made / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n"
        "[p]\ncommonName=supplied\n[n]\nsubjectAltName=DNS:localhost\nbasicConstraints=CA:TRUE\n"
    )
    (made / "index.txt").touch()
    _openssl(made, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
             "key.pem", "-out", "good.pem", "-days", "30", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost")  # fmt: skip
    _openssl(made, "req", "-new", "-key", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
    _openssl(made, "ca", "-batch", "-selfsign", "-config", "ca.cnf", "-extensions", "n", "-keyfile", "key.pem", "-in",
             "request.pem", "-out", "old.pem", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
             "-notext")  # fmt: skip
    return made


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


@contextmanager
def tls_server(folder: Path, certificate: str) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / certificate, folder / "key.pem")

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.socket = context.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def examined(folder: Path, certificate: str, name: str = "localhost", now: datetime | None = None) -> Finding:
    trusted = ssl.create_default_context(cafile=folder / certificate)
    with tls_server(folder, certificate) as port:
        found = tls.examine(
            name, port, now or datetime.fromtimestamp((folder / "good.pem").stat().st_mtime, UTC), trusted
        )
    assert found is not None
    return found


def test_a_certificate_is_good_ends_soon_has_expired_or_is_for_another_name(certificates: Path) -> None:
    good = examined(certificates, "good.pem")
    assert (good.level, "TLSv1." in good.says) == ("ok", True)
    made = datetime.fromtimestamp((certificates / "good.pem").stat().st_mtime, UTC)
    soon = examined(certificates, "good.pem", now=made + timedelta(days=20))
    assert (soon.level, "ends in 10 days" in soon.says or "ends in 9 days" in soon.says) == ("warning", True)
    assert "has expired" in examined(certificates, "old.pem").says
    assert "not for 127.0.0.1" in examined(certificates, "good.pem", "127.0.0.1").says


def test_a_certificate_that_nobody_here_trusts_names_the_remedy(certificates: Path) -> None:
    with tls_server(certificates, "good.pem") as port:
        found = tls.examine("localhost", port, NOW)
    assert found is not None
    assert "update-ca-certificates" in found.fix


def test_tls_that_was_not_expected_and_tls_that_is_missing_are_told_apart(certificates: Path) -> None:
    with tls_server(certificates, "good.pem") as port:
        (told,) = server.identity(server_at(f"http://127.0.0.1:{port}"), "", lambda: NOW)
        assert f"https://127.0.0.1:{port}" in told.fix
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        port = plain.server_address[1]
        assert tls.examine("127.0.0.1", port, NOW) is None
        (told,) = server.identity(server_at(f"https://127.0.0.1:{port}"), "", lambda: NOW)
        plain.shutdown()
    assert f"write http://127.0.0.1:{port}" in told.fix


# ----------------------------------------------------------------------------------------------- strangers, and Envoy
def test_a_web_server_is_no_control_plane_and_a_proxy_without_one_says_so() -> None:
    told = stranger("10.0.0.1", 80, httpx.Response(200, headers={"server": "nginx"}, text="hello"))
    assert "nginx answers at 10.0.0.1:80 with HTTP 200, and it is not Fairlead" in told.says
    assert "a proxy stands between" in stranger("10.0.0.1", 80, httpx.Response(502)).fix


def test_an_envoy_that_is_missing_old_or_none_is_told_apart(tmp_path: Path) -> None:
    program = tmp_path / "envoy"
    assert "there is no program" in envoy.program({"FAIRLEAD_ENVOY": str(program)}).says
    for version, words in (("version: abc/1.20.0/Clean", "is Envoy 1.20.0"), ("hello", "is no Envoy")):
        program.write_text(f"#!/bin/sh\necho '{version}'\n")
        program.chmod(0o755)
        found = envoy.program({"FAIRLEAD_ENVOY": str(program)})
        assert (found.level, words in found.says) == ("error", True)


def test_an_admin_interface_that_nobody_serves_is_an_error_only_where_it_was_asked_for(
    free_port: Callable[[], int],
) -> None:
    at = Address("127.0.0.1", free_port())
    assert [envoy.running(at, asked=asked)[1][0].level for asked in (False, True)] == ["note", "error"]
