"""Potato and Label Studio as they are: started on this machine, rated in over HTTP as a browser would."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.annotate.scripted import Opinions

#: Seconds a server may take to answer: Label Studio makes its database first.
PATIENCE = 600
LOOPBACK, SECRET = "127.0.0.1", "correct-horse-1"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
QUIET = {"COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "", "LATEST_VERSION_CHECK": "false"}


@contextmanager
def serving(command: list[str], folder: Path, port: int, log: Path, env: dict[str, str]) -> Iterator[str]:
    """Run a server until it answers, and end it; its address is yielded."""
    address = f"http://{LOOPBACK}:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env={**os.environ, **env})
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}")
            try:
                requests.get(f"{address}/health", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.5)
        else:
            raise RuntimeError(f"{command[0]} does not answer: {log.read_text()[-2000:]}")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return int(s.getsockname()[1])


def rate_in_potato(address: str, rater: str, opinions: Opinions) -> list[str]:
    """Go through Potato's pages as one rater: consent, a block, questions; return the items it showed, in order."""
    session, items = requests.Session(), []
    session.get(address, params={"PROLIFIC_PID": rater, "STUDY_ID": "study", "SESSION_ID": "session"})
    for _ in range(200):
        page = session.get(address).text
        schemes = re.findall(r'<form[^>]*data-schema-name="([^"]*)"', page)
        if not schemes:
            assert "PUT-YOUR-COMPLETION-CODE-HERE" in page
            return items
        shown = re.search(r'id="instance_id"[^>]*value="([^"]*)"', page) if "is_annotation_page: true" in page else None
        item = shown[1] if shown else "__phase_page__"
        if shown:
            items.append(item)
            answers = {d: opinions.level(rater, item, d) for d in schemes}
            if len(items) == 1:  # a change of mind: what was clicked first must not come back
                first = {d: next(v for v in opinions.form.levels if v != answers[d]) for d in schemes}
                _save(session, address, item, first)
        elif schemes == ["consent"]:
            answers = {"consent": "yes"}
        else:
            answers = {axis: opinions.about(rater, axis) for axis in schemes}
        _save(session, address, item, answers)
        if shown:
            session.post(f"{address}/annotate", json={"action": "next_instance", "instance_id": item})
        else:
            session.post(address)
    raise RuntimeError("Potato shows pages without end")


def _save(session: requests.Session, address: str, item: str, answers: dict[str, str]) -> None:
    body = {"instance_id": item, "annotations": {f"{k}:{v}": v for k, v in answers.items()}}
    body |= {"cleared_schemas": [], "span_annotations": [], "client_timestamp": "2026-12-01T00:00:00Z"}
    done = session.post(f"{address}/updateinstance", json=body)
    assert done.ok, done.text


def set_up_label_studio(address: str, folder: Path) -> dict[str, int]:
    """Make the projects as the printed commands do; return the number of each by name."""
    head, out = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}, {}
    for path in sorted(folder.glob("project_*.json")):
        name = path.stem.removeprefix("project_")
        made = requests.post(f"{address}/api/projects", data=path.read_bytes(), headers=head)
        assert made.status_code == 201, made.text
        out[name] = int(made.json()["id"])
        tasks = (folder / f"tasks_{name}.json").read_bytes()
        added = requests.post(f"{address}/api/projects/{out[name]}/import", data=tasks, headers=head)
        assert added.status_code == 201, added.text
    return out


def rate_in_label_studio(
    address: str, rater: str, opinions: Opinions, projects: dict[str, int], block: str
) -> list[str]:
    """Sign up as a rater, rate one block and answer the questions; return the items that were shown, in order."""
    session, items = requests.Session(), []
    session.get(f"{address}/user/signup")
    head = {"Referer": f"{address}/user/signup"}
    form = {"email": rater, "password": SECRET, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert session.post(f"{address}/user/signup", data=form, headers=head).ok
    for name in (block, "about_you"):
        while (shown := session.get(f"{address}/api/projects/{projects[name]}/next")).status_code == 200:
            task = shown.json()
            item = task["data"]["item_id"]
            if name == "about_you":
                answers = {axis: ("text", opinions.about(rater, axis)) for axis in opinions.form.axes}
            else:
                items.append(item)
                answers = {d: ("response", opinions.level(rater, item, d)) for d in opinions.manifest.dimensions}
            result = [
                {"from_name": k, "to_name": to, "type": "choices", "value": {"choices": [v]}}
                for k, (to, v) in answers.items()
            ]
            head = {"Referer": address, "X-CSRFToken": session.cookies["csrftoken"]}
            body = {"result": result, "lead_time": 4.2}
            done = session.post(f"{address}/api/tasks/{task['id']}/annotations", json=body, headers=head)
            assert done.status_code == 201, done.text
    return items


def export_label_studio(address: str, projects: dict[str, int], to: Path) -> None:
    """Save the export of every project, and the users, into a folder."""
    to.mkdir()
    head = {"Authorization": f"Token {TOKEN}"}
    calls: dict[str, Any] = {n: f"projects/{k}/export?exportType=JSON" for n, k in projects.items()}
    for name, call in {**calls, "users": "users"}.items():
        done = requests.get(f"{address}/api/{call}", headers=head)
        assert done.ok, done.text
        (to / f"{name}.json").write_text(json.dumps(done.json(), indent=1, ensure_ascii=False))
