"""``livewell serve``: it starts, says where, refuses what cannot be, and ends as other commands."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from livewell.cli import main
from livewell.errors import SpecError, StudyError
from livewell.study.study import Study
from livewell.web.addresses import checked_address, database_url, is_local, listening, names_of
from livewell.web.gate import known_host
from livewell.web.lock import only_server
from livewell.web.serving import ServeSettings, serve, server_of, site_for, warnings_of


def livewell(*words: object) -> Result:
    """``livewell`` in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@contextmanager
def running(study: Study, *words: object) -> Iterator[tuple["subprocess.Popen[str]", Any]]:
    """A server in a process of its own, and the object that it printed."""
    command = [sys.executable, "-m", "livewell", "serve", str(study.folder), *map(str, words)]
    with subprocess.Popen(
        [*command, "--no-browser", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = ""
            while not lines.endswith("}\n"):
                part = process.stdout.readline()
                assert part, process.stderr.read() if process.stderr else ""
                lines += part
            yield process, json.loads(lines)
        finally:
            process.kill()


@pytest.mark.long
def test_serve_says_where_and_ends_as_other_commands(own_study: Study) -> None:
    """One JSON object with the link, which works; a second server of the study is refused; SIGTERM
    ends it with 143, and the log is on disk."""
    with running(own_study) as (process, said):
        assert said["link"].startswith(said["address"] + "/open/")
        with urllib.request.urlopen(said["link"]) as answer:
            assert answer.status == 200
        second = livewell("serve", own_study.folder, "--no-browser", "--port", 0)
        assert second.exit_code == 2
        assert "served already" in second.stderr
        assert f"process {process.pid}" in second.stderr
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # who is impatient sees no traces either
        rest, errors = process.communicate(timeout=60)
        assert process.returncode == 143
        assert json.loads(rest)["error"] == "stopped"
        assert errors == "stopped; give the same command again to go on\n"
    log = (own_study.folder / "site" / "site.log").read_text()
    assert "GET /open/... 200" in log
    assert not (own_study.folder / "site" / "open.html").exists()


def test_killed_server_leaves_no_lock(own_study: Study) -> None:
    """Who was killed does not keep others from serving the study."""
    folder = own_study.folder / "site"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from livewell.web.lock import only_server\n"
        "with only_server(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert (folder / "serving.lock").read_text().startswith("process ")
    mine = pytest.raises(StudyError, match=f"process {os.getpid()}")
    with only_server(folder), mine, only_server(folder):
        pass


def test_port_in_use_is_said(own_study: Study) -> None:
    """A port that is taken is refused with one that is free; none is taken silently."""
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        made = livewell("serve", own_study.folder, "--no-browser", "--port", port)
    assert made.exit_code == 2
    assert f"port {port} cannot be used" in made.stderr
    assert "which is free now" in made.stderr
    made = livewell("serve", own_study.folder, "--no-browser", "--host", "203.0.113.7")
    assert made.exit_code == 2
    assert "cannot be used" in made.stderr or "no such address" in made.stderr


def test_what_cannot_be_served_is_said(tmp_path: Path, own_study: Study) -> None:
    """No study, no such owner, half a certificate, an address with a path: each in a sentence."""
    cases: dict[str, tuple[object, ...]] = {
        "study": (tmp_path / "none",),
        "belong together": (own_study.folder, "--certificate", "x.pem"),
        "certificate and key cannot be used": (
            own_study.folder,
            "--certificate",
            tmp_path / "x",
            "--certificate-key",
            tmp_path / "y",
        ),
        "no address of a site": (own_study.folder, "--url", "https://example.org/cells"),
        "name cannot be used": (own_study.folder, "--owner", "\n"),
        "not the address of a database": (own_study.folder, "--database", "mysql://u:geheim@h/n"),
    }
    for text, words in cases.items():
        made = livewell("serve", *words, "--no-browser", "--port", 0)
        assert made.exit_code == 2, text
        assert text in made.stderr, made.stderr
        assert "geheim" not in made.stderr + made.stdout


def test_warning_where_passwords_go_unencrypted(own_study: Study) -> None:
    """Beyond this machine without https there is a warning with ways out; else there is none."""
    for settings, count in (
        (ServeSettings(host="0.0.0.0"), 1),
        (ServeSettings(address="http://cells.example.org"), 1),
        (ServeSettings(address="https://cells.example.org"), 0),
        (ServeSettings(), 0),
    ):
        site = site_for(own_study, settings, 8321)
        told = warnings_of(site)
        assert len(told) == count
        assert all("ssh -L" in text and "--certificate" in text for text in told)
        site.close()


def test_names_that_browsers_may_use(own_study: Study) -> None:
    """On the network the machine's names and plain addresses are known, others are not; on one's
    own machine none but that of this machine."""
    site = site_for(own_study, ServeSettings(host="0.0.0.0"), 8321)
    for host in (socket.gethostname(), "10.1.2.3:8321", "[fe80::1]:8321", "localhost"):
        assert known_host(site, host), host
    for host in ("evil.example", "10.1.2.3.evil.example", ""):
        assert not known_host(site, host), host
    site.close()
    site = site_for(own_study, ServeSettings(address="https://Cells.Example.org"), 8321)
    assert known_host(site, "cells.example.org")
    site.close()
    assert names_of("127.0.0.1", "http://127.0.0.1:1", local=True) == (
        "127.0.0.1",
        "localhost",
        "::1",
    )
    assert [is_local(each) for each in ("localhost", "127.0.0.5", "::1", "0.0.0.0", "pc7")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "text",
    ["cells.example.org", "ftp://x", "https://", "https://u:p@x", "https://x/?a", "http://x:0"],
)
def test_addresses_that_are_none(text: str) -> None:
    """What browsers could not use as the site's address is refused."""
    with pytest.raises(SpecError, match="no address of a site"):
        checked_address(text)


def test_password_of_the_database_comes_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may stand in the environment or in PostgreSQL's password file (first fitting line)."""
    for name in ("LIVEWELL_DATABASE_PASSWORD", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pgpass"
    monkeypatch.setenv("PGPASSFILE", str(file))
    url = "postgresql://ada@db.example/cells"
    assert database_url(url).password is None
    file.write_text(
        "# comment\nother:5432:cells:ada:no\n*:5432:cells:ada:a\\:b\\\\c\n*:*:*:*:late\n"
    )
    assert database_url(url).password == "a:b\\c"
    monkeypatch.setenv("PGPASSWORD", "from the environment")
    assert database_url(url).password == "from the environment"
    assert database_url("postgresql://ada:typed@db/cells").password == "typed"
    assert database_url(f"sqlite:///{tmp_path}/x.sqlite").password is None


def test_browser_is_opened_by_a_file_for_its_owner(
    own_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link stands on no command line, only in a file that others cannot read, which goes."""
    opened: list[tuple[str, str, int]] = []

    def fake(address: str) -> bool:
        path = Path(address.removeprefix("file://"))
        opened.append((address, path.read_text(), path.stat().st_mode & 0o777))
        os.kill(os.getpid(), signal.SIGINT)
        return True

    monkeypatch.setattr("livewell.web.serving.webbrowser.open", fake)
    monkeypatch.setenv("DISPLAY", ":0")
    links: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        serve(own_study, ServeSettings(port=0), ready=lambda site: links.append(site.link))
    (address, text, mode), (link,) = opened[0], links
    assert link in text
    assert link.rpartition("/")[2] not in address
    assert mode == 0o600
    assert not (own_study.folder / "site" / "open.html").exists()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_https_with_a_certificate_of_ones_own(own_study: Study, tmp_path: Path) -> None:
    """With certificate and key the site speaks https, and its cookie is for https alone."""
    files = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(
        ["openssl", *words.split(), "-out", str(files[0]), "-keyout", str(files[1])],
        check=True,
        capture_output=True,
    )
    settings = ServeSettings(port=0, certificate=files[0], key=files[1])
    with listening("127.0.0.1", 0) as bound:
        site = site_for(own_study, settings, bound.getsockname()[1])
        listens = threading.Event()
        server = server_of(site, settings, listens.set)
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        assert listens.wait(60)
        trusted = ssl.create_default_context(cafile=str(files[0]))
        with urllib.request.urlopen(site.link, context=trusted) as answer:
            cookie = answer.headers["set-cookie"]
        server.should_exit = True
        thread.join(60)
        site.close()
    assert site.address.startswith("https://127.0.0.1:")
    assert cookie.startswith("__Host-livewell")
    assert "Secure" in cookie
