"""A signup app: sends sign-ups to tenantry, receives events about tenants, and polls if no event arrives.

    python3 signup_app.py serve                                              receive events on a webhook
    python3 signup_app.py signup order-1001 northwind "Northwind" dedicated  send a sign-up
    python3 signup_app.py wait northwind                                     poll until the operation has ended

Settings are environment variables; ../README.md describes them. Without settings, the app works with `tenantry local`
on the same machine and needs only Python's standard library.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import webhook

QUEUE = "tenant-requests"
SETTLED = {"active", "suspended", "waiting", "failed", "deleted"}


class NotTaken(Exception):
    """It is unknown whether the request arrived. The app can send it again: its id makes it the same request."""


class Refused(Exception):
    """tenantry has refused the request permanently. `faults` has a line for each fault."""

    def __init__(self, answer: dict[str, Any]):
        super().__init__(answer.get("code", "refused"))
        self.faults = [
            f"{fault['pointer']} {fault['code']}: {fault['message']}" for fault in answer.get("faults", [])
        ]


def new_signup(order: str, tenant: str, display_name: str, tier: str) -> dict[str, Any]:
    """Returns a sign-up request. The order's number is its id, so an order that is sent twice is one sign-up."""
    return {
        "schema": "tenantry.request/1",
        "requestId": order,
        "action": "signup",
        "tenantId": tenant,
        "spec": {"displayName": display_name, "tier": tier},
    }


def queue_message(request: dict[str, Any]):
    """Returns the request as a message. The session keeps a tenant's requests in order; the message id lets the broker
    drop repeats."""
    from azure.servicebus import ServiceBusMessage

    return ServiceBusMessage(
        json.dumps(request).encode(),
        session_id=request["tenantId"],
        message_id=request["requestId"],
        content_type="application/json",
    )


def queue_client():
    """Returns a client of Service Bus, with the identity of this app, which has the role Azure Service Bus Data Sender
    on the queue; or a client of Microsoft's emulator, which has no identities; or None if neither is configured."""
    if namespace := os.environ.get("SERVICEBUS_NAMESPACE"):
        from azure.identity import DefaultAzureCredential
        from azure.servicebus import ServiceBusClient

        return ServiceBusClient(namespace, DefaultAzureCredential())
    if emulator := os.environ.get("SERVICEBUS_EMULATOR"):
        from azure.servicebus import ServiceBusClient

        return ServiceBusClient.from_connection_string(emulator)
    return None


def send_to_queue(request: dict[str, Any], client) -> None:
    from azure.servicebus.exceptions import ServiceBusError

    try:
        with client, client.get_queue_sender(QUEUE) as sender:
            sender.send_messages(queue_message(request))
    except ServiceBusError as error:
        raise NotTaken(f"the queue has not taken it: {error}") from error


def call_tenantry(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Calls tenantry's HTTP functions."""
    url = os.environ.get("TENANTRY_URL", "http://127.0.0.1:7071").rstrip("/") + path
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("TENANTRY_KEY"):
        headers["x-functions-key"] = key
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.headers.get_content_type() == "application/problem+json" and error.code < 500:
            raise Refused(json.load(error)) from error
        raise NotTaken(f"{url} answered HTTP {error.code}") from error
    except (OSError, ValueError) as error:
        raise NotTaken(f"{url} can't be called: {error}") from error


def sign_up(order: str, tenant: str, display_name: str, tier: str) -> None:
    """Sends a sign-up: to the queue if one is configured, and then events report the result; otherwise over HTTP."""
    request = new_signup(order, tenant, display_name, tier)
    if client := queue_client():
        send_to_queue(request, client)
        print(f"sent: tenant {tenant}", flush=True)
    else:
        answer = call_tenantry("POST", "/api/tenants", request)
        print(f"{answer['decision']}: tenant {answer['tenantId']}, operation {answer['operationId']}", flush=True)


def wait_for(tenant: str) -> None:
    """Polls until the tenant's operation has ended. Use it only if no event arrives: events are faster and cheaper."""
    pause = 0.5
    while True:
        try:
            seen = call_tenantry("GET", f"/api/tenants/{tenant}")
        except NotTaken as error:
            print(f"{error}; asked again", file=sys.stderr)
            seen = {}
        if seen.get("status") in SETTLED:
            print(f"{tenant} is {seen['status']} {seen.get('outputs', {}).get('endpointUrl', '')}", flush=True)
            return
        time.sleep(pause)
        pause = min(pause * 2, 30)


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["serve"]:
                webhook.serve(os.environ)
            case ["signup", order, tenant, display_name, tier]:
                sign_up(order, tenant, display_name, tier)
            case ["wait", tenant]:
                wait_for(tenant)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Refused as refusal:
        print(f"refused: {refusal}", *refusal.faults, sep="\n  ", file=sys.stderr)
        return 1
    except (NotTaken, webhook.BadSetting) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
