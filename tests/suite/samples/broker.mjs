// A minimal AMQP broker to which Microsoft's SDKs can send: it accepts every token and prints each message as a line of
// JSON. It refuses an order whose id begins with `refuse`.
//
// It does not simulate Service Bus: it shows what the SDKs send.
import { createRequire } from "node:module";

const [packages] = process.argv.slice(2);
const rhea = createRequire(packages)("rhea");
const broker = rhea.create_container({ receiver_options: { autoaccept: false } });

/** Answers a link with its own source and target; the SDKs require that. */
function answer(link) {
  link.set_source(link.remote.attach.source ?? {});
  link.set_target(link.remote.attach.target ?? {});
}

broker.on("sender_open", ({ sender, connection }) => {
  answer(sender);
  connection.tokens = sender;
});
broker.on("receiver_open", ({ receiver }) => answer(receiver));
broker.on("message", ({ message, receiver, connection, delivery }) => {
  const address = receiver.remote.attach.target.address;
  if (address === "$cbs") {
    delivery.accept();
    const accepted = { "status-code": 202, "status-description": "Accepted" };
    const [to, correlation_id] = [message.reply_to, message.message_id];
    connection.tokens.send({ to, correlation_id, application_properties: accepted, body: "" });
    return;
  }
  if (String(message.message_id).startsWith("refuse")) {
    // Python's SDK reads the third part without checking that it exists.
    delivery.reject({ condition: "amqp:not-allowed", description: "not this one", info: { why: "test" } });
    return;
  }
  delivery.accept();
  const { group_id, message_id, content_type, body } = message;
  const text = Buffer.from(body.content).toString();
  console.log(JSON.stringify({ address, group_id, message_id, content_type, body: JSON.parse(text) }));
});
broker.on("disconnected", () => {});
broker.on("error", () => {});
const server = broker.listen({ port: 0, host: "127.0.0.1" });
server.on("listening", () => console.log(server.address().port));
