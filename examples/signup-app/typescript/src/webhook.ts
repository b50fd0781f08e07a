/** The webhook of an Event Grid subscription: it saves each event in a file before it answers. */
import { createHash, timingSafeEqual } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { BlockList, isIPv4 } from "node:net";

const MOST_BYTES = 1 << 20;
const VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent";

/** A setting with which the webhook must not start. */
export class BadSetting extends Error {}

/** The body is neither a CloudEvent 1.0 nor a batch of them. */
class NotEvents extends Error {}

/** A CloudEvent 1.0, with the extensions of tenantry that this app uses. Other attributes are ignored. */
export interface CloudEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  tenantid?: string;
  correlationid?: string;
  sequence?: string;
  data?: {
    status?: string;
    outputs?: { endpointUrl?: string };
    error?: { message: string; nextAction: string };
    code?: string;
    reasons?: { pointer: string; message: string }[];
  };
}

interface Tenant {
  sequence: string;
  status: string;
  endpoint?: string | undefined;
}

/** The received events, one a line in a file: each event once, and for each tenant the content of its newest event. */
export class Notes {
  readonly tenants = new Map<string, Tenant>();
  private readonly seen = new Set<string>();
  private readonly file: number;

  constructor(path: string) {
    if (existsSync(path)) {
      const bytes = readFileSync(path);
      // An event whose line a crash has cut off was never answered, so Event Grid delivers it again.
      const whole = bytes.lastIndexOf("\n") + 1;
      truncateSync(path, whole);
      const lines = bytes.toString("utf8", 0, whole).split("\n").filter(Boolean);
      for (const line of lines) this.apply(JSON.parse(line) as CloudEvent);
    }
    this.file = openSync(path, "a");
  }

  /** Records all events or none, durably, and returns a line about each new one. */
  take(events: CloudEvent[]): string[] {
    const news = events.filter((event) => !this.seen.has(keyOf(event)));
    const length = fstatSync(this.file).size;
    try {
      appendFileSync(this.file, news.map((event) => JSON.stringify(event) + "\n").join(""));
      fsyncSync(this.file);
    } catch (error) {
      // An incomplete line would corrupt the next one.
      ftruncateSync(this.file, length);
      throw error;
    }
    return events.flatMap((event) => this.apply(event));
  }

  private apply(event: CloudEvent): string[] {
    if (this.seen.has(keyOf(event))) return [`again: ${event.id}`];
    this.seen.add(keyOf(event));
    const kind = event.type.replace(/^io\.tenantry\./, "").replace(/\.v1$/, "");
    const { status, outputs, error, code, reasons } = event.data ?? {};
    if (kind === "tenant.request.rejected" || kind === "message.rejected") {
      // A refusal is not part of a tenant's sequence: the tenant, if there is one, is unchanged.
      const faults = (reasons ?? []).map((fault) => `${fault.pointer} ${fault.message}`).join("; ");
      return [`refused: ${event.correlationid} ${code}: ${faults}`];
    }
    // The type of the event is newer than this program.
    if (typeof status !== "string" || typeof event.sequence !== "string") return [`noted: ${kind}`];
    const before = this.tenants.get(event.source);
    if (before && before.sequence >= event.sequence) return [`late: ${event.id} ${kind}`];
    const endpoint = outputs?.endpointUrl ?? before?.endpoint;
    this.tenants.set(event.source, { sequence: event.sequence, status, endpoint });
    const next = error ? `: ${error.message} Next: ${error.nextAction}` : "";
    const lines = [`${event.tenantid} is ${status}${next}`];
    // The customer is informed once: here by a line, in production by a mail that is sent from the saved events.
    if (kind === "tenant.provision.succeeded") lines.push(`welcome ${event.tenantid}: ${endpoint}`);
    return lines;
  }
}

/** The key of an event: its id is unique only within its source. */
function keyOf(event: CloudEvent): string {
  return JSON.stringify([event.source, event.id]);
}

