#!/usr/bin/env node
// The Node program of Smart AIPI's announcement of its WebSocket API. Only the connection is
// another: no key, no handshake, no package; a half-close stands for "no more requests".
import net from "node:net";

const ws = net.connect(
  process.env.HOTLINE_SOCKET || `${process.env.XDG_RUNTIME_DIR}/hotline.sock`);

ws.on("connect", () => {
  ws.end(JSON.stringify({
    type: "response.create",
    response: {
      model: "gpt-5.3-codex",
      store: false,
      input: [{
        type: "message",
        role: "user",
        content: [{ type: "input_text", text: "Hello!" }],
      }],
    },
  }) + "\n");
});

let partial = "";
ws.setEncoding("utf8").on("data", (chunk) => {
  const lines = (partial + chunk).split("\n");
  partial = lines.pop();
  for (const line of lines) ws.emit("message", line);
});

ws.on("message", (data) => {
  const event = JSON.parse(data);

  if (event.type === "response.output_text.delta") {
    process.stdout.write(event.delta);
  }

  if (event.type === "response.completed") {
    console.log("\n\nDone. Usage:", event.response.usage);
    ws.destroy();
  }
});
