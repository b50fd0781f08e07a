import assert from "node:assert/strict";
import test from "node:test";

import type { ServiceBusSender } from "@azure/service-bus";

import { queueMessage } from "./queue.js";

test("a request is a message of its tenant's session, known by its id", async () => {
  const request = {
    schema: "tenantry.request/1",
    requestId: "order-1001",
    action: "signup",
    tenantId: "northwind",
    spec: { displayName: "Northwind", tier: "dedicated" },
  } as const;
  const sent: unknown[] = [];
  const sender: Pick<ServiceBusSender, "sendMessages"> = {
    sendMessages: async (message) => void sent.push(message),
  };
  await sender.sendMessages(queueMessage(request));
  assert.deepEqual(sent, [
    { body: request, contentType: "application/json", messageId: "order-1001", sessionId: "northwind" },
  ]);
});
