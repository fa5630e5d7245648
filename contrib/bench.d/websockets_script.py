#!/usr/bin/env python3
"""What a script with the websockets package does for each answer. URL and CA file are arguments."""
import asyncio
import json
import os
import ssl
import sys

import websockets


async def main(url, ca_file):
    headers = {"Authorization": f"Bearer {os.environ['HOTLINE_API_KEY']}"}
    trust = ssl.create_default_context(cafile=ca_file)
    # The server's own name is in the URL, and no proxy stands before it.
    options = {"additional_headers": headers, "ssl": trust, "proxy": None}
    async with websockets.connect(url, **options) as connection:
        await connection.send(sys.stdin.readline())
        async for message in connection:
            event = json.loads(message)
            if event["type"] == "response.output_text.delta":
                print(event["delta"], end="", flush=True)
            if event["type"] == "response.completed":
                return


asyncio.run(main(*sys.argv[1:]))
