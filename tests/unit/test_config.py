"""The settings, and where sessions are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.config import Config, load_config
from sessiontui.errors import ConfigError
from sessiontui.formats.registry import session_roots

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none" / "config.toml", {}) == Config()


def test_every_setting_is_read_from_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'source = "redis://cache"\npassword_file = "secret"\ntheme = "nord"\nsort = "size"\n'
        "ascii = true\nretention_days = 7\nindex = false\n"
        '[keys]\nrefresh = "f5"\nfind = ["/", "ctrl+f"]\n',
    )
    config = load_config(path, {})
    assert config == Config(
        source="redis://cache",
        password_file=tmp_path / "secret",
        theme="nord",
        sort="size",
        ascii=True,
        retention_days=7,
        index=False,
        keys={"refresh": "f5", "find": "/,ctrl+f"},
    )


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, 'source = "/file"\npassword_file = "of-file"\n')
    other = tmp_path / "other.toml"
    environ = {"SESSIONTUI_CONFIG": str(path), "SESSIONTUI_SOURCE": "/environment"}
    assert load_config(path, {}).source == "/file"
    assert load_config(other, {"SESSIONTUI_CONFIG": str(path)}).source == "/file"
    assert load_config(other, environ).source == "/environment"
    config = load_config(other, environ, source="/option", password_file=tmp_path / "option")
    assert (config.source, config.password_file) == ("/option", tmp_path / "option")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sorce = 'x'", "'sorce' is no setting; the settings are source, "),
        ("source = 5", "source: expected some text in quotes"),
        ("source = ' '", "source: expected some text in quotes"),
        ("password_file = true", "password_file: expected the path of a file"),
        ('password_file = "a\\u0000b"', "password_file: expected the path of a file"),
        ("password_file = '~no-such-user-at-all/x'", "stands for no known home"),
        ("theme = []", "theme: expected some text in quotes"),
        ("sort = 'newest'", 'sort: expected one of "modified", "created", "title", "size"'),
        ("sort = ['size']", "sort: expected one of"),
        ("ascii = 1", "ascii: expected true or false"),
        ("retention_days = 0", "retention_days: expected a whole number of days from 1 to 3650"),
        ("retention_days = true", "retention_days: expected a whole number"),
        ("retention_days = 1.5", "retention_days: expected a whole number"),
        ("keys = 'q'", "keys: expected a table"),
        ("[keys]\nquit = 5", "keys: expected a key in quotes, or a list of such, for 'quit'"),
        ("[keys]\nquit = []", "for 'quit'"),
        ("[keys]\nquit = ['']", "for 'quit'"),
        ('[keys]\nquit = "\\u001b]0;x\\u0007"', "for 'quit'"),
        ("source = ", "is not valid TOML"),
        ("a = 1\na = 2", "is not valid TOML"),
        ("a = " + "[" * 10_000, "is not valid TOML: nested too deeply"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_file(
    tmp_path: Path, text: str, says: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_no_message_shows_the_source_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "source = ['redis://:s3cret@cache']")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Config(source="redis://:s3cret@cache"))


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    unused = tmp_path / "config.toml"
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such configuration file"):
        load_config(unused, {"SESSIONTUI_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="no known home"):
        load_config(unused, {"SESSIONTUI_CONFIG": "~no-such-user-at-all/config.toml"})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, {})


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(path, {})
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ConfigError, match="too large"):
        load_config(path, {})


def test_the_password_comes_from_its_file_or_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b" s3 cret \r\nsecond line\n")
    environ = {"SESSIONTUI_PASSWORD": "other"}
    assert Config(password_file=secret).password(environ) == " s3 cret "
    assert Config().password(environ) == "other"
    assert Config().password({}) is None
    assert Config().password({"SESSIONTUI_PASSWORD": ""}) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"\n", "is empty"), (b"", "is empty"), (b"\xff", "not UTF-8")],
)
def test_a_password_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config(password_file=path).password({})
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({}, ".omp/agent/sessions"),
        ({"PI_CONFIG_DIR": ".mine"}, ".mine/agent/sessions"),
        ({"OMP_PROFILE": "work"}, ".omp/profiles/work/agent/sessions"),
        ({"PI_PROFILE": "work"}, ".omp/profiles/work/agent/sessions"),
        ({"OMP_PROFILE": "a", "PI_PROFILE": "b"}, ".omp/profiles/a/agent/sessions"),
        ({"OMP_PROFILE": "", "PI_PROFILE": "b"}, ".omp/agent/sessions"),
        ({"OMP_PROFILE": "default"}, ".omp/agent/sessions"),
        ({"OMP_PROFILE": "a", "PI_CONFIG_DIR": ".m"}, ".m/profiles/a/agent/sessions"),
        ({"PI_CODING_AGENT_DIR": "/srv/agent"}, "/srv/agent/sessions"),
        ({"PI_CODING_AGENT_DIR": "~/agent"}, "agent/sessions"),
        ({"PI_CODING_AGENT_DIR": "/srv/agent", "OMP_PROFILE": "a"},
         ".omp/profiles/a/agent/sessions"),
        ({"PI_CODING_AGENT_SESSION_DIR": "/srv/s", "OMP_PROFILE": "a"}, "/srv/s"),
        ({"PI_CODING_AGENT_SESSION_DIR": "~"}, ""),
        ({"XDG_DATA_HOME": "{home}/moved"}, "moved/omp/sessions"),
        ({"XDG_DATA_HOME": "{home}/not-moved"}, ".omp/agent/sessions"),
        ({"XDG_DATA_HOME": "{home}/moved", "OMP_PROFILE": "a"},
         "moved/omp/profiles/a/sessions"),
        ({"XDG_DATA_HOME": "{home}/moved", "OMP_PROFILE": "b"},
         ".omp/profiles/b/agent/sessions"),
        ({"XDG_DATA_HOME": "{home}/moved", "PI_CODING_AGENT_DIR": "/srv/a"}, "/srv/a/sessions"),
    ],
)  # fmt: skip
def test_omps_root_is_where_its_variables_say(
    tmp_path: Path, environ: dict[str, str], root: str
) -> None:
    (tmp_path / "moved" / "omp" / "profiles" / "a").mkdir(parents=True)
    told = {name: value.replace("{home}", str(tmp_path)) for name, value in environ.items()}
    omp, pi = session_roots(told, tmp_path)
    assert omp == tmp_path / root
    assert pi == tmp_path / ".pi" / "agent" / "sessions"
