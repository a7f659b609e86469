"""What names a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.config import Tls
from sessiontui.errors import ConfigError
from sessiontui.sources import DirectorySource, RedisSource, Source, parse_source

HOME = Path("/home/me")
CWD = Path("/work/here")


def parse(text: str, password: str | None = None) -> Source:
    return parse_source(text, home=HOME, cwd=CWD, password=password)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("redis://", RedisSource()),
        ("redis://cache", RedisSource(host="cache")),
        ("REDIS://cache:7000", RedisSource(host="cache", port=7000)),
        ("redis://cache/", RedisSource(host="cache")),
        ("redis://cache:7000/2", RedisSource(host="cache", port=7000, db=2)),
        ("redis://cache?db=3", RedisSource(host="cache", db=3)),
        ("rediss://cache", RedisSource(host="cache", tls=True)),
        ("redis://:pw@cache", RedisSource(host="cache", password="pw")),
        ("redis://pw@cache", RedisSource(host="cache", password="pw")),
        ("redis://me:pw@cache", RedisSource(host="cache", username="me", password="pw")),
        ("redis://me:p%40%2F%3A@h", RedisSource(host="h", username="me", password="p@/:")),
        ("redis://me:a@b@h", RedisSource(host="h", username="me", password="a@b")),
        ("redis://h?user=me&password=a%26b", RedisSource(host="h", username="me", password="a&b")),
        ("redis://h?username=me&password=p", RedisSource(host="h", username="me", password="p")),
        ("redis://[::1]:7000/1", RedisSource(host="::1", port=7000, db=1)),
        ("redis://[::1]", RedisSource(host="::1")),
        ("redis://h?prefix=team%3A", RedisSource(host="h", prefix="team:")),
        ("redis://h?prefix=a+b*[c]", RedisSource(host="h", prefix="a+b*[c]")),
        ("redis://h?prefix=", RedisSource(host="h", prefix="")),
        ("redis+sentinel://me:pw@a,b:7,[::1]:8/main/2?prefix=p:&sentinel_user=s&sentinel_password=t",
         RedisSource(topology="sentinel", nodes=(("a", 26379), ("b", 7), ("::1", 8)), db=2,
                     service="main", username="me", password="pw", prefix="p:",
                     sentinel_username="s", sentinel_password="t")),
        ("rediss+sentinel://a/main?ssl_ca_certs=/ca.pem",
         RedisSource(topology="sentinel", nodes=(("a", 26379),), service="main", tls=True,
                     certificates=Tls(ca="/ca.pem"))),
        ("unix:///run/redis.sock", RedisSource(socket="/run/redis.sock")),
        ("unix:///run/a%20b.sock?db=4&prefix=p:",
         RedisSource(socket="/run/a b.sock", db=4, prefix="p:")),
        ("unix://me:pw@/run/r.sock",
         RedisSource(socket="/run/r.sock", username="me", password="pw")),
        ("unix:///run/@me/r.sock", RedisSource(socket="/run/@me/r.sock")),
        ("/srv/sessions", DirectorySource(Path("/srv/sessions"))),
        ("sessions", DirectorySource(CWD / "sessions")),
        ("./redis", DirectorySource(CWD / "redis")),
        ("~", DirectorySource(HOME)),
        ("~/.omp/agent/sessions", DirectorySource(HOME / ".omp/agent/sessions")),
        ("file:///srv/a%20b", DirectorySource(Path("/srv/a b"))),
        ("file://localhost/srv", DirectorySource(Path("/srv"))),
        ("/srv/\udcff", DirectorySource(Path("/srv/\udcff"))),
        ("file:///srv/\udcff", DirectorySource(Path("/srv/\udcff"))),
        ("file:///srv/%FF", DirectorySource(Path("/srv/\udcff"))),
        ("  /srv  ", DirectorySource(Path("/srv"))),
    ],
)  # fmt: skip
def test_a_source_is_read(text: str, source: Source) -> None:
    assert parse(text) == source


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("http://h", "http:// is not known"),
        ("redis+sentinel://h", "what the sentinels call the primary"),
        ("redis+sentinel://h/", "what the sentinels call the primary"),
        ("redis+sentinel://h/m/x", "such as /0"),
        ("redis+sentinel://h,h:99999/m", "1 to 65535"),
        ("redis+cluster://h?prefix=a{b", "hash tag"),
        ("redis://h?sentinel_password=x", "unknown option"),
        ("redis://h?ssl_ca_certs=x", "unknown option"),
        ("rediss://h?ssl_verify=no", "ssl_verify is not valid"),
        ("redis-sentinel://h", "is not known"),
        ("valkey://h", "is not known"),
        ("redis:h", "redis://"),
        ("unix:/run/r.sock", "unix://"),
        ("cache:6379", "redis://cache:6379"),
        ("localhost:6379/2", "redis://localhost:6379/2"),
        ("redis://h:0", "from 1 to 65535"),
        ("redis://h:65536", "from 1 to 65535"),
        ("redis://h:x", "from 1 to 65535"),
        ("redis://h:٣٣٣", "from 1 to 65535"),
        ("redis://h/x", "such as /0"),
        ("redis://h/1/2", "such as /0"),
        ("redis://h?db=-1", "such as /0"),
        ("redis://::1", "IPv6 address in [ ]"),
        ("redis://[::1", "stands in [ ]"),
        ("redis://[::1]x", "stands in [ ]"),
        ("redis://h?timeout=5", "unknown option"),
        ("redis://h?prefix=%FF", "not UTF-8"),
        ("unix://", "absolute path of a socket"),
        ("unix://host/run", "absolute path of a socket"),
        ("unix:///a%00b", "zero byte"),
        ("file://host/srv", "absolute path"),
        ("file://srv", "absolute path"),
        ("file:///a%00b", "zero byte"),
        ("a\0b", "zero byte"),
        ("/a\ud800", "no character of any text"),
        ("file:///a\ud800", "no character of any text"),
        ("redis://a\udcff", "not UTF-8"),
        ("~no-such-user-at-all/x", "~ stands for no known home"),
    ],
)
def test_what_is_no_source_is_refused_with_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "redis://:s3cret@cache:99999",
        "redis://:s3/cret@cache",
        "redis://:s3?cret@cache",
        "redis://:cret?s3cret@cache",
        "redis://:s3#cret@cache",
        "redis://user:123#s3cret@cache",
        "redis://user:123/s3cret@cache",
        "redis://me:s3cret@cache/x",
        "redis://me:s3cret@[::1",
        "redis://me:s3cret@a:b:c",
        "redis://cache?password=s3cret&x=1",
        "me:s3cret@cache:6379",
        "redis//me:s3cret@cache",
        "redis://cache?s3cret=1",
        "redis://:s3cret%FF@cache",
        "unix://:s3cret@",
        "unix://:a/s3cret@/run/r.sock",
        "redis+cluster://:s3cret@cache/1",
        "redis:me:s3cret@cache",
    ],
)
def test_no_message_holds_a_part_of_the_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "cret" not in str(caught.value)
    assert "s3" not in str(caught.value)


def test_the_password_shows_neither_in_repr_nor_in_the_label() -> None:
    source = parse("rediss://me:s3cret@cache:7000/2?prefix=p:")
    assert isinstance(source, RedisSource)
    assert source.password == "s3cret"
    for text in (repr(source), str(source), source.label, source.key, source.server):
        assert "s3cret" not in text
    assert source.label == "rediss://cache:7000/2 · p:"


def test_a_password_from_elsewhere_is_used_where_the_url_has_none() -> None:
    assert parse("redis://h", password="pw") == RedisSource(host="h", password="pw")
    assert parse("redis://me@h", password="pw") == RedisSource(
        host="h", username="me", password="pw"
    )
    assert parse("redis://:own@h", password="pw") == RedisSource(host="h", password="own")
    assert parse("/srv", password="pw") == DirectorySource(Path("/srv"))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("redis://", "redis://localhost:6379 · omp:sessions:"),
        ("redis://[::1]/3", "redis://[::1]:6379/3 · omp:sessions:"),
        ("unix:///run/r.sock?db=1&prefix=p", "unix:///run/r.sock?db=1 · p"),
        ("~/s", "/home/me/s"),
    ],
)
def test_the_label_says_where_it_is(text: str, label: str) -> None:
    assert parse(text).label == label


def test_sources_that_differ_have_different_keys() -> None:
    places = ["redis://h", "redis://h/1", "rediss://h", "unix:///h", "/h", "/h b"]
    texts = [*places, "redis://h?prefix=a", "redis://h?prefix=a%23b"]
    assert len({parse(text).key for text in texts}) == len(texts)
    assert parse("redis://me:pw@h").key == parse("redis://h:6379/0").key


@given(
    st.text(max_size=60)
    | st.builds(
        "{}://{}".format,
        st.sampled_from(["redis", "rediss", "unix", "file", "http", "redis+cluster"]),
        st.text("abc:@/?#&=%[]0123456789.~ \0é\ud800", max_size=40),
    )
)
def test_any_text_is_a_source_or_a_config_error(text: str) -> None:
    try:
        source = parse(text)
    except ConfigError:
        return
    if isinstance(source, DirectorySource):
        assert source.path.is_absolute()
    assert source.label
    assert source.key
