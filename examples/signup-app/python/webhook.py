"""The webhook of an Event Grid subscription: it saves each event in a file before it answers."""

import hmac
import ipaddress
import json
import sqlite3
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MOST_BYTES = 1 << 20
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"


class BadSetting(Exception):
    """A setting with which the webhook must not start."""


class NotEvents(Exception):
    """The body is neither a CloudEvent 1.0 nor a batch of them."""


class Notes:
    """The received events, in one SQLite file: each event once, and for each tenant the content of its newest event."""

    def __init__(self, path: str):
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False)
        self._file.executescript(
            """PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS events (source TEXT, id TEXT, event TEXT, PRIMARY KEY (source, id));
            CREATE TABLE IF NOT EXISTS tenants (source TEXT PRIMARY KEY, sequence TEXT, status TEXT, endpoint TEXT);"""
        )

    def take(self, events: list[dict[str, Any]]) -> list[str]:
        """Records all events or none, durably, and returns a line about each new one."""
        with self._lock, self._file:
            return [line for event in events for line in self._take(event)]

    def _take(self, event: dict[str, Any]) -> list[str]:
        key = (event["source"], event["id"])
        noted = self._file.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", (*key, json.dumps(event)))
        if noted.rowcount == 0:
            return [f"again: {event['id']}"]
        kind = event["type"].removeprefix("io.tenantry.").removesuffix(".v1")
        data = event.get("data") if isinstance(event.get("data"), dict) else {}
        if kind in ("tenant.request.rejected", "message.rejected"):
            # A refusal is not part of a tenant's sequence: the tenant, if there is one, is unchanged.
            faults = "; ".join(f"{fault['pointer']} {fault['message']}" for fault in data.get("reasons", []))
            return [f"refused: {event.get('correlationid')} {data.get('code')}: {faults}"]
        status, sequence = data.get("status"), event.get("sequence")
        if not isinstance(status, str) or not isinstance(sequence, str):
            # The type of the event is newer than this program.
            return [f"noted: {kind}"]
        outputs = data.get("outputs") if isinstance(data.get("outputs"), dict) else {}
        endpoint = outputs.get("endpointUrl")
        newest = self._file.execute(
            """INSERT INTO tenants VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
            SET sequence = excluded.sequence, status = excluded.status,
                endpoint = coalesce(excluded.endpoint, endpoint)
            WHERE excluded.sequence > sequence""",
            (event["source"], sequence, status, endpoint),
        )
        if newest.rowcount == 0:
            return [f"late: {event['id']} {kind}"]
        lines = [f"{event.get('tenantid')} is {status}"]
        if isinstance(data.get("error"), dict):
            lines[0] += f": {data['error'].get('message')} Next: {data['error'].get('nextAction')}"
        if kind == "tenant.provision.succeeded":
            # The customer is informed once: here by a line, in production by a mail that is sent from the saved events.
            lines.append(f"welcome {event.get('tenantid')}: {endpoint}")
        return lines


def events_in(body: bytes) -> list[dict[str, Any]]:
    """Returns the events of a body with one event or a batch. Unknown members are ignored."""
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise NotEvents(f"no JSON: {error}") from error
    events = parsed if isinstance(parsed, list) else [parsed]
    for event in events:
        is_event = isinstance(event, dict) and event.get("specversion") == "1.0"
        if not is_event or not all(isinstance(event.get(name), str) for name in ("id", "source", "type")):
            raise NotEvents("not CloudEvents 1.0")
    return events


def validation_code(body: bytes) -> str | None:
    """Returns the validation code, if the body is the handshake of Event Grid's own schema: an array with one event."""
    try:
        match json.loads(body):
            case [{"eventType": kind, "data": {"validationCode": str(code)}}] if kind == VALIDATION:
                return code
    except ValueError:
        pass
    return None


class Webhook(BaseHTTPRequestHandler):
    notes: Notes
    keys: list[str]
    origin: str

    def do_OPTIONS(self) -> None:
        """The handshake of CloudEvents: allows the one expected origin to send events, never `*`."""
        if not self._has_key():
            self._answer(401)
        elif self.headers.get("WebHook-Request-Origin") != self.origin:
            self._answer(403)
        else:
            self._answer(200, **{"WebHook-Allowed-Origin": self.origin, "WebHook-Allowed-Rate": "120", "Allow": "POST"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            # The body was not read, so the connection can't be used for a further request.
            self.close_connection = True
            return self._answer(413 if length.isdigit() else 411)
        body = self.rfile.read(int(length))
        # The handshake does not authenticate the sender; the key in the address does.
        if not self._has_key():
            return self._answer(401)
        if code := validation_code(body):
            return self._answer(200, {"validationResponse": code})
        try:
            lines = self.notes.take(events_in(body))
        except NotEvents as error:
            return self._answer(400, {"error": str(error)})
        except sqlite3.Error as error:
            print(f"not noted, so asked for again: {error}", file=sys.stderr, flush=True)
            return self._answer(503)
        for line in lines:
            print(line, flush=True)
        self._answer(200)

    def _has_key(self) -> bool:
        url = urlsplit(self.path)
        given = parse_qs(url.query).get("code", [""])[0].encode()
        # During a rotation two keys are valid, the old one and the new one.
        known = not self.keys or any([hmac.compare_digest(given, key.encode()) for key in self.keys])
        return known and url.path == "/events"

    def _answer(self, status: int, body: dict[str, Any] | None = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Logs nothing, because a line per request would contain the key."""


def serve(settings: Mapping[str, str]) -> None:
    """Runs the webhook until the process is stopped."""
    host, _, port = settings.get("WEBHOOK_LISTEN", "127.0.0.1:8090").rpartition(":")
    Webhook.keys = [key for key in settings.get("WEBHOOK_KEY", "").split(",") if key]
    Webhook.origin = settings.get("WEBHOOK_ORIGIN", "eventgrid.azure.net")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
        address = (host, int(port))
    except ValueError as error:
        raise BadSetting(f"WEBHOOK_LISTEN is an IPv4 address and a port, such as 127.0.0.1:8090: {error}") from error
    if not Webhook.keys and not loopback:
        raise BadSetting(f"WEBHOOK_KEY is not set: without it only this machine may be listened to, not {host}")
    Webhook.notes = Notes(settings.get("SIGNUPS_FILE", "signups.db"))
    server = ThreadingHTTPServer(address, Webhook)
    print(f"listening on http://{host}:{server.server_port}/events", flush=True)
    server.serve_forever()
