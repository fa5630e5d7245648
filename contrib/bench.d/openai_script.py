#!/usr/bin/env python3
"""What a script with OpenAI's SDK does for each answer. URL and CA file are arguments."""
import json
import os
import ssl
import sys

from openai import OpenAI

url, ca_file = sys.argv[1:]
client = OpenAI(
    api_key=os.environ["HOTLINE_API_KEY"],
    base_url=url.replace("wss:", "https:", 1).removesuffix("/responses"),
)
trust = ssl.create_default_context(cafile=ca_file)
with client.responses.connect(websocket_connection_options={"ssl": trust}) as connection:
    connection.send(json.loads(sys.stdin.readline()))
    for event in connection:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
        if event.type == "response.completed":
            break
