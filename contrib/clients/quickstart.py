#!/usr/bin/env python3
# The Python program of Smart AIPI's announcement of its WebSocket API. Only the connection is
# another: no key, no handshake, no package; a half-close stands for "no more requests".
import asyncio
import json
import os


async def main():
    path = os.environ.get("HOTLINE_SOCKET") or os.environ["XDG_RUNTIME_DIR"] + "/hotline.sock"
    messages, ws = await asyncio.open_unix_connection(path, limit=1 << 28)
    ws.write(json.dumps({
        "type": "response.create",
        "response": {
            "model": "gpt-5.3-codex",
            "store": False,
            "input": [{
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hello!"}],
            }],
        },
    }).encode() + b"\n")
    ws.write_eof()

    async for message in messages:
        event = json.loads(message)
        if event["type"] == "response.output_text.delta":
            print(event["delta"], end="", flush=True)
        if event["type"] == "response.completed":
            print(f"\n\nUsage: {event['response']['usage']}")
            break

asyncio.run(main())
