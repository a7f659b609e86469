"""When there is nothing to show, and when a source goes away and comes back; real servers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input

from sessiontui.app.screens.problem_view import ProblemView
from sessiontui.errors import AccessError, BackendDownError
from sessiontui.storage.storage import open_backend
from tests.app.support import NOW_MS, path_of, rows, running, session, settle, shows, store_with
from tests.servers import free_port, real_server
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.app.app import SessionApp
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from tests.servers import RealServer


def connect(source: Source, password: str | None) -> Backend:
    return open_backend(source, password=password)


async def fill(server: RealServer, *names: str) -> None:
    """Put sessions into a server as omp does."""
    async with server.client() as client:
        for name in names:
            await client.set(f"omp:sessions:file:{path_of(name)}", session(f"Title {name}"))
            await client.hset("omp:sessions:meta", path_of(name), str(NOW_MS))


def problem_shown(app: SessionApp) -> bool:
    return bool(app.main.query_one(ProblemView).display)


async def test_an_empty_source_says_where_sessions_would_appear() -> None:
    store = store_with()
    async with running(store) as (app, pilot):
        assert shows(app, "No sessions yet")
        assert shows(app, "redis://cache:6379")
        assert shows(app, "sessiontui demo")
        store.write(path_of("first"), session("The first"), mtime_ms=NOW_MS)
        await until(lambda: shows(app, "The first"))
        await settle(pilot)
        assert not problem_shown(app)
        assert app.main.sessions.highlighted == path_of("first")


async def test_the_last_session_deleted_leaves_the_empty_page() -> None:
    store = store_with("only")
    async with running(store) as (app, _pilot):
        store.delete(path_of("only"))
        await until(lambda: shows(app, "No sessions yet"))


async def test_a_file_in_place_of_a_folder_is_called_so(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("no sessions")
    async with running(source=str(file), connect=connect, settled=False) as (app, _pilot):
        await until(lambda: shows(app, "This is a file, not a folder"))
        assert shows(app, "Name the folder that it lies in.")


async def test_a_missing_folder_appears_by_itself(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    async with running(source=str(root), connect=connect, settled=False) as (app, _pilot):
        await until(lambda: shows(app, "There is no such folder"))
        assert shows(app, str(root)[-30:])
        folder = root / "-code-api"
        folder.mkdir(parents=True)
        (folder / "2026-11-23T10-00-00-000Z_a.jsonl").write_bytes(session("In a folder"))
        await until(lambda: shows(app, "In a folder"))
        assert not problem_shown(app)


async def test_a_server_that_cannot_be_reached_is_tried_until_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    async with running(source=url, connect=connect, settled=False) as (app, pilot):
        await until(lambda: shows(app, "Cannot reach the server"))
        assert shows(app, f"Tried {url}")
        assert shows(app, "Trying again")
        assert shows(app, "not connected")
        assert shows(app, "F5 try now")
        with real_server(tcp=True, arguments=["--port", str(port)]) as server:
            await fill(server, "alpha")
            await until(lambda: shows(app, "Title alpha"))
            await settle(pilot)
            assert not problem_shown(app)
            await pilot.press("q")
            await until(lambda: not app.is_running)


async def test_a_lost_connection_is_told_by_the_header_alone_and_mends_itself() -> None:
    with real_server() as server:
        await fill(server, "alpha", "beta")
        async with running(source=server.url, connect=connect) as (app, pilot):
            assert "live" in rows(app)[0]
            server.stop()
            await until(lambda: "reconnecting" in rows(app)[0])
            assert shows(app, "Title alpha")
            assert shows(app, "Answer to Hello")
            assert not problem_shown(app)
            await pilot.press("down")
            server.start()
            await fill(server, "alpha", "beta", "gamma")
            await until(lambda: "live" in rows(app)[0])
            await until(lambda: shows(app, "Title gamma"))


async def test_what_could_not_be_read_is_read_once_the_server_is_back() -> None:
    with real_server() as server:
        await fill(server, "alpha", "beta")
        async with running(source=server.url, connect=connect) as (app, pilot):
            await until(lambda: shows(app, "Answer to Hello"))
            server.stop()
            await until(lambda: "reconnecting" in rows(app)[0])
            await pilot.press("down")
            await until(lambda: shows(app, "Cannot read this session"))
            server.start()
            await fill(server, "alpha", "beta")
            await until(lambda: "live" in rows(app)[0])
            await until(lambda: shows(app, "Answer to Hello"))


async def test_what_could_not_even_be_opened_is_opened_once_the_source_is_live() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        open_document = app.workspace.open_document
        answers: list[object] = []

        async def once_down(path: str) -> object:
            if not answers:
                answers.append(path)
                raise BackendDownError("not connected")
            return await open_document(path)

        app.workspace.open_document = once_down  # type: ignore[method-assign,assignment]
        await pilot.press("down")
        await until(lambda: shows(app, "Cannot read the transcript: not connected"))
        app.main.post_message(app.main.Updated())
        await settle(pilot)
        assert shows(app, "Answer to Question 0 about beta")


async def test_a_wrong_password_is_asked_for() -> None:
    with real_server(arguments=["--requirepass", "swordfish"]) as server:
        async with server.client(password="swordfish") as client:
            await client.set(f"omp:sessions:file:{path_of('alpha')}", session("Behind a password"))
        async with running(source=server.url, connect=connect, settled=False) as (app, pilot):
            await until(lambda: shows(app, "The server wants a password"))
            assert isinstance(app.focused, Input)
            await pilot.press(*"guess", "enter")
            await until(lambda: app.main.query_one("#password", Input).value == "")
            await until(lambda: shows(app, "Wrong password, or no such user"))
            await pilot.press(*"swordfish")
            assert not shows(app, "swordfish")
            await pilot.press("enter")
            await until(lambda: shows(app, "Behind a password"))
            assert not problem_shown(app)
            with contextlib.suppress(AssertionError):
                await settle(pilot)
            assert not any("swordfish" in row for row in rows(app))


async def test_the_field_for_a_password_can_be_left_and_entered_again() -> None:
    with real_server(arguments=["--requirepass", "swordfish"]) as server:
        async with running(source=server.url, connect=connect, settled=False) as (app, pilot):
            await until(lambda: isinstance(app.focused, Input))
            await until(lambda: "⏎ try   esc leave   ctrl+c quit" in rows(app)[-1])
            await pilot.press("q")
            assert app.main.query_one("#password", Input).value == "q"
            await pilot.press("escape")
            await until(lambda: "? keys   q quit" in rows(app)[-1])
            for key in ("enter", "tab"):
                await pilot.press(key)
                await until(lambda: isinstance(app.focused, Input))
                await pilot.press("escape")
                await until(lambda: not isinstance(app.focused, Input))
            await pilot.press("q")
            await until(lambda: not app.is_running)


async def test_a_missing_right_is_named_with_the_command_that_gives_it() -> None:
    with real_server(tcp=True) as server:
        async with server.client() as client:
            await client.acl_setuser(
                "reader",
                enabled=True,
                passwords=["+pw"],
                keys=["*"],
                channels=["*"],
                commands=["+@all", "-scan"],
            )
        url = server.tcp_url.replace("redis://", "redis://reader:pw@")
        async with running(source=url, connect=connect, settled=False) as (app, pilot):
            await until(lambda: shows(app, "Not allowed"))
            assert shows(app, "ACL SETUSER reader +scan")
            assert not any("pw" in row for row in rows(app))
            async with server.client() as client:
                await client.acl_setuser("reader", enabled=True, commands=["+scan"])
            await pilot.press("f5")
            await until(lambda: shows(app, "No sessions yet"))


async def acl(client: Any, *rules: str, user: str = "mira") -> None:
    """Give a user rights, or take them."""
    await client.execute_command("ACL", "SETUSER", user, *rules)


async def cut(client: Any) -> None:
    """End every other connection, as a server does that changed its mind, or a proxy."""
    for kind in ("normal", "pubsub"):
        await client.client_kill_filter(_type=kind, skipme=True)


@pytest.mark.parametrize("way", ["requirepass", "user"])
async def test_a_password_that_is_set_meanwhile_is_asked_for(way: str) -> None:
    with real_server() as server:
        await fill(server, "alpha")
        async with running(source=server.url, connect=connect) as (app, pilot):
            assert "live" in rows(app)[0]
            async with server.client() as client:
                if way == "requirepass":
                    await client.config_set("requirepass", "swordfish")
                else:
                    await acl(client, "resetpass", ">swordfish", user="default")
                await cut(client)
            await until(lambda: shows(app, "The server wants a password"))
            assert isinstance(app.focused, Input)
            assert "not connected" in rows(app)[0]
            await pilot.press(*"swordfish")
            assert not shows(app, "swordfish")
            await pilot.press("enter")
            await until(lambda: shows(app, "Title alpha"))
            await until(lambda: "live" in rows(app)[0])
            assert not problem_shown(app)


async def test_a_user_who_is_switched_off_is_told_and_goes_on_once_he_is_on_again() -> None:
    with real_server(tcp=True) as server:
        await fill(server, "alpha")
        async with server.client() as client:
            await acl(client, "on", ">pw", "~*", "&*", "+@all")
            url = server.tcp_url.replace("redis://", "redis://mira:pw@")
            async with running(source=url, connect=connect) as (app, _pilot):
                await acl(client, "off")
                await cut(client)
                await until(lambda: shows(app, "or one that is switched off"))
                assert not any("pw" in row for row in rows(app))
                await acl(client, "on")
                await until(lambda: shows(app, "Title alpha"))
                await until(lambda: "live" in rows(app)[0])


async def test_what_is_typed_stays_while_the_source_is_tried_again() -> None:
    with real_server(arguments=["--requirepass", "swordfish"]) as server:
        tries = 0

        def counted(source: Source, password: str | None) -> Backend:
            nonlocal tries
            tries += 1
            return open_backend(source, password=password)

        async with running(source=server.url, connect=counted, settled=False) as (app, pilot):
            await until(lambda: isinstance(app.focused, Input))
            await pilot.press(*"half")
            before = tries
            await until(lambda: tries > before + 1)
            await until(lambda: not app.workspace.state.loading)
            await pilot.pause()
            assert app.main.query_one("#password", Input).value == "half"


async def test_a_right_that_is_taken_away_is_named_in_the_header_until_it_is_back() -> None:
    with real_server(tcp=True) as server:
        await fill(server, "alpha")
        async with server.client() as client:
            await acl(client, "on", ">pw", "~*", "&*", "+@all")
            url = server.tcp_url.replace("redis://", "redis://mira:pw@")
            async with running(source=url, connect=connect) as (app, _pilot):
                await acl(client, "-scan")
                await cut(client)
                await until(lambda: "lacks a right: +scan" in rows(app)[0])
                assert shows(app, "Title alpha")
                await acl(client, "+scan")
                await until(lambda: "live" in rows(app)[0])


async def test_a_channel_that_is_taken_away_leaves_polling() -> None:
    with real_server(tcp=True) as server:
        await fill(server, "alpha")
        async with server.client() as client:
            await acl(client, "on", ">pw", "~*", "&*", "+@all", "-config")
            url = server.tcp_url.replace("redis://", "redis://mira:pw@")
            async with running(source=url, connect=connect) as (app, _pilot):
                await acl(client, "resetchannels")
                await cut(client)
                await until(lambda: "polling" in rows(app)[0])
                assert shows(app, "Title alpha")


async def test_a_database_that_is_gone_is_told_until_it_is_back() -> None:
    port = free_port()
    where = ["--port", str(port), "--bind", "127.0.0.1"]
    with real_server(arguments=where) as server:
        async with running(source=f"redis://127.0.0.1:{port}/5", connect=connect) as (app, _pilot):
            await until(lambda: "live" in rows(app)[0])
            server.stop()
            with real_server(arguments=[*where, "--databases", "2"]):
                await until(lambda: "no database of this number" in rows(app)[0])
            with real_server(arguments=where):
                await until(lambda: "live" in rows(app)[0])


async def test_a_primary_that_became_a_replica_is_read_only_until_it_is_promoted() -> None:
    with real_server() as server:
        await fill(server, "alpha")
        async with (
            running(source=server.url, connect=connect) as (app, _pilot),
            server.client() as client,
        ):
            await client.replicaof("127.0.0.1", str(free_port()))
            with pytest.raises(AccessError, match="connect to its primary"):
                await app.workspace.storage.unlink(path_of("alpha"))
            await until(lambda: "read-only (a replica)" in rows(app)[0])
            await client.replicaof("NO", "ONE")
            await until(lambda: "read-only" not in rows(app)[0])


ANSWERS = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "no Redis server, or wants TLS",
    b"\x15\x03\x01\x00\x02\x02\x46": "no Redis server, or wants TLS",
    b"-DENIED Redis is running in protected mode because protected mode\r\n": "protected mode",
    b"-ERR max number of clients reached\r\n": "too many clients",
}


@pytest.mark.parametrize("answer", ANSWERS, ids=ANSWERS.values())
async def test_what_answers_in_the_place_of_the_server_is_told(answer: bytes) -> None:
    port = free_port()

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    where = ["--port", str(port), "--bind", "127.0.0.1"]
    url = f"redis://127.0.0.1:{port}"
    with real_server(arguments=where) as server:
        await fill(server, "alpha")
        async with running(source=url, connect=connect) as (app, _pilot):
            server.stop()
            async with await asyncio.start_server(other, "127.0.0.1", port):
                await until(lambda: ANSWERS[answer] in rows(app)[0])
            assert shows(app, "Title alpha")
            server.start()
            await fill(server, "alpha", "beta")
            await until(lambda: "live" in rows(app)[0])
            await until(lambda: shows(app, "Title beta"))
