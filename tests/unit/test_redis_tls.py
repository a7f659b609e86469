"""Redis over TLS, with certificates made here: who is trusted, and what is said when nobody is."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from sessiontui.config import load_config
from sessiontui.errors import BackendDownError, ConfigError, SessionTuiError
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage.redis.backend import RedisBackend
from tests.command import Command
from tests.servers import free_port, real_server, server_binaries
from tests.tls import Authority, Certificate, server_context, tls_in_front_of
from tests.unit.redis_parts import indexed
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis.asyncio

    from tests.servers import RealServer

FILE = "omp:sessions:file:/p/a.jsonl"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server_own(authority: Authority) -> Certificate:
    return authority.issue("127.0.0.1")


def url(port: int, **options: object) -> str:
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())
    return f"rediss://127.0.0.1:{port}?{query}"


async def paths(source: str, *, patience_s: float = 10.0) -> list[str]:
    """Return what a backend finds at a source."""
    parsed = parse_source(source)
    assert isinstance(parsed, RedisSource)
    backend = RedisBackend.from_source(parsed, patience_s=patience_s)
    try:
        stats, _ = await indexed(backend)
        return list(stats)
    finally:
        await backend.aclose()


async def refused(source: str, *, patience_s: float = 10.0) -> str:
    """Return what is said of a source that cannot be used."""
    with pytest.raises(SessionTuiError) as caught:
        await paths(source, patience_s=patience_s)
    told = str(caught.value)
    assert "\n" not in told
    return told


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    redis_server: RealServer,
    redis_client: redis.asyncio.Redis,
    authority: Authority,
    server_own: Certificate,
) -> None:
    await redis_client.set(FILE, b"{}\n")
    async with tls_in_front_of(redis_server.socket, server_context(server_own)) as port:
        assert await paths(url(port, ssl_ca_certs=authority.ca)) == ["/p/a.jsonl"]
        told = await refused(url(port))
        assert told == (
            f"cannot reach rediss://127.0.0.1:{port}: its certificate is signed by nobody "
            "trusted here (ssl_ca_certs names whom to)"
        )
        assert await paths(url(port, ssl_verify="false")) == ["/p/a.jsonl"]


async def test_a_server_may_ask_who_we_are(
    redis_server: RealServer,
    redis_client: redis.asyncio.Redis,
    authority: Authority,
    server_own: Certificate,
    tmp_path: Path,
) -> None:
    await redis_client.set(FILE, b"{}\n")
    ours = authority.issue("someone")
    context = server_context(server_own, asks_for=authority.ca)
    async with tls_in_front_of(redis_server.socket, context) as port:
        asked = {"ssl_ca_certs": authority.ca}
        known = {**asked, "ssl_certfile": ours.cert, "ssl_keyfile": ours.key}
        assert await paths(url(port, **known)) == ["/p/a.jsonl"]
        assert "a certificate of ours (ssl_certfile)" in await refused(url(port, **asked))
        stranger = Authority(tmp_path / "other", "Other Authority").issue("someone")
        strange = {**asked, "ssl_certfile": stranger.cert, "ssl_keyfile": stranger.key}
        assert "not take our certificate" in await refused(url(port, **strange))


@pytest.mark.parametrize(
    ("name", "days", "says"),
    [
        ("127.0.0.1", (-3, -2), "its certificate has expired"),
        ("127.0.0.1", (2, 3), "its certificate is not valid yet"),
        ("elsewhere", (-1, 1), "its certificate is for another host"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said_in_one_line(
    redis_server: RealServer,
    authority: Authority,
    name: str,
    days: tuple[int, int],
    says: str,
) -> None:
    context = server_context(authority.issue(name, days=days))
    async with tls_in_front_of(redis_server.socket, context) as port:
        told = await refused(url(port, ssl_ca_certs=authority.ca))
        assert told == f"cannot reach rediss://127.0.0.1:{port}: {says}"


async def test_an_authority_that_did_not_sign_is_not_enough(
    redis_server: RealServer, server_own: Certificate, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "Other Authority")
    async with tls_in_front_of(redis_server.socket, server_context(server_own)) as port:
        assert "signed by nobody trusted here" in await refused(url(port, ssl_ca_certs=other.ca))


async def test_a_port_without_tls_is_known_by_it(redis_server: RealServer) -> None:
    nobody = free_port()
    told = await refused(url(nobody))
    assert told == f"cannot reach rediss://127.0.0.1:{nobody}: connection refused"
    told = await refused(url(redis_server.port), patience_s=0.5)
    assert told.endswith("no answer in time; does it speak TLS there?")


async def test_a_file_that_cannot_be_used_is_named_before_anything_is_connected(
    authority: Authority, tmp_path: Path
) -> None:
    port = free_port()
    missing = tmp_path / "missing.pem"
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    locked = authority.issue("locked", password=b"secret")
    for options, says in (
        ({"ssl_ca_certs": missing}, f"{missing}: cannot be used for certificates of authorities"),
        ({"ssl_ca_certs": empty}, f"{empty}: cannot be used for certificates of authorities"),
        ({"ssl_certfile": missing}, f"{missing}: cannot be used for a certificate and its key"),
        ({"ssl_certfile": empty}, "it is encrypted, or holds none"),
        ({"ssl_certfile": locked.cert, "ssl_keyfile": locked.key}, "it is encrypted"),
        ({"ssl_keyfile": locked.key}, "needs the certificate it belongs to"),
    ):
        parsed = parse_source(url(port, **options))
        assert isinstance(parsed, RedisSource)
        with pytest.raises(ConfigError) as caught:
            RedisBackend.from_source(parsed)
        assert says in str(caught.value)
        assert "secret" not in str(caught.value)


async def test_nothing_that_is_sent_can_be_read_on_the_way(
    redis_server: RealServer, server_own: Certificate, authority: Authority
) -> None:
    context = server_context(server_own)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    async with tls_in_front_of(redis_server.socket, context) as port:
        plain = parse_source(f"redis://127.0.0.1:{port}")
        assert isinstance(plain, RedisSource)
        with pytest.raises(BackendDownError):
            await paths(f"redis://127.0.0.1:{port}")


def test_the_configuration_names_certificates_too(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[tls]\nca = "ca.pem"\ncert = "me.pem"\nkey = "/k/me.key"\nverify = false\n')
    tls = load_config(config, {}).tls
    assert (tls.ca, tls.cert) == (str(tmp_path / "ca.pem"), str(tmp_path / "me.pem"))
    assert (tls.key, tls.verify) == ("/k/me.key", False)
    named = parse_source("rediss://h?ssl_ca_certs=/o/ca.pem&ssl_verify=true", tls=tls)
    assert isinstance(named, RedisSource)
    assert (named.certificates.ca, named.certificates.verify) == ("/o/ca.pem", True)
    assert named.certificates.key == "/k/me.key"
    for line in ('[tls]\nauthority = "x"\n', "tls = true\n", "[tls]\nca = 1\n"):
        config.write_text(line)
        with pytest.raises(ConfigError, match="tls: expected"):
            load_config(config, {})


@pytest.fixture
def server_with_tls(
    authority: Authority, server_own: Certificate, tmp_path: Path
) -> Iterator[tuple[RealServer, int]]:
    """A server that speaks TLS itself, where the machine has one."""
    for binary in server_binaries():
        asked = subprocess.run(
            [binary, "--port", "0", "--tls-port", "1", "--tls-cert-file", "/none"],
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
            text=True,
        )
        if "configure TLS" in asked.stdout + asked.stderr:
            break
    else:
        pytest.skip("no server here speaks TLS itself")
    port = free_port()
    with real_server(
        binary=binary,
        arguments=(
            *("--tls-port", str(port), "--bind", "127.0.0.1"),
            *("--tls-cert-file", str(server_own.cert), "--tls-key-file", str(server_own.key)),
            *("--tls-ca-cert-file", str(authority.ca), "--tls-auth-clients", "yes"),
        ),
    ) as server:
        yield server, port


async def test_a_server_that_speaks_tls_itself_asks_both_ways(
    server_with_tls: tuple[RealServer, int], authority: Authority, tmp_path: Path
) -> None:
    server, port = server_with_tls
    async with server.client() as client:
        await client.set(FILE, b"{}\n")
    ours = authority.issue("someone")
    config = tmp_path / "config.toml"
    config.write_text(f'[tls]\nca = "{authority.ca}"\ncert = "{ours.cert}"\nkey = "{ours.key}"\n')
    command = Command(tmp_path, source=f"rediss://127.0.0.1:{port}")
    done = command("ls", "--json", SESSIONTUI_CONFIG=str(config))
    assert done.stderr == ""
    assert "/p/a.jsonl" in done.stdout
    asked = await refused(url(port, ssl_ca_certs=authority.ca))
    assert "a certificate of ours (ssl_certfile)" in asked