/** Returns the events of a body with one event or a batch. Unknown members are ignored. */
function eventsIn(parsed: unknown): CloudEvent[] {
  const events = (Array.isArray(parsed) ? parsed : [parsed]) as Partial<CloudEvent>[];
  const isEvent = (event: Partial<CloudEvent> | null) =>
    event?.specversion === "1.0" &&
    [event.id, event.source, event.type].every((attribute) => typeof attribute === "string");
  if (!events.every(isEvent)) throw new NotEvents("not CloudEvents 1.0");
  return events as CloudEvent[];
}

/** Returns the validation code, if the body is the handshake of Event Grid's own schema: an array with one event. */
function validationCode(parsed: unknown): string | undefined {
  const first = (Array.isArray(parsed) ? parsed[0] : undefined) as
    | { eventType?: string; data?: { validationCode?: string } }
    | undefined;
  return first?.eventType === VALIDATION ? first.data?.validationCode : undefined;
}

/** Reads a body; returns `undefined` if it is longer than `MOST_BYTES`. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new NotEvents(`no JSON: ${String(error)}`);
  }
}

/** Whether the key in the address is valid. During a rotation two keys are valid, the old one and the new one. */
function hasKey(url: URL, keys: string[]): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const given = digest(url.searchParams.get("code") ?? "");
  const same = keys.map((key) => timingSafeEqual(digest(key), given));
  return keys.length === 0 || same.includes(true);
}

function answer(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(body === undefined ? "" : JSON.stringify(body));
}

/** Runs the webhook until the process is stopped. */
export async function serve(settings: NodeJS.ProcessEnv): Promise<void> {
  const [host, port] = (settings.WEBHOOK_LISTEN ?? "127.0.0.1:8090").split(":");
  const keys = (settings.WEBHOOK_KEY ?? "").split(",").filter(Boolean);
  const origin = settings.WEBHOOK_ORIGIN ?? "eventgrid.azure.net";
  if (!host || !isIPv4(host) || !port || !/^\d+$/.test(port)) {
    throw new BadSetting("WEBHOOK_LISTEN is an IPv4 address and a port, such as 127.0.0.1:8090");
  }
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8);
  if (keys.length === 0 && !loopback.check(host)) {
    throw new BadSetting(`WEBHOOK_KEY is not set: without it only this machine may be listened to, not ${host}`);
  }
  const notes = new Notes(settings.SIGNUPS_FILE ?? "signups.jsonl");

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://webhook");
    // The handshake does not authenticate the sender; the key in the address does.
    if (url.pathname !== "/events" || !hasKey(url, keys)) return answer(response, 401);
    if (request.method === "OPTIONS") {
      // The handshake of CloudEvents: allows the one expected origin to send events, never `*`.
      if (request.headers["webhook-request-origin"] !== origin) return answer(response, 403);
      response.setHeader("WebHook-Allowed-Origin", origin);
      response.setHeader("WebHook-Allowed-Rate", "120");
      response.setHeader("Allow", "POST");
      return answer(response, 200);
    }
    if (request.method !== "POST") return answer(response, 405);
    const body = await read(request);
    if (body === undefined) return answer(response, 413);
    try {
      const parsed = parse(body);
      const code = validationCode(parsed);
      if (code !== undefined) return answer(response, 200, { validationResponse: code });
      for (const line of notes.take(eventsIn(parsed))) console.log(line);
      answer(response, 200);
    } catch (error) {
      if (error instanceof NotEvents) return answer(response, 400, { error: error.message });
      console.error(`not noted, so asked for again: ${String(error)}`);
      answer(response, 503);
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(String(error));
      response.destroy();
    });
  });
  await new Promise<void>((listening, failed) => {
    server.once("error", failed).listen(Number(port), host, listening);
  });
  const address = server.address();
  const actual = typeof address === "object" && address ? address.port : port;
  console.log(`listening on http://${host}:${actual}/events`);
}
