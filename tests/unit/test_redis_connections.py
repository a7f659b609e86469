"""Reaching a Redis server: from a URL, from any client, and what it says when it cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    ConfigError,
    OutcomeUnknownError,
    StorageError,
    WritesRefusedError,
)
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage.backend import FeedState, Range, TrashItem
from sessiontui.storage.redis import backend as redis_backend
from sessiontui.storage.redis.backend import RedisBackend
from tests.servers import free_port, real_server
from tests.unit.redis_parts import FILE, PASSWORD, answer, opened, user

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RealServer


def backend_of(url: str, *, patience_s: float = 10.0) -> RedisBackend:
    source = parse_source(url)
    assert isinstance(source, RedisSource)
    return RedisBackend.from_source(source, patience_s=patience_s)


async def failure(backend: RedisBackend) -> StorageError:
    """Return what reading raises, and close the backend."""
    try:
        with pytest.raises(StorageError) as raised:
            await backend.read([Range("/a", 0)])
        return raised.value
    finally:
        await backend.aclose()


@pytest.mark.parametrize("kind", ["unix", "tcp", "decoding", "single", "resp3", "retrying"])
async def test_any_client_will_do_and_stays_as_it_was(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, kind: str
) -> None:
    path, port = str(each_redis_server.socket), each_redis_server.port
    made = {
        "unix": lambda: redis.asyncio.Redis(unix_socket_path=path),
        "tcp": lambda: redis.asyncio.Redis(host="127.0.0.1", port=port, db=0),
        "decoding": lambda: redis.asyncio.Redis(
            unix_socket_path=path, decode_responses=True, encoding="latin-1", client_name="mine"
        ),
        "single": lambda: redis.asyncio.Redis(
            unix_socket_path=path, single_connection_client=True, max_connections=1
        ),
        "resp3": lambda: redis.asyncio.Redis(host="127.0.0.1", port=port, protocol=3),
        "retrying": lambda: redis.asyncio.Redis.from_url(
            f"redis://127.0.0.1:{port}/0?health_check_interval=1",
            retry=Retry(NoBackoff(), 3),
            retry_on_error=[TimeoutError],
        ),
    }
    async with made[kind]() as client:
        async with opened(client) as backend:
            await backend.append("/a", b"\xff\n", mtime_ms=1)
            assert await backend.read([Range("/a", 0)]) == [b"\xff\n"]
            assert PASSWORD not in repr(backend.label)
        assert await client.ping()
        assert await client.exists("omp:sessions:file:/a") == 1


async def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"client of a server or of a cluster"):
        RedisBackend.from_client(object())  # type: ignore[arg-type]  # that is the point


async def test_a_url_gives_user_password_db_and_prefix(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with user(each_redis, "ada", "~mine:*", "+@all", "&*"):
        for base in (
            f"unix://ada:{PASSWORD}@{each_redis_server.socket}?db=3&",
            f"redis://ada:{PASSWORD}@127.0.0.1:{each_redis_server.port}/3?",
        ):
            backend = backend_of(base + "prefix=mine:")
            await backend.append("/a", b"x", mtime_ms=1)
            async with backend.watch() as signals:
                state = await anext(signals)
                assert getattr(state, "live", None) is True
            await backend.aclose()
            assert PASSWORD not in backend.label
    elsewhere = redis.asyncio.Redis(unix_socket_path=str(each_redis_server.socket), db=3)
    async with elsewhere:
        assert await elsewhere.get("mine:file:/a") == b"xx"


async def test_a_password_given_aside_goes_before_the_urls(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with user(each_redis, "ada", "~*", "+@all"):
        source = parse_source(f"unix://ada:wrong@{each_redis_server.socket}")
        assert isinstance(source, RedisSource)
        backend = RedisBackend.from_source(source, password=PASSWORD)
        assert await backend.read([Range("/a", 0)]) == [None]
        await backend.aclose()


@pytest.mark.parametrize("scheme", ["unix", "redis"])
async def test_a_wrong_or_missing_password_is_told_without_showing_it(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, scheme: str
) -> None:
    place = {
        "unix": f"{each_redis_server.socket}",
        "redis": f"127.0.0.1:{each_redis_server.port}",
    }[scheme]
    async with user(each_redis, "ada", "~*", "+@all"):
        error = await failure(backend_of(f"{scheme}://ada:not-{PASSWORD}@{place}"))
    assert isinstance(error, AccessError)
    assert str(error) == "wrong password, or no such user, or one that is switched off"
    error = await failure(backend_of(f"{scheme}://:{PASSWORD}@{place}"))
    assert isinstance(error, AccessError)
    assert "has no password for this user" in str(error)
    with real_server(arguments=("--requirepass", PASSWORD), tcp=True) as locked:
        place = str(locked.socket) if scheme == "unix" else f"127.0.0.1:{locked.port}"
        error = await failure(backend_of(f"{scheme}://{place}"))
        assert isinstance(error, AccessError)
        assert str(error) == "the server wants a password"
        backend = backend_of(f"{scheme}://:{PASSWORD}@{place}")
        assert await backend.read([Range("/a", 0)]) == [None]
        await backend.aclose()


@pytest.mark.parametrize("kind", ["read", "follow", "change"])
async def test_the_rights_that_the_backend_names_suffice(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, kind: str
) -> None:
    parts = str(redis_backend.__doc__).partition("The rights")[2].split("\n- ")[1:]
    rights = {part.split()[1].strip(",:"): re.findall(r"[+&][^` ]+", part) for part in parts}
    granted = rights["read"] + (rights[kind] if kind != "read" else [])
    async with (
        user(each_redis, "ada", "~omp:sessions:*", *granted),
        each_redis_server.client(username="ada", password=PASSWORD) as client,
        opened(client) as backend,
    ):
        await each_redis.set(FILE + b"/a", b"old")
        assert await backend.read([Range("/a", 0)]) == [b"old"]
        await backend.probe([Range("/a", 0), Range("/a", 1)])
        assert [batch async for batch in backend.scan()]
        assert await backend.trashed() == []
        async with backend.watch() as signals:
            state = await anext(signals)
            assert isinstance(state, FeedState)
            assert state.live
            assert state.tier == ("tracking" if kind == "follow" else "polling")
        if kind != "change":
            with pytest.raises(AccessError):
                await backend.append("/a", b"x", mtime_ms=1)
            return
        await backend.append("/a", b"x" * 2_000_000, mtime_ms=1)
        await backend.prepend("/a", b"slot", expected_size=2_000_003, mtime_ms=1, title=b"T")
        await backend.patch("/a", old=b"slot", new=b"SLOT", mtime_ms=2, title="keep")
        await backend.rename([("/a", "/b")])
        stat = await backend.write("/b", b"new", mtime_ms=3, title=None)
        await backend.prepend("/b", b"a", expected_size=3, mtime_ms=4, title=b"T")
        await backend.trash(TrashItem("1", "/b", (stat,), 1000, 100_000))
        await backend.restore("1")
        await backend.delete(["/b"])
        await backend.fence()


async def test_a_server_that_is_not_there_is_told_in_plain_words(tmp_path: Path) -> None:
    port = free_port()
    error = await failure(backend_of(f"redis://:{PASSWORD}@127.0.0.1:{port}"))
    assert isinstance(error, BackendDownError)
    assert str(error) == f"cannot reach redis://127.0.0.1:{port}: connection refused"
    error = await failure(backend_of(f"unix://:{PASSWORD}@{tmp_path}/none.sock"))
    assert str(error) == f"cannot reach unix://{tmp_path}/none.sock: no such file or directory"
    backend = backend_of(f"unix://{tmp_path}/none.sock")
    with pytest.raises(BackendDownError) as raised:
        await backend.append("/a", b"x", mtime_ms=1)
    assert not isinstance(raised.value, OutcomeUnknownError)
    await backend.fence()
    await backend.aclose()


async def test_a_frozen_server_leaves_a_write_unknown_and_a_read_failed() -> None:
    with real_server() as server:
        async with server.client() as client, opened(client, patience_s=1.0) as backend:
            await backend.append("/a", b"1", mtime_ms=1)
            await backend.read([Range("/a", 0)])
            with server.frozen():
                with pytest.raises(OutcomeUnknownError):
                    await backend.append("/a", b"2", mtime_ms=2)
                with pytest.raises(BackendDownError):
                    await backend.read([Range("/a", 0)])
                with pytest.raises(BackendDownError):
                    await backend.fence()
            await answer(client.ping, bool)
            await backend.fence()
            before = await client.get(FILE + b"/a")
            assert before in (b"1", b"12")
            await backend.append("/a", b"3", mtime_ms=3)
            assert await client.get(FILE + b"/a") == before + b"3"


async def test_a_replica_refuses_writes_in_plain_words() -> None:
    with real_server() as server:
        async with server.client() as client, opened(client) as backend:
            await client.replicaof("127.0.0.1", str(free_port()))
            with pytest.raises(AccessError, match="read-only replica"):
                await backend.append("/a", b"x", mtime_ms=1)
            await client.config_set("replica-serve-stale-data", "no")
            with pytest.raises(BackendDownError, match="lost its primary"):
                await backend.read([Range("/a", 0)])


async def test_a_server_without_memory_refuses_writes_and_changes_nothing() -> None:
    with real_server() as server:
        async with server.client() as client, opened(client) as backend:
            await backend.append("/a", b"x", mtime_ms=1)
            await client.config_set("maxmemory", "1")
            full = r"memory is full \(maxmemory 1B, noeviction\)"
            with pytest.raises(WritesRefusedError, match=full):
                await backend.append("/a", b"y", mtime_ms=2)
            await client.config_set("maxmemory", "0")
            assert await client.get(FILE + b"/a") == b"x"
            assert await client.hget("omp:sessions:meta", "/a") == b"1"


async def test_a_session_that_would_become_too_long_stays_as_it_is() -> None:
    with real_server(arguments=("--proto-max-bulk-len", "1mb")) as server:
        async with server.client() as client, opened(client) as backend:
            await backend.append("/a", b"x" * 1_000_000, mtime_ms=1)
            with pytest.raises(StorageError, match="exceeds maximum allowed size"):
                await backend.append("/a", b"y" * 100_000, mtime_ms=2)
            assert await client.strlen(FILE + b"/a") == 1_000_000
            assert await client.hget("omp:sessions:meta", "/a") == b"1"


def make_certificate(key: Path, certificate: Path) -> None:
    """Make a certificate for localhost that nobody signed."""
    try:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is needed to make a certificate")


async def test_tls_clients_and_urls_work(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, certificate)
    port = free_port()
    arguments = [
        *("--tls-port", str(port), "--tls-cert-file", str(certificate)),
        *("--tls-key-file", str(key), "--tls-auth-clients", "no"),
    ]
    try:
        running = real_server(arguments=(*arguments, "--bind", "127.0.0.1"))
        with running:
            client = redis.asyncio.Redis(
                host="127.0.0.1", port=port, ssl=True, ssl_ca_certs=str(certificate)
            )
            async with client, opened(client) as backend:
                await backend.append("/a", b"x", mtime_ms=1)
                assert await backend.read([Range("/a", 0)]) == [b"x"]
            error = await failure(backend_of(f"rediss://127.0.0.1:{port}"))
            assert isinstance(error, BackendDownError)
            assert "certificate" in str(error).lower()
    except BackendDownError as error:
        if "did not start" not in str(error):
            raise
        pytest.skip("this server was built without TLS")


async def test_a_backend_waits_for_a_server_that_is_loading() -> None:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(real_server(arguments=("--enable-debug-command", "local")))
        except BackendDownError:
            pytest.skip("a server before 7.0 cannot be made to load slowly")
        async with server.client() as client, opened(client) as backend:
            await client.set(FILE + b"/a", b"x")
            for number in range(400):
                await client.set(f"filler:{number}", "x")
            await client.config_set("key-load-delay", "1000")
            await client.config_set("loading-process-events-interval-bytes", "1024")
            reload = asyncio.create_task(_reload(server))
            seen: list[str] = []

            async def loading() -> bool:
                try:
                    await backend.read([Range("/a", 0)])
                except BackendDownError as error:
                    seen.append(str(error))
                return bool(seen) or reload.done()

            await answer(loading, bool)
            await reload
            assert seen
            assert seen[0] == "the server is still loading its data"
            assert await backend.read([Range("/a", 0)]) == [b"x"]


async def _reload(server: RealServer) -> None:
    client = redis.asyncio.Redis(unix_socket_path=str(server.socket), socket_timeout=None)
    async with client:
        await client.execute_command("DEBUG", "RELOAD")  # type: ignore[no-untyped-call]
