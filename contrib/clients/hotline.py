#!/usr/bin/env python3
"""A client of hotlined on Python's standard library: copy it, or import it.

    hotline.py ask|stream|tools|parallel|cancel [TEXT...]

Without TEXT the question is standard input. README.md has the exit status.
"""

import json
import os
import queue
import socket
import sys
import threading


class Unreachable(Exception):
    """hotlined is not there, refused the connection, or left before a request's last line."""


class Answer:
    """What has come of one request; it is over when it has an outcome."""

    def __init__(self, request_id):
        self.id = request_id
        self.text, self.response = "", {}
        self.error = self.outcome = None

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
    """A connection with any number of requests side by side. Use it from one thread."""

    def __init__(self, path=None):
        path = path or socket_path()
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError as error:
            raise Unreachable(f"cannot reach hotlined at {path}: {error}") from error
        self.lines = self.socket.makefile("rb")  # Of bytes: in text, CR would end a line too.
        self.open, self.made = {}, 0
        # A thread, because the daemon may wait for us to read while we write.
        self.outgoing = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    def request(self, response, **options):
        """Sends a request and returns its answer to come. The options are those of `hotline`."""
        self.made += 1
        answer = self.open[f"q{self.made}"] = Answer(f"q{self.made}")
        self.outgoing.put({"type": "response.create", "request_id": answer.id,
                           "hotline": options, "response": response})
        return answer

    def cancel(self, answer):
        self.outgoing.put({"type": "response.cancel", "request_id": answer.id})

    def finish(self):
        """Says that no more requests come: the daemon closes after the last answer."""
        self.outgoing.put(None)

    def read(self):
        """Waits for the next line of a request, which its answer takes."""
        while (line := self.lines.readline()).endswith(b"\n"):
            line = json.loads(line)
            if answer := self.open.get(line.get("request_id")):
                answer.take(line)
                if answer.outcome:
                    del self.open[answer.id]
                return line
            if line.get("type") == "error" and line.get("request_id") is None:
                raise Unreachable("refused by hotlined: " + line["error"]["message"])
        raise Unreachable("hotlined closed the connection before the last line")

    def wait(self, answer):
        while not answer.outcome:
            self.read()
        return answer

    def _write(self):
        try:
            while line := self.outgoing.get():
                self.socket.sendall(json.dumps(line).encode() + b"\n")
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The daemon has closed; what it said before is still to be read.


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


def ask(hotline, text):
    """One request, and no event but the last."""
    answer = hotline.request({"model": MODEL, "input": text}, events="final")
    hotline.finish()
    print(hotline.wait(answer).text)
    return [answer]


def stream(hotline, text, deltas_max=None):
    """The text as it comes, cancelled after so many deltas."""
    answer = hotline.request({"model": MODEL, "input": text})
    deltas = 0
    while not answer.outcome:
        line = hotline.read()
        if line.get("type") == "response.output_text.delta":
            print(line["delta"], end="", flush=True)
            deltas += 1
            if deltas == deltas_max:
                hotline.cancel(answer)  # A hotline.done still comes.
    print()
    return [answer]


def tools(hotline, text):
    """The model calls a function; the result goes back with the whole conversation."""
    response = {"model": MODEL, "tools": [COUNT_WORDS], "input": [{"role": "user", "content": text}]}
    options = {"conversation": f"tools-{os.getpid()}"}
    answer = hotline.wait(hotline.request(response, **options))
    calls = [i for i in answer.response.get("output", []) if i["type"] == "function_call"]
    for call in calls:
        call.pop("id", None)  # The server has not stored it.
        output = f"{len(json.loads(call['arguments'])['answer'].split())} words"
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        response["input"] += [call, result]
    if calls:
        answer = hotline.wait(hotline.request(response, **options))
    print(answer.text)
    return [answer]


def parallel(hotline, text):
    """Ten requests on one connection, whose events come in any order."""
    inputs = [f"{text} {number}" for number in range(1, 11)]
    answers = [hotline.request({"model": MODEL, "input": each}) for each in inputs]
    for number, answer in enumerate(answers, 1):
        print(f"{number}: {hotline.wait(answer).text}")
    return answers


def main():
    examples = {each.__name__: each for each in (ask, stream, tools, parallel)}
    examples["cancel"] = lambda hotline, text: stream(hotline, text, deltas_max=3)
    if len(sys.argv) < 2 or sys.argv[1] not in examples:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text = " ".join(sys.argv[2:]) or sys.stdin.read()
        answers = examples[sys.argv[1]](Hotline(), text)
    except Unreachable as error:
        print("hotline:", error, file=sys.stderr)
        return 69
    for answer in answers:
        if answer.status:
            print("hotline:", answer.problem, file=sys.stderr)
    return max(answer.status for answer in answers)


if __name__ == "__main__":
    sys.exit(main())
