import TestSupport

/// OpenAI's own Python SDK, which says what its servers' events are.
enum PythonJudge {
  /// Which of the SDK's models the events have to be.
  enum Dialect: String {
    case responses, realtime
  }

  /// Has the SDK ask a server, and judge what it answers.
  ///
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
  /// there, one after the other's end. Prints the types of the events.
  ///
  /// The SDK by itself takes whatever has a type; its models, asked to validate, do not.
  private static let script = #"""
    import json, sys
    from typing import get_args
    from openai import OpenAI
    from openai.types.realtime import RealtimeServerEvent
    from openai.types.responses import ResponsesServerEvent

    union = {"responses": ResponsesServerEvent, "realtime": RealtimeServerEvent}[sys.argv[1]]
    models = {get_args(model.model_fields["type"].annotation)[0]: model
              for model in get_args(get_args(union)[0])}
    ends = {"response.completed", "response.failed", "response.incomplete", "response.done",
            "error"}

    def judge(data):
        kind = json.loads(data).get("type")
        if kind not in models:
            sys.exit(f"{data}: no such event")
        try:
            event = models[kind].model_validate_json(data, strict=True)
        except ValueError as problem:
            sys.exit(f"{data}: {problem}")
        # Objects within may have members that the models have not; an event has none.
        if event.model_extra:
            sys.exit(f"{data}: {kind} has no {sorted(event.model_extra)}")
        print(kind)
        return kind

    lines = sys.stdin.read().splitlines()
    if len(sys.argv) < 3:
        for line in lines:
            judge(line)
        sys.exit()
    client = OpenAI(base_url=sys.argv[2], api_key="sk-of-the-judge")
    manager = (client.responses.connect() if sys.argv[1] == "responses"
               else client.realtime.connect(model="gpt-realtime"))
    with manager as connection:
        if sys.argv[1] == "realtime":
            judge(connection.recv_bytes())
        for line in lines:
            connection.send(json.loads(line))
            while judge(connection.recv_bytes()) not in ends:
                pass
    """#
}
