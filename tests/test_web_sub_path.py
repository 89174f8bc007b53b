"""The program below a path of another host, behind a reverse proxy: everything on the page goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from running_app import EVIL, GIRL, RunningApp
from small_proxy import SmallProxy

import gradio_app

PUBLIC = {"Host": "paint.example", "Origin": "https://paint.example"}
RIGHT = {"username": "ann", "password": "a good password"}
GUARDED = ("--root-path", "/paints", "--host-name", "paint.example", "--behind-proxy")


class Below(RunningApp):
    """A running app behind a proxy that the public knows as https://paint.example/paints/."""

    def __init__(self, out: Path, *arguments: str, strips: bool = True, keeps_host: bool = False) -> None:
        super().__init__(out, *GUARDED, *arguments)
        inside = self.client.base_url.port or 0
        self.proxy = SmallProxy(inside, strips, None if keeps_host else f"127.0.0.1:{inside}", "https")
        self.client.close()
        self.client = self.visitor()

    def visitor(self, **headers: str) -> httpx.Client:
        address = f"http://127.0.0.1:{self.proxy.port}/paints"
        return httpx.Client(base_url=address, timeout=30, headers={**PUBLIC, **headers})

    def close(self) -> None:
        super().close()
        self.proxy.close()


@pytest.fixture(scope="module", params=["nginx's defaults", "the whole path", "the own host", "both"])
def below(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Below]:
    strips = request.param in ("nginx's defaults", "the own host")
    keeps_host = request.param in ("the own host", "both")
    with Below(tmp_path_factory.mktemp("below") / "runs", strips=strips, keeps_host=keeps_host) as running:
        yield running


def test_the_page_and_what_it_loads_are_below_the_path(below: Below) -> None:
    page = below.client.get("/")
    assert page.status_code == 200 and '"root":"https://paint.example/paints"' in page.text
    assert below.client.get("/config").json()["root"] == "https://paint.example/paints"
    found = {part.split('"')[0] for part in page.text.split('"./')[1:]}
    assert any(name.endswith(".js") for name in found)
    for name in (*found, "theme.css", "manifest.json"):
        assert below.client.get(f"/{name}").status_code == 200, name


def test_a_run_is_made_and_its_files_are_there(below: Below) -> None:
    view = below.finished_run()
    for path in (view["video"], view["artwork"], view["frames"][0]):
        assert below.client.get(f"/gradio_api/file={path}").status_code == 200
    assert below.client.get(f"/gradio_api/file={view['video']}").content.startswith(b"\0\0\0")


def test_the_queue_tells_its_events(below: Below) -> None:
    call: dict[str, Any] = {"data": [None], "session_hash": "abc"}
    begun = below.client.post("/gradio_api/call/generate_prompt", json=call)
    told = below.client.get(f"/gradio_api/call/generate_prompt/{begun.json()['event_id']}").text
    assert "event: error" in told and "there is no picture yet" in told


def test_other_names_and_other_pages_stay_out(below: Below) -> None:
    assert below.client.post("/gradio_api/call/generate_prompt", json={}, headers=EVIL).status_code == 403
    asked = below.client.get("/config", headers={"Host": "evil.example"})
    assert asked.status_code == 421 or "evil.example" not in asked.text
    assert str(below.out.parent) not in json.dumps(below.client.get("/config").json())


@pytest.mark.parametrize("strips", [True, False])
def test_a_login_and_a_logout_below_the_path(tmp_path: Path, strips: bool) -> None:
    with Below(tmp_path / "runs", "--auth", "ann:a good password", strips=strips) as running:
        visitor = running.visitor(Accept="text/html")
        assert 'action="/paints/login"' in visitor.get("/").text and visitor.get("/config").status_code == 401
        assert visitor.post("/login", data={**RIGHT, "password": "x"}).status_code == 400
        answer = visitor.post("/login", data=RIGHT)
        assert answer.status_code == 303 and answer.headers["location"] == "/paints/"
        session = {"Cookie": "; ".join(each.split(";")[0] for each in answer.headers.get_list("set-cookie"))}
        assert visitor.get("/config", headers=session).json()["root"] == "https://paint.example/paints"
        assert 'action="/paints/logout"' in visitor.get("/logout", headers=session).text
        assert visitor.post("/logout", headers=session).headers["location"] == "/paints/"
        assert visitor.get("/config", headers=session).status_code == 401
        tried = [visitor.post("/login", data={**RIGHT, "password": "x"}).status_code for _ in range(12)]
        assert tried == [400] * 9 + [429] * 3
        assert not running.proxy.strayed


def test_a_program_speaks_to_it(tmp_path: Path) -> None:
    with RunningApp(tmp_path / "runs", "--root-path", "/paints/") as running:
        proxy = SmallProxy(running.client.base_url.port or 0)
        client = Client(f"http://127.0.0.1:{proxy.port}/paints/", verbose=False, analytics_enabled=False)
        assert client.predict(handle_file(str(GIRL)), api_name="/generate_prompt").startswith("1girl")
        drawn = client.predict(artwork=handle_file(str(GIRL)), prompt="x", width=256, height=320, sampling_steps=1,
                               operation_steps=[400], api_name="/generate_keyframes")  # fmt: skip
        assert Path(drawn[0]["image"]).is_file() and not proxy.strayed
        proxy.close()


@pytest.mark.parametrize(
    "given", ["paints", "/", "", "https://paint.example/paints", "/../x", "/a b", "//x", "/a/../b"]
)
def test_what_is_no_path_is_said(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gradio_app._arguments([f"--root-path={given}"])
    assert f"{given!r} is no path: write it as /paints, without the host" in capsys.readouterr().err


def test_how_names_and_proxies_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    options = gradio_app._arguments(["--host-name", "Paint.example", "--host-name", "[2001:DB8::1]", "--behind-proxy"])
    assert options.host_name == ["paint.example", "2001:db8::1"] and options.behind_proxy == "127.0.0.1,::1"
    for wrong in ("https://paint.example", "paint.example:8443", "paint.example/paints", "*", ""):
        with pytest.raises(SystemExit):
            gradio_app._arguments([f"--host-name={wrong}"])
        assert "is no name of a host" in capsys.readouterr().err
    for wrong in ("*", "proxy.example", "10.0.0.1,", "10.0.0.0/99"):
        with pytest.raises(SystemExit):
            gradio_app._arguments([f"--behind-proxy={wrong}"])
        assert "names no proxies" in capsys.readouterr().err
