#!/usr/bin/env node
// A client of hotlined for Node without a dependency: copy it, or import it.
//
//     hotline.mjs ask|stream|tools|parallel|cancel [TEXT...]
//
// Without TEXT the question is standard input. README.md has the exit status.
import { readFileSync, realpathSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";

/** hotlined is not there, refused the connection, or left before a request's last line. */
export class Unreachable extends Error {}

/** What has come of one request; `done` fulfils when it has an outcome. */
export class Answer {
  text = "";
  response = null;
  error = null;
  outcome = null;

  constructor(id, onLine) {
    this.id = id;
    this.onLine = onLine;
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.done.catch(() => {}); // Whoever does not wait need not know.
  }

  take(line) {
    switch (line.type) {
      case "response.output_text.delta":
        this.text += line.delta;
        break;
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        this.response = line.response;
        this.text ||= line.response.output.flatMap((item) => item.content ?? [])
          .map((part) => part.text ?? "").join("");
        break;
      case "error":
        this.error = line;
        // Refused: nothing follows. After every other error a hotline.done does.
        if (line.hotline?.accepted === false) this.outcome = "error";
        break;
      case "hotline.done":
        this.outcome = line.outcome;
        break;
    }
    this.onLine?.(line);
    if (this.outcome) this.resolve(this);
  }

  /** The exit status that tells this outcome. */
  get status() {
    const known = { completed: 0, incomplete: 3, cancelled: 130 };
    return known[this.outcome] ?? (this.error?.hotline?.retryable ? 75 : 1);
  }

  get problem() {
    const error = this.error?.error ?? this.error ?? this.response?.error;
    return error?.message ? `${this.outcome}: ${error.message}` : this.outcome;
  }
}

/** A connection with any number of requests side by side. */
export class Hotline {
  #open = new Map();
  #made = 0;
  #partial = "";
  #end = null;

  static async connect(path = socketPath()) {
    const socket = net.connect({ path, allowHalfOpen: true });
    try {
      await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    } catch (error) {
      throw new Unreachable(`cannot reach hotlined at ${path}: ${error.message}`);
    }
    return new Hotline(socket);
  }

  constructor(socket) {
    this.socket = socket.setEncoding("utf8");
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("end", () => this.#close("hotlined closed the connection before the last line"));
    socket.on("error", () => {}); // A failed write; what the daemon said before it is still read.
    socket.on("close", () => this.#close("the connection to hotlined was lost"));
  }

  /**
   * Sends a request and returns its answer to come. The options are those of `hotline`; `onLine` is
   * called with each line, and `signal`, an AbortSignal, cancels the request.
   */
  request(response, { onLine, signal, ...options } = {}) {
    const answer = new Answer(`q${++this.#made}`, onLine);
    if (this.#end) answer.reject(this.#end);
    this.#open.set(answer.id, answer);
    this.#send({ type: "response.create", request_id: answer.id, hotline: options, response });
    signal?.addEventListener("abort", () => {
      if (!answer.outcome) this.#send({ type: "response.cancel", request_id: answer.id });
    });
    return answer;
  }

  /** Says that no more requests come: the daemon closes after the last answer. */
  finish() {
    this.socket.end();
  }

  #send(message) {
    this.socket.write(JSON.stringify(message) + "\n");
  }

  // Not node:readline, which takes U+2028 for the end of a line.
  #read(chunk) {
    const [head, ...tails] = chunk.split("\n");
    this.#partial += head;
    for (const tail of tails) {
      this.#take(JSON.parse(this.#partial));
      this.#partial = tail;
    }
  }

  #take(line) {
    const answer = this.#open.get(line.request_id);
    answer?.take(line);
    if (answer?.outcome) this.#open.delete(answer.id);
    if (line.type === "error" && line.request_id === null) {
      this.#close(`refused by hotlined: ${line.error.message}`);
    }
  }

  #close(reason) {
    this.#end ??= new Unreachable(reason);
    for (const answer of this.#open.values()) answer.reject(this.#end);
    this.#open.clear();
    this.socket.destroy();
  }
}

export function socketPath({ HOTLINE_SOCKET, XDG_RUNTIME_DIR } = process.env) {
  if (HOTLINE_SOCKET) return HOTLINE_SOCKET;
  if (XDG_RUNTIME_DIR) return `${XDG_RUNTIME_DIR}/hotline.sock`;
  throw new Unreachable("cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR");
}

// Examples: each returns the answers that decide about the exit status.

const model = "gpt-5.3-codex";
const parameters = { type: "object", properties: { answer: { type: "string" } } };
const countWords = { type: "function", name: "count_words", parameters };

const examples = {
  /** One request, and no event but the last. */
  async ask(hotline, input) {
    const answer = hotline.request({ model, input }, { events: "final" });
    hotline.finish();
    console.log((await answer.done).text);
    return [answer];
  },

  /** The text as it comes, cancelled after so many deltas. */
  async stream(hotline, input, deltasMax = Infinity) {
    const abort = new AbortController();
    const answer = hotline.request({ model, input }, {
      signal: abort.signal,
      onLine(line) {
        if (line.type !== "response.output_text.delta") return;
        process.stdout.write(line.delta);
        if (--deltasMax === 0) abort.abort(); // A hotline.done still comes.
      },
    });
    await answer.done.finally(() => console.log());
    return [answer];
  },

  cancel: (hotline, input) => examples.stream(hotline, input, 3),

  /** The model calls a function; the result goes back with the whole conversation. */
  async tools(hotline, text) {
    const options = { conversation: `tools-${process.pid}` };
    const input = [{ role: "user", content: text }];
    let answer = await hotline.request({ model, tools: [countWords], input }, options).done;
    const calls = answer.response?.output.filter((item) => item.type === "function_call") ?? [];
    for (const { id, ...call } of calls) { // Without its id: the server has not stored it.
      const output = `${JSON.parse(call.arguments).answer.trim().split(/\s+/).length} words`;
      input.push(call, { type: "function_call_output", call_id: call.call_id, output });
    }
    if (calls.length > 0) {
      answer = await hotline.request({ model, tools: [countWords], input }, options).done;
    }
    console.log(answer.text);
    return [answer];
  },

  /** Ten requests on one connection, whose events come in any order. */
  async parallel(hotline, input) {
    const numbers = Array.from({ length: 10 }, (_, index) => index + 1);
    const answers = await Promise.all(
      numbers.map((number) => hotline.request({ model, input: `${input} ${number}` }).done));
    answers.forEach((answer, index) => console.log(`${index + 1}: ${answer.text}`));
    return answers;
  },
};

async function main(name, ...words) {
  if (!Object.hasOwn(examples, name ?? "")) {
    console.error("usage: hotline.mjs ask|stream|tools|parallel|cancel [TEXT...]");
    return 2;
  }
  try {
    const text = words.join(" ") || readFileSync(0, "utf8");
    const hotline = await Hotline.connect();
    const answers = await examples[name](hotline, text).finally(() => hotline.socket.destroy());
    for (const { status, problem } of answers) if (status) console.error("hotline:", problem);
    return Math.max(...answers.map(({ status }) => status));
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    console.error("hotline:", error.message);
    return 69;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(...process.argv.slice(2));
}
