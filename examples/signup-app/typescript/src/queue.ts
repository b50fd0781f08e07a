/** Sends a request to the Service Bus queue. */
import type { ServiceBusClient, ServiceBusMessage } from "@azure/service-bus";

import type { SignupRequest } from "./main.js";

const QUEUE = "tenant-requests";

/** It is unknown whether the request arrived. The app can send it again unchanged: its id makes it the same request. */
export class NotTaken extends Error {}

/**
 * Returns the request as a message. The session keeps a tenant's requests in order; the message id lets the broker drop
 * repeats.
 */
function queueMessage(request: SignupRequest): ServiceBusMessage {
  return {
    body: request,
    contentType: "application/json",
    messageId: request.requestId,
    sessionId: request.tenantId,
  };
}

/**
 * Returns a client of Service Bus, with the identity of this app, which has the role Azure Service Bus Data Sender on
 * the queue; or a client of Microsoft's emulator, which has no identities; or `undefined` if neither is configured.
 */
export async function queueClient(settings: NodeJS.ProcessEnv): Promise<ServiceBusClient | undefined> {
  const { SERVICEBUS_NAMESPACE: namespace, SERVICEBUS_EMULATOR: emulator } = settings;
  if (!namespace && !emulator) return undefined;
  // Imported here, so that a laptop without these settings does not load Azure's packages.
  const { ServiceBusClient } = await import("@azure/service-bus");
  if (!namespace) return new ServiceBusClient(emulator!);
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new ServiceBusClient(namespace, new DefaultAzureCredential());
}

export async function sendToQueue(request: SignupRequest, client: ServiceBusClient): Promise<void> {
  try {
    await client.createSender(QUEUE).sendMessages(queueMessage(request));
  } catch (error) {
    throw new NotTaken(`the queue has not taken it: ${String(error)}`);
  } finally {
    await client.close();
  }
}
