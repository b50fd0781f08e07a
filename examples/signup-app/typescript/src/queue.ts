/** Handing a request to the Service Bus queue. */
import type { ServiceBusMessage } from "@azure/service-bus";

import type { SignupRequest } from "./main.js";

const QUEUE = "tenant-requests";

/** Nobody knows whether the request arrived. It may be sent again as it is: its id makes the repeat the same. */
export class NotTaken extends Error {}

/** The request as a message: requests of a tenant keep their order, and the broker drops a repeat at once. */
export function queueMessage(request: SignupRequest): ServiceBusMessage {
  return {
    body: request,
    contentType: "application/json",
    messageId: request.requestId,
    sessionId: request.tenantId,
  };
}

/** Sends with the identity of this app, which has the role Azure Service Bus Data Sender on the queue. */
export async function sendToQueue(request: SignupRequest, namespace: string): Promise<void> {
  // Only here, so that nothing of Azure is loaded on a laptop.
  const { DefaultAzureCredential } = await import("@azure/identity");
  const { ServiceBusClient } = await import("@azure/service-bus");
  const client = new ServiceBusClient(namespace, new DefaultAzureCredential());
  try {
    await client.createSender(QUEUE).sendMessages(queueMessage(request));
  } catch (error) {
    throw new NotTaken(`the queue has not taken it: ${String(error)}`);
  } finally {
    await client.close();
  }
}
