/** Handing a request to the Service Bus queue. */
import type { ServiceBusClient, ServiceBusMessage } from "@azure/service-bus";

import type { SignupRequest } from "./main.js";

const QUEUE = "tenant-requests";

/** Nobody knows whether the request arrived. It may be sent again as it is: its id makes the repeat the same. */
export class NotTaken extends Error {}

/** The request as a message: requests of a tenant keep their order, and the broker drops a repeat at once. */
function queueMessage(request: SignupRequest): ServiceBusMessage {
  return {
    body: request,
    contentType: "application/json",
    messageId: request.requestId,
    sessionId: request.tenantId,
  };
}

/**
 * Service Bus with the identity of this app, which has the role Azure Service Bus Data Sender on the queue; or Microsoft's
 * emulator, which knows no identities. Nothing if there is neither.
 */
export async function queueClient(settings: NodeJS.ProcessEnv): Promise<ServiceBusClient | undefined> {
  const { SERVICEBUS_NAMESPACE: namespace, SERVICEBUS_EMULATOR: emulator } = settings;
  if (!namespace && !emulator) return undefined;
  // Only here, so that nothing of Azure is loaded on a laptop.
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
