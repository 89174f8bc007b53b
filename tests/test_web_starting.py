"""The program is started as a person starts it, where something is in its way: proxies, ports, temporary folders."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gradio.http_server import INITIAL_PORT_VALUE
from served_elsewhere import GRADIO_APP, Program, free_port

import gradio_app
from paints_undo.errors import InputError
from paints_undo.web import starting
from paints_undo.web.proxies import spare_loopback

NOWHERE = "127.0.0.1:9"  # nobody listens there
NO_PROXIES = dict.fromkeys(("no_proxy", "NO_PROXY"), "")


def started(folder: Path, **variables: str) -> Program:
    """The program without a family, and with a place for temporary files in the folder."""
    (folder / "temporary").mkdir(exist_ok=True)
    port = free_port()
    command = [GRADIO_APP, "--models", folder / "no family", "--out", folder / "runs", "--port", port]
    given = {**NO_PROXIES, "TMPDIR": str(folder / "temporary"), "GRADIO_TEMP_DIR": None, **variables}
    return Program(folder, command, port, **given)


@pytest.mark.slow
def test_a_proxy_in_the_environment_keeps_no_server_from_starting(tmp_path: Path) -> None:
    program = started(tmp_path, http_proxy=NOWHERE, ALL_PROXY=f"socks5://{NOWHERE}")
    try:
        assert "Paints-UNDO" in program.page()
        assert "the proxy in ALL_PROXY is not used" in program.words()
        assert "the proxy in http_proxy" not in program.words()
    finally:
        program.stop(signal.SIGKILL)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets these proxies and no others."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "no_proxy", "NO_PROXY"):  # to be as before at the end
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def given(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return given


def through(address: str) -> bool:
    """Whether a request to it goes through a proxy."""
    with httpx.Client() as client:
        return client._transport_for_url(httpx.URL(address)) is not client._transport


OWN = ("http://127.0.0.1:7860", "http://localhost:7860", "http://[::1]:7860", "https://127.0.0.1:1")


def test_only_this_computer_is_spared(proxies: Callable[..., None]) -> None:
    proxies(HTTPS_PROXY=f"http://{NOWHERE}", http_proxy=NOWHERE, NO_PROXY="intranet.example, 10.0.0.1")
    spare_loopback()
    spare_loopback()
    assert [through(address) for address in OWN] == [False] * 4
    assert through("https://hub.example") and through("http://hub.example")
    assert not through("https://intranet.example") and not through("http://10.0.0.1")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intranet.example,10.0.0.1,127.0.0.1,localhost,::1"


def test_a_proxy_of_an_unknown_kind_is_not_used(proxies: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    proxies(http_proxy=f"http://{NOWHERE}", ALL_PROXY=f"socks://{NOWHERE}")
    spare_loopback()
    assert "the proxy in ALL_PROXY is not used" in caplog.text and "ALL_PROXY" not in os.environ
    assert not any(map(through, OWN)) and through("http://hub.example")


def test_without_a_proxy_and_with_no_need_for_one_nothing_is_set(proxies: Callable[..., None]) -> None:
    spare_loopback()
    assert "no_proxy" not in os.environ and "NO_PROXY" not in os.environ
    proxies(http_proxy=NOWHERE, no_proxy="*")
    spare_loopback()
    assert os.environ["no_proxy"] == "*" and not through("http://hub.example")


def test_the_proxy_of_the_system_is_kept_for_downloads(
    proxies: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = {"http": f"http://{NOWHERE}", "https": f"http://{NOWHERE}"}
    with monkeypatch.context() as windows:
        windows.setattr("urllib.request.getproxies", lambda: system)
        spare_loopback()
    assert not any(map(through, OWN)) and through("https://hub.example")


@pytest.mark.parametrize("given", ["0", "-1", "70000", "x", "7860.5", "", "²"])
def test_what_is_no_port_is_said(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        gradio_app._arguments([f"--port={given}"])
    assert stopped.value.code == 2
    assert f"{given!r} is no port: give a number from 1 to 65535, or leave it out" in capsys.readouterr().err


def test_a_port_that_may_not_be_used_is_not_told_as_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refused)
    assert gradio_app.main(["--port", "80", "--out", str(tmp_path)]) == 2
    said = "gradio_app.py: port 80 cannot be used (permission denied); choose one from 1024 on with --port\n"
    assert capsys.readouterr().err.endswith(said)


def test_a_port_that_is_taken_at_another_address_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        port = other.getsockname()[1]
        assert gradio_app.main(["--listen", "--port", str(port), "--out", str(tmp_path)]) == 2
    assert f"port {port} is taken; choose another one with --port" in capsys.readouterr().err


def test_all_ports_are_told_as_taken_only_when_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "TRY_NUM_PORTS", 2)
    first = free_port()
    monkeypatch.setattr(starting, "INITIAL_PORT_VALUE", first)
    starting.check_any_port("127.0.0.1")
    monkeypatch.setattr(starting, "TRY_NUM_PORTS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        with pytest.raises(InputError, match=f"all ports from {first} to {first} are taken"):
            starting.check_any_port("127.0.0.1")
    assert INITIAL_PORT_VALUE == 7860


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (PermissionError(13, "Permission denied", "/tmp/x"), "[Errno 13] Permission denied: '/tmp/x'"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (OSError("Cannot find empty port in range: 1-1."), "what is said above kept it from that"),
    ],
)
def test_another_cause_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: OSError, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("gradio.Blocks.launch", fail)
    assert gradio_app.main(["--port", str(free_port()), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith(f"gradio_app.py: the server could not start: {said}\n")


@pytest.mark.slow
def test_a_temporary_folder_of_somebody_else_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "temporary" / "gradio").write_text("nothing can be made in here, as in a folder of another user")
    first, second = started(tmp_path), started(tmp_path)
    try:
        assert "Paints-UNDO" in first.page() and "Paints-UNDO" in second.page()
        folders = list((tmp_path / "temporary").glob("paints-undo-*"))
        assert len(folders) == 2 and {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
        with httpx.Client(trust_env=False) as client:
            files = {"files": ("a.png", b"the same in both")}
            places = [
                Path(client.post(f"{each.address}gradio_api/upload", files=files).json()[0]) for each in (first, second)
            ]
        assert {place.parent.parent for place in places} == set(folders)
        second.stop(signal.SIGINT)
        assert [place.exists() for place in places] == [True, False] and not places[1].parent.parent.exists()
        first.stop(signal.SIGKILL)
        third = started(tmp_path)
        third.page()
        third.stop(signal.SIGINT)
        assert not list((tmp_path / "temporary").glob("paints-undo-*")), "what a killed one left is gone, too"
    finally:
        for each in (first, second):
            each.process.kill()


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_at_all() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    place = tmp_path / "file"
    place.write_text("in the place of a folder")
    remedy = "set TMPDIR or GRADIO_TEMP_DIR to a folder of your own"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(place / "x"))
    assert gradio_app.main(["--out", str(tmp_path)]) == 2
    said = f"gradio_app.py: uploads cannot be kept in {place / 'x'} (not a directory): {remedy}\n"
    assert capsys.readouterr().err.endswith(said)
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setattr("tempfile.gettempdir", none_at_all)
    assert gradio_app.main(["--out", str(tmp_path)]) == 2
    said = (
        f"uploads cannot be kept in the temporary folder (no usable temporary directory found in ['/tmp']): {remedy}\n"
    )
    assert capsys.readouterr().err.endswith(said)
