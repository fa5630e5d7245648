import TestSupport
import Testing

/// The official SDK as the judge of what is said about a running response.
@Suite(Requires.pythonOpenAI)
struct JudgeSteeringTests {
  /// A message to a server, or by a client to the daemon.
  private struct Message {
    let body: String
    /// The type of the event that is waited for before the next.
    let until: String
    /// Its request has come to its end by then.
    var isLast = true

    /// As the judge's script wants it.
    var spelled: String { #"{"until":["\#(until)"],"# + body.dropFirst() }

    /// As the daemon wants it: which response and which lane is its own business.
    var asked: String {
      let words = body.dropFirst().replacing(#""LATEST""#, with: "null")
      return #"{"request_id":"j","# + words.replacing(JudgeSteeringTests.lane, with: "")
    }
  }

  private static let lane = #""stream_id":"a","#
  private static let output =
    #"[{"type":"function_call_output","call_id":"call_1","output":"x"}]"#

  /// A request for a response that stands still after its first word.
  private static func still(_ lane: String) -> Message {
    let input = #""input":"[[fault: silence after 5]] a b""#
    return Message(
      body: #"{"type":"response.create",\#(lane)"model":"m",\#(input)}"#,
      until: "response.output_text.delta", isLast: false)
  }

  /// A request for a call whose arguments come slowly.
  private static func call(_ lane: String) -> Message {
    let input =
      #""input":"[[fault: gap 200, deltas 6]] call the tool","#
      + #""tools":[{"type":"function","name":"look_up","parameters":{}}]"#
    return Message(
      body: #"{"type":"response.create",\#(lane)"model":"m",\#(input)}"#,
      until: "response.function_call_arguments.delta", isLast: false)
  }

  private static func steer(_ input: String, until type: String) -> Message {
    Message(
      body: #"{"type":"response.steer","previous_response_id":"LATEST","input":"\#(input)"}"#,
      until: type)
  }

  private static func inject(until type: String) -> Message {
    Message(
      body: #"{"type":"response.inject","response_id":"LATEST","input":\#(output)}"#,
      until: type, isLast: false)
  }

  /// Everything that may be said about a running response.
  private static func messages(_ lane: String) -> [Message] {
    [
      still(lane), steer("other words", until: "response.completed"),
      // What was taken and cannot be made a response of comes back.
      still(lane), steer("[[fault: none such]]", until: "response.steer.failed"),
      call(lane), steer("in verse", until: "response.steer.pending"),
      still(lane), inject(until: "response.inject.created"),
      Message(
        body: #"{"type":"response.interrupt","response_id":"LATEST"}"#,
        until: "response.incomplete"),
    ]
  }

  @Test(arguments: [false, true])
  func whatIsSaidOfARunningResponseIsTheSDKsOwn(hasLanes: Bool) throws {
    let directory = try TemporaryDirectory()
    let flags = hasLanes ? ["--lanes"] : []
    let simulator = try SimulatorProcess(
      ["--plain", "--strict", "--envelope", "flat"] + flags, in: directory)
    let messages = Self.messages(hasLanes ? Self.lane : "")
    // About a response that is over, which the daemon does not send.
    let late = [
      Self.steer("too late", until: "response.steer.failed"),
      Self.inject(until: "response.inject.failed"),
    ]
    let direct = try PythonJudge.types(
      asking: "http://localhost:\(simulator.port)/v1", .responses,
      (messages + late).map(\.spelled), in: directory)
    #expect(direct.count { $0 == "response.steer.accepted" } == 3)
    #expect(direct.suffix(2) == late.map(\.until))

    let daemon = try JudgeTests.daemon(simulator, .responses, lanes: hasLanes, in: directory)
    let client = try daemon.client()
    var lines: [Line] = []
    for message in messages {
      try client.send(message.asked)
      lines += try client.lines(upTo: message.until) { $0.kind == message.until }
      if message.until == "response.inject.created" {
        // Such a thing comes only of a message that crosses the end of its response.
        let id = JSON.quoted(try #require(lines.last?.response_id.string))
        try simulator.command(
          #"send {"type":"response.inject.failed","response_id":\#(id),"input":\#(Self.output),"#
            + #""error":{"code":"response_already_completed","message":"m"},"sequence_number":9}"#)
        lines += try client.lines(upTo: "failed") { $0.kind == "response.inject.failed" }
      }
      if message.isLast { lines += try client.lines(upTo: "end", \.isDone) }
    }
    let types = try PythonJudge.types(
      of: JudgeTests.events(lines), .responses, in: directory)
    // The words that have come before the server reads a message may be more or fewer.
    #expect(types.sorted() == (direct.dropLast(2) + ["response.inject.failed"]).sorted())
    #expect(try simulator.statistics().violations.integer == 0)
    let outcomes = lines.filter(\.isDone).map(\.outcome.string)
    #expect(outcomes == ["completed", "incomplete", "completed", "incomplete"])
  }
}
