#!/usr/bin/env python3
"""A client of hotlined on asyncio and nothing else: copy it, or import it.

    hotline_asyncio.py ask|stream|tools|parallel|cancel [TEXT...]

Without TEXT the question is standard input. README.md has the exit status.
"""

import asyncio
import json
import os
import sys


class Unreachable(Exception):
    """hotlined is not there, refused the connection, or left before a request's last line."""


class Answer:
    """One request: iterate over its lines, or await wait(). It is over when it has an outcome."""

    def __init__(self, request_id):
        self.id = request_id
        self.text, self.response = "", {}
        self.error = self.outcome = None
        # Has no limit: who stops reading the socket loses the requests that are written there.
        self.lines = asyncio.Queue()

    async def __aiter__(self):
        while line := await self.lines.get():
            if isinstance(line, Unreachable):
                raise line
            yield line

    async def wait(self):
        async for _ in self:
            pass
        return self

    def take(self, line):
        match line.get("type"):
            case "response.output_text.delta":
                self.text += line["delta"]
            case "response.completed" | "response.incomplete" | "response.failed":
                self.response = line["response"]
                contents = [item.get("content") or [] for item in self.response["output"]]
                texts = (part.get("text", "") for content in contents for part in content)
                self.text = self.text or "".join(texts)
            case "error":
                self.error = line
                # Refused: nothing follows. After every other error a hotline.done does.
                if line.get("hotline", {}).get("accepted") is False:
                    self.outcome = "error"
            case "hotline.done":
                self.outcome = line["outcome"]

    @property
    def status(self):
        """The exit status that tells this outcome."""
        is_retryable = (self.error or {}).get("hotline", {}).get("retryable")
        known = {"completed": 0, "incomplete": 3, "cancelled": 130}
        return known.get(self.outcome, 75 if is_retryable else 1)

    @property
    def problem(self):
        error = self.error or self.response
        message = (error.get("error") or error).get("message")
        return f"{self.outcome}: {message}" if message else self.outcome


class Hotline:
    """A connection with any number of requests side by side."""

    @classmethod
    async def connect(cls, path=None):
        path, self = path or socket_path(), cls()
        try:
            self.reader, self.writer = await asyncio.open_unix_connection(path)
        except OSError as error:
            raise Unreachable(f"cannot reach hotlined at {path}: {error}") from error
        self.open, self.made = {}, 0
        self.reading = asyncio.create_task(self._read())
        return self

    def request(self, response, **options):
        """Sends a request and returns its answer to come. The options are those of `hotline`."""
        self.made += 1
        answer = self.open[f"q{self.made}"] = Answer(f"q{self.made}")
        self._send("response.create", request_id=answer.id, hotline=options, response=response)
        if self.reading.done():
            answer.lines.put_nowait(Unreachable("hotlined has closed the connection"))
        return answer

    def cancel(self, answer):
        self._send("response.cancel", request_id=answer.id)

    def finish(self):
        """Says that no more requests come: the daemon closes after the last answer."""
        self.writer.write_eof()

    def _send(self, kind, **members):
        self.writer.write(json.dumps({"type": kind, **members}).encode() + b"\n")

    async def _read(self):
        parts = []  # Of one line; StreamReader's own lines have a limit.
        end = Unreachable("hotlined closed the connection before the last line")
        try:
            while chunk := await self.reader.read(1 << 18):
                head, *tails = chunk.split(b"\n")
                parts.append(head)
                for tail in tails:
                    self._deliver(json.loads(b"".join(parts)))
                    parts = [tail]
        except (ConnectionError, Unreachable) as error:
            end = Unreachable(str(error))
        for answer in self.open.values():
            answer.lines.put_nowait(end)

    def _deliver(self, line):
        if answer := self.open.get(line.get("request_id")):
            answer.take(line)
            answer.lines.put_nowait(line)
            if answer.outcome:
                answer.lines.put_nowait(None)
                del self.open[answer.id]
        elif line.get("type") == "error" and line.get("request_id") is None:
            raise Unreachable("refused by hotlined: " + line["error"]["message"])


def socket_path():
    if path := os.environ.get("HOTLINE_SOCKET"):
        return path
    if directory := os.environ.get("XDG_RUNTIME_DIR"):
        return directory + "/hotline.sock"
    raise Unreachable("cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR")


# Examples: each returns the answers that decide about the exit status.

MODEL = "gpt-5.3-codex"
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
COUNT_WORDS = {"type": "function", "name": "count_words", "parameters": SCHEMA}


async def ask(hotline, text):
    """One request, and no event but the last."""
    answer = hotline.request({"model": MODEL, "input": text}, events="final")
    hotline.finish()
    print((await answer.wait()).text)
    return [answer]


async def stream(hotline, text, deltas_max=None):
    """The text as it comes, cancelled after so many deltas."""
    answer = hotline.request({"model": MODEL, "input": text})
    deltas = 0
    async for line in answer:
        if line.get("type") == "response.output_text.delta":
            print(line["delta"], end="", flush=True)
            deltas += 1
            if deltas == deltas_max:
                hotline.cancel(answer)  # A hotline.done still comes.
    print()
    return [answer]


async def tools(hotline, text):
    """The model calls a function; the result goes back with the whole conversation."""
    response = {"model": MODEL, "tools": [COUNT_WORDS], "input": [{"role": "user", "content": text}]}
    options = {"conversation": f"tools-{os.getpid()}"}
    answer = await hotline.request(response, **options).wait()
    calls = [i for i in answer.response.get("output", []) if i["type"] == "function_call"]
    for call in calls:
        call.pop("id", None)  # The server has not stored it.
        output = f"{len(json.loads(call['arguments'])['answer'].split())} words"
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        response["input"] += [call, result]
    if calls:
        answer = await hotline.request(response, **options).wait()
    print(answer.text)
    return [answer]


async def parallel(hotline, text):
    """Ten requests on one connection, whose events come in any order."""
    inputs = [f"{text} {number}" for number in range(1, 11)]
    requests = [hotline.request({"model": MODEL, "input": each}) for each in inputs]
    answers = await asyncio.gather(*(request.wait() for request in requests))
    for number, answer in enumerate(answers, 1):
        print(f"{number}: {answer.text}")
    return answers


async def main():
    examples = {each.__name__: each for each in (ask, stream, tools, parallel)}
    examples["cancel"] = lambda hotline, text: stream(hotline, text, deltas_max=3)
    if len(sys.argv) < 2 or sys.argv[1] not in examples:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text = " ".join(sys.argv[2:]) or sys.stdin.read()
        answers = await examples[sys.argv[1]](await Hotline.connect(), text)
    except Unreachable as error:
        print("hotline:", error, file=sys.stderr)
        return 69
    for answer in answers:
        if answer.status:
            print("hotline:", answer.problem, file=sys.stderr)
    return max(answer.status for answer in answers)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
