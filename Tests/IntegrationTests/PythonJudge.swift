import TestSupport

/// OpenAI's own Python SDK, which says what its servers' events are.
enum PythonJudge {
  /// Which of the SDK's models the events have to be.
  enum Dialect: String {
    case responses, realtime
  }

  /// Has the SDK ask a server, and judge what it answers.
  ///
  /// - Parameter messages: each is read for up to a terminal event, or to one of the types in its
  ///   member `until`, which is not sent; the text `LATEST` in it is the latest response's id.
  /// - Returns: the types of the events, in their order.
  static func types(
    asking url: String, _ dialect: Dialect, _ messages: [String], in directory: TemporaryDirectory
  ) throws -> [String] {
    try run([dialect.rawValue, url], messages, in: directory)
  }

  /// Judges events that have come.
  static func types(
    of events: [String], _ dialect: Dialect, in directory: TemporaryDirectory
  ) throws -> [String] {
    try run([dialect.rawValue], events, in: directory)
  }

  /// The members of a `response.create`, or in the Realtime API of the `response` in it.
  static func members(
    _ dialect: Dialect, in directory: TemporaryDirectory
  ) throws -> Set<String> {
    Set(try run([dialect.rawValue, "members"], [], in: directory))
  }

  private static func run(
    _ arguments: [String], _ lines: [String], in directory: TemporaryDirectory
  ) throws -> [String] {
    let script = try directory.write("judge.py", script)
    let result = try ChildProcess.run(
      Requires.python(), [script] + arguments, input: lines.joined(separator: "\n"))
    guard result.end == .exited(0) else { throw TestFailure("the judge says: \(result.errors)") }
    return result.output.split(separator: "\n").map(String.init)
  }

  /// Arguments: which models, and a URL where the lines of standard input are messages to send
  /// there, one after the other's end, or `members`. Prints the types of the events.
  ///
  /// The SDK by itself takes whatever has a type; its models, asked to validate, do not. Of inject
  /// only its beta speaks.
  private static let script = #"""
    import json, sys
    from typing import get_args
    from openai import OpenAI
    from openai.types.beta import BetaResponsesServerEvent
    from openai.types.realtime import RealtimeResponseCreateParams, RealtimeServerEvent
    from openai.types.responses import ResponsesClientEvent, ResponsesServerEvent

    def by_type(union):
        return {get_args(model.model_fields["type"].annotation)[0]: model
                for model in get_args(get_args(union)[0])}

    is_realtime = sys.argv[1] == "realtime"
    if sys.argv[2:] == ["members"]:
        model = (RealtimeResponseCreateParams if is_realtime
                 else by_type(ResponsesClientEvent)["response.create"])
        print("\n".join(model.model_fields))
        sys.exit()
    models = by_type(RealtimeServerEvent if is_realtime else ResponsesServerEvent)
    if not is_realtime:
        beta = by_type(BetaResponsesServerEvent)
        models.update((kind, beta[kind]) for kind in beta if kind.startswith("response.inject."))
    ends = {"response.completed", "response.failed", "response.incomplete", "response.done",
            "error"}
    latest = ""

    def judge(data):
        global latest
        event = json.loads(data)
        kind = event.get("type")
        if kind not in models:
            sys.exit(f"{data}: no such event")
        try:
            judged = models[kind].model_validate_json(data, strict=True)
        except ValueError as problem:
            sys.exit(f"{data}: {problem}")
        # Objects within may have members that the models have not; an event has none.
        if judged.model_extra:
            sys.exit(f"{data}: {kind} has no {sorted(judged.model_extra)}")
        latest = event.get("response", {}).get("id", latest)
        print(kind)
        return kind

    lines = sys.stdin.read().splitlines()
    if len(sys.argv) < 3:
        for line in lines:
            judge(line)
        sys.exit()
    client = OpenAI(base_url=sys.argv[2], api_key="sk-of-the-judge")
    manager = (client.realtime.connect(model="gpt-realtime") if is_realtime
               else client.responses.connect())
    with manager as connection:
        if is_realtime:
            judge(connection.recv_bytes())
        for line in lines:
            message = json.loads(line.replace("LATEST", latest))
            until = message.pop("until", ends)
            connection.send(message)
            while judge(connection.recv_bytes()) not in until:
                pass
    """#
}
