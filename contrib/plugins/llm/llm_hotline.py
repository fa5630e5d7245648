"""A model named hotline for llm (https://llm.datasette.io): prompts go through hotlined.

No key, no handshake: hotlined has both. A hang-up, such as Ctrl-C brings, cancels upstream.
"""
import json
import os
import socket
from typing import Optional

import llm
from llm.parts import TextPart
from pydantic import Field


@llm.hookimpl
def register_models(register):
    register(Hotline())


class Hotline(llm.Model):
    model_id = "hotline"
    can_stream = True
    attachment_types = {"image/png", "image/jpeg", "image/gif", "image/webp"}

    class Options(llm.Options):
        model: Optional[str] = Field(description="The server's model; else hotlined's default",
                                     default=None)
        upstream: Optional[str] = Field(description="Which upstream of hotlined", default=None)
        tag: Optional[str] = Field(description="Label to count the request under", default=None)
        batch: Optional[bool] = Field(description="Let others go first", default=None)

    def execute(self, prompt, stream, response, conversation):
        options = {"tag": prompt.options.tag or "llm", "upstream": prompt.options.upstream,
                   "priority": "batch" if prompt.options.batch else None,
                   "events": None if stream else "final",
                   "conversation": conversation.id if conversation else None}
        body = {"model": prompt.options.model, "instructions": prompt.system or None,
                "input": conversation_input(prompt)}
        line = {"type": "response.create", "hotline": present(options), "response": present(body)}
        said = False
        for event in exchange(line):
            kind = event.get("type")
            if kind == "response.output_text.delta":
                said = True
                yield event["delta"]
            elif kind in ("response.completed", "response.incomplete"):
                response.response_json = event["response"]
                if not said:
                    yield output_text(event["response"])
            elif kind == "hotline.done" and event["usage"]:
                response.set_usage(input=event["usage"].get("input_tokens"),
                                   output=event["usage"].get("output_tokens"))


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def conversation_input(prompt):
    """All of it: the server keeps nothing, and its cache knows what it has seen."""
    return [{"type": "message", "role": message.role,
             "content": present_parts(message)}
            for message in prompt.messages if message.role in ("user", "assistant")]


def present_parts(message):
    parts = [content_part(message.role, part) for part in message.parts]
    return [part for part in parts if part]


def content_part(role, part):
    if attachment := getattr(part, "attachment", None):
        data = f"data:{attachment.resolve_type()};base64,"
        url = attachment.url or data + attachment.base64_content()
        return {"type": "input_image", "image_url": url}
    if isinstance(part, TextPart):
        kind = "output_text" if role == "assistant" else "input_text"
        return {"type": kind, "text": part.text}
    return None


def output_text(response):
    return "".join(part.get("text", "") for item in response.get("output", [])
                   for part in item.get("content") or [] if part.get("type") == "output_text")


def exchange(line):
    """The lines that answer a request; an error and an unsuccessful end are raised."""
    path = os.environ.get("HOTLINE_SOCKET") or os.path.join(
        os.environ.get("XDG_RUNTIME_DIR", "/run"), "hotline.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError as error:
            raise llm.ModelError(f"cannot reach hotlined at {path}: {error.strerror}; start it, "
                                 "or name its socket in HOTLINE_SOCKET") from error
        connection.sendall(json.dumps(line).encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        problem = None
        for answer in connection.makefile("rb"):
            event = json.loads(answer)
            yield event
            kind = event.get("type")
            if kind == "error":
                error = event.get("error") or event
                problem = problem or error.get("message") or error.get("code")
                if event.get("hotline", {}).get("accepted") is False:
                    raise llm.ModelError(problem)
            elif kind == "response.failed":
                problem = (event["response"].get("error") or {}).get("message")
            elif kind == "hotline.done":
                if event["outcome"] not in ("completed", "incomplete"):
                    raise llm.ModelError(problem or event["outcome"])
                return
    raise llm.ModelError("hotlined closed the connection before the last line; ask again")
