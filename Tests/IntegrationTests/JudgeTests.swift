import TestSupport
import Testing

/// The official SDK as the judge: the simulator says what the real servers would say, and the
/// daemon loses nothing of it.
@Suite(Requires.pythonOpenAI)
struct JudgeTests {
  /// Members of requests that have every kind of event come.
  private static let requests = [
    #""input":"Hello, judge!""#,
    #""input":"call the tool","tools":[{"type":"function","name":"look_up","parameters":{}}]"#,
    #""input":"a word","text":{"format":{"type":"json_schema","name":"a","schema":{}}}"#,
    #""input":"[[fault: incomplete]] cut off""#,
    #""input":"[[fault: failed]] in vain""#,
    #""input":"[[fault: error server_is_overloaded 503 after 3]]""#,
    #""input":"[[fault: fragment 5, deltas 40]] a long one""#,
    #""input":"a warm-up","generate":false"#,
  ]

  private func message(_ members: String, isNested: Bool) -> String {
    let members = #""model":"m","# + members
    return #"{"type":"response.create","#
      + (isNested ? #""response":{\#(members)}}"# : members + "}")
  }

  /// What came to a client, without what is the daemon's own.
  private func events(_ lines: [Line]) throws -> [String] {
    let own = #"{"request_id":"j","#
    return try lines.filter { !$0.kind.hasPrefix("hotline.") }.map { line in
      guard line.text.hasPrefix(own), line.hotline == .missing else {
        throw TestFailure("not a line of the server's: \(line)")
      }
      return "{" + line.text.dropFirst(own.count)
    }
  }

  @Test(arguments: [
    (PythonJudge.Dialect.responses, ["--envelope", "flat"]),
    (.responses, ["--envelope", "flat", "--lanes"]), (.realtime, ["--realtime"]),
  ])
  func everyEventIsOneOfTheSDKsOwn(dialect: PythonJudge.Dialect, flags: [String]) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--plain"] + flags, in: directory)
    let isRealtime = dialect == .realtime
    // Of the Realtime API's continuations the daemon itself says that they cannot be.
    let lost = isRealtime ? [] : [#""input":"x","previous_response_id":"resp_of_nobody""#]
    let asked = (Self.requests + lost).map { message($0, isNested: isRealtime) }
    // As the daemon has it: beside the connection's conversation.
    let aside = isRealtime ? #","conversation":"none""# : ""
    let base = "http://localhost:\(simulator.port)/v1"
    let direct = try PythonJudge.types(
      asking: base, dialect,
      (Self.requests + lost).map { message($0 + aside, isNested: isRealtime) }, in: directory)
    #expect(Set(direct).count >= (isRealtime ? 11 : 13), "\(Set(direct).sorted())")
    let daemon = try DaemonProcess(
      """
      default_upstream = "u"
      [upstream.u]
      preset = "\(isRealtime ? "openai-realtime" : "openai")"
      url = "\(simulator.url)"
      lanes = \(flags.contains("--lanes") ? 8 : 1)
      """, in: directory)
    let client = try daemon.client()
    var relayed: [String] = []
    for request in asked {
      let lines = try client.ask(#"{"request_id":"j","# + request.dropFirst())
      #expect(lines.last?.isDone == true, "\(lines)")
      relayed += try events(lines)
    }
    let types = try PythonJudge.types(of: relayed, dialect, in: directory)
    // A greeting is the connection's; it comes to a request that is sent before it is there.
    #expect(types.filter { $0 != "session.created" } == direct.filter { $0 != "session.created" })
  }

  @Test func theJudgeKnowsWhatIsNoEvent() throws {
    let directory = try TemporaryDirectory()
    for text in [
      #"{"type":"response.output_text.delta","delta":"x"}"#,
      #"{"type":"response.nothing"}"#, "{}",
      #"{"type":"error","request_id":"j","error":{"type":"t","code":"c","message":"m"}}"#,
    ] {
      #expect(throws: TestFailure.self) {
        try PythonJudge.types(of: [text], .responses, in: directory)
      }
    }
  }
}
