/**
 * A signup app: sends sign-ups to tenantry, receives events about tenants, and polls if no event arrives.
 *
 *     node dist/main.js serve                                              receive events on a webhook
 *     node dist/main.js signup order-1001 northwind "Northwind" dedicated  send a sign-up
 *     node dist/main.js wait northwind                                     poll until the operation has ended
 *
 * Settings are environment variables; ../../README.md describes them. Without settings, the app works with
 * `tenantry local` on the same machine.
 */
import { setTimeout as pause } from "node:timers/promises";

import { NotTaken, queueClient, sendToQueue } from "./queue.js";
import { BadSetting, serve } from "./webhook.js";

const USAGE = 'usage: serve | signup ORDER TENANT "DISPLAY NAME" TIER | wait TENANT';
const SETTLED = ["active", "suspended", "waiting", "failed", "deleted"];

export interface SignupRequest {
  schema: "tenantry.request/1";
  /** The idempotency key. */
  requestId: string;
  action: "signup";
  tenantId: string;
  spec: { displayName: string; tier: string };
}

interface Fault {
  pointer: string;
  code: string;
  message: string;
}

/** The answer of tenantry to a request. A refusal has a code and all its faults. */
interface Answer {
  decision: "accepted" | "rejected" | "planned";
  tenantId?: string;
  operationId?: string;
  code?: string;
  faults?: Fault[];
}

interface Tenant {
  status: string;
  outputs?: { endpointUrl?: string };
}

/** tenantry has refused the request permanently. */
class Refused extends Error {
  constructor(readonly answer: Answer) {
    super(`refused: ${answer.code ?? "no code"}`);
  }
}

/** Returns a sign-up request. The order's number is its id, so an order that is sent twice is one sign-up. */
function newSignup(order: string, tenantId: string, displayName: string, tier: string): SignupRequest {
  return { schema: "tenantry.request/1", requestId: order, action: "signup", tenantId, spec: { displayName, tier } };
}

/** Calls tenantry's HTTP functions. */
async function callTenantry<T>(method: string, path: string, body?: unknown): Promise<T> {
  const url = (process.env.TENANTRY_URL ?? "http://127.0.0.1:7071").replace(/\/$/, "") + path;
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (process.env.TENANTRY_KEY) headers["x-functions-key"] = process.env.TENANTRY_KEY;
  const request: RequestInit = { method, headers, signal: AbortSignal.timeout(60_000) };
  if (body !== undefined) request.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(url, request);
  } catch (error) {
    throw new NotTaken(`${url} can't be called: ${String(error)}`);
  }
  const isProblem = answer.headers.get("content-type")?.startsWith("application/problem+json");
  if (answer.status < 500 && isProblem) throw new Refused((await answer.json()) as Answer);
  if (!answer.ok) throw new NotTaken(`${url} answered HTTP ${answer.status}`);
  return (await answer.json()) as T;
}

/** Sends a sign-up: to the queue if one is configured, and then events report the result; otherwise over HTTP. */
async function signUp(order: string, tenantId: string, displayName: string, tier: string): Promise<void> {
  const request = newSignup(order, tenantId, displayName, tier);
  const client = await queueClient(process.env);
  if (client) {
    await sendToQueue(request, client);
    console.log(`sent: tenant ${tenantId}`);
  } else {
    const answer = await callTenantry<Answer>("POST", "/api/tenants", request);
    console.log(`${answer.decision}: tenant ${answer.tenantId}, operation ${answer.operationId}`);
  }
}

/** Polls until the tenant's operation has ended. Use it only if no event arrives: events are faster and cheaper. */
async function waitFor(tenantId: string): Promise<void> {
  for (let seconds = 0.5; ; seconds = Math.min(seconds * 2, 30)) {
    try {
      const tenant = await callTenantry<Tenant>("GET", `/api/tenants/${tenantId}`);
      if (SETTLED.includes(tenant.status)) {
        console.log(`${tenantId} is ${tenant.status} ${tenant.outputs?.endpointUrl ?? ""}`);
        return;
      }
    } catch (error) {
      if (!(error instanceof NotTaken)) throw error;
      console.error(`${error.message}; asked again`);
    }
    await pause(seconds * 1000);
  }
}

async function main([command, ...rest]: string[]): Promise<number> {
  try {
    const [first, second, third, fourth] = rest;
    if (command === "serve" && rest.length === 0) {
      await serve(process.env);
    } else if (command === "signup" && rest.length === 4) {
      await signUp(first!, second!, third!, fourth!);
    } else if (command === "wait" && rest.length === 1) {
      await waitFor(first!);
    } else {
      console.error(USAGE);
      return 2;
    }
    return 0;
  } catch (error) {
    if (error instanceof Refused) {
      console.error(error.message);
      for (const fault of error.answer.faults ?? []) {
        console.error(`  ${fault.pointer} ${fault.code}: ${fault.message}`);
      }
      return 1;
    }
    if (!(error instanceof NotTaken || error instanceof BadSetting)) throw error;
    console.error(error.message);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
