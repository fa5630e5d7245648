import TestSupport
import Testing

/// The official SDK as the judge: the simulator says what the real servers would say, and the
/// daemon loses nothing of it.
@Suite(Requires.pythonOpenAI)
struct JudgeTests {
  /// Texts, and further members, of requests that have every kind of event come.
  private static let requests = [
    ("Hello, judge!", ""),
    ("call the tool", #","tools":[{"type":"function","name":"look_up","parameters":{}}]"#),
    ("a word", #","text":{"format":{"type":"json_schema","name":"a","schema":{}}}"#),
    ("[[fault: incomplete]] cut off", ""),
    ("[[fault: failed]] in vain", ""),
    ("[[fault: error server_is_overloaded 503 after 3]]", ""),
    ("[[fault: fragment 5, deltas 40]] a long one", ""),
    ("a warm-up", #","generate":false"#),
  ]
  /// The Realtime API's server may end a response by itself; nothing is continued there by an id.
  private static let more: [PythonJudge.Dialect: [(String, String)]] = [
    .responses: [("x", #","previous_response_id":"resp_of_nobody""#)],
    .realtime: [("[[fault: cancelled]] somebody speaks", "")],
  ]

  /// A `response.create` for a text, in a dialect's envelope.
  static func message(_ text: String, _ members: String, _ dialect: PythonJudge.Dialect) -> String {
    dialect == .realtime
      ? #"{"type":"response.create","response":{"input":[\#(Provider.item(text))]\#(members)}}"#
      : #"{"type":"response.create","model":"m","input":\#(JSON.quoted(text))\#(members)}"#
  }

  /// What came to a client, without what is the daemon's own.
  static func events(_ lines: [Line]) throws -> [String] {
    let own = #"{"request_id":"j","#
    return try lines.filter { !$0.kind.hasPrefix("hotline.") }.map { line in
      guard line.text.hasPrefix(own), line.hotline == .missing else {
        throw TestFailure("not a line of the server's: \(line)")
      }
      return "{" + line.text.dropFirst(own.count)
    }
  }

  /// A daemon before a server of one dialect.
  static func daemon(
    _ simulator: SimulatorProcess, _ dialect: PythonJudge.Dialect, lanes: Bool,
    in directory: TemporaryDirectory
  ) throws -> DaemonProcess {
    try DaemonProcess(
      """
      default_upstream = "u"
      [upstream.u]
      preset = "\(dialect == .realtime ? "openai-realtime" : "openai")"
      url = "\(simulator.url)"
      lanes = \(lanes ? 8 : 1)
      """, in: directory)
  }

  @Test(arguments: [
    (PythonJudge.Dialect.responses, ["--envelope", "flat"]),
    (.responses, ["--envelope", "flat", "--lanes"]), (.realtime, ["--realtime", "--rate-limits"]),
  ])
  func everyEventIsOneOfTheSDKsOwn(dialect: PythonJudge.Dialect, flags: [String]) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--plain", "--strict"] + flags, in: directory)
    let isRealtime = dialect == .realtime
    let requests = Self.requests + (Self.more[dialect] ?? [])
    // As the daemon has it: beside the connection's conversation.
    let aside = isRealtime ? #","conversation":"none""# : ""
    let direct = try PythonJudge.types(
      asking: "http://localhost:\(simulator.port)/v1", dialect,
      requests.map { Self.message($0, $1 + aside, dialect) }, in: directory)
    #expect(Set(direct).count >= (isRealtime ? 12 : 13), "\(Set(direct).sorted())")
    #expect(direct.contains("rate_limits.updated") == isRealtime)
    let daemon = try Self.daemon(
      simulator, dialect, lanes: flags.contains("--lanes"), in: directory)
    let client = try daemon.client()
    var relayed: [String] = []
    for (text, members) in requests {
      let message = Self.message(text, members, dialect)
      let lines = try client.ask(#"{"request_id":"j","# + message.dropFirst())
      #expect(lines.last?.isDone == true, "\(lines)")
      let isCancelled = text.contains("cancelled")
      #expect((lines.done?.outcome.string == "cancelled") == isCancelled, "\(lines)")
      relayed += try Self.events(lines)
    }
    let types = try PythonJudge.types(of: relayed, dialect, in: directory)
    // A greeting is the connection's; it comes to a request that is sent before it is there.
    #expect(types.filter { $0 != "session.created" } == direct.filter { $0 != "session.created" })
    guard isRealtime else { return }
    let limits = try daemon.status().upstreams[0].rate_limits
    #expect(limits.array.map(\.name.string) == ["requests", "tokens"])
  }

  /// The client's cancel is the daemon's business there: its answer comes to nobody.
  @Test func theAnswerToACancelIsOneOfTheSDKsOwn() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--plain", "--strict", "--realtime"], in: directory)
    let asked = Self.message("[[fault: silence after 4]] a b", "", .realtime).dropFirst()
    let types = try PythonJudge.types(
      asking: "http://localhost:\(simulator.port)/v1", .realtime,
      [
        #"{"until":["response.output_text.delta"],"# + asked,
        #"{"type":"response.cancel","event_id":"e","response_id":"LATEST"}"#,
        #"{"type":"response.cancel","response_id":"LATEST"}"#,
      ], in: directory)
    #expect(types.suffix(3) == ["response.output_text.delta", "response.done", "error"])
    #expect(try simulator.statistics().cancelled.integer == 1)
  }

  /// All that its schema has is taken, but for what it says itself to be HTTP's.
  @Test(arguments: [
    (PythonJudge.Dialect.responses, ["--envelope", "flat"]),
    (.responses, ["--envelope", "nested"]), (.realtime, ["--realtime"]),
  ])
  func aStrictServerTakesWhatTheSDKMaySend(
    dialect: PythonJudge.Dialect, flags: [String]
  ) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--plain", "--strict"] + flags, in: directory)
    let members = try PythonJudge.members(dialect, in: directory).subtracting(
      ["type", "stream", "stream_options", "background", "stream_id", "store"])
    #expect(members.count >= 12)
    let isFlat = flags.contains("flat")
    let store = dialect == .realtime ? "" : #","store":false"#
    func message(_ more: String = "") -> String {
      let body = members.sorted().map { "\"\($0)\":null" }.joined(separator: ",") + store + more
      return #"{"type":"response.create","# + (isFlat ? body : #""response":{\#(body)}"#) + "}"
    }
    let types = try PythonJudge.types(
      asking: "http://localhost:\(simulator.port)/v1", dialect,
      [message(), message(#","inptu":null"#)], in: directory)
    let end = dialect == .realtime ? "response.done" : "response.completed"
    #expect(types.suffix(2) == [end, "error"])
    #expect(try simulator.statistics().errors.integer == 1)
  }

  @Test func theJudgeKnowsWhatIsNoEvent() throws {
    let directory = try TemporaryDirectory()
    for text in [
      #"{"type":"response.output_text.delta","delta":"x"}"#,
      #"{"type":"response.nothing"}"#, "{}",
      #"{"type":"error","request_id":"j","error":{"type":"t","code":"c","message":"m"}}"#,
      // What Codex's servers say of their limits is in no schema of the SDK's.
      #"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":12.5}}}"#,
      #"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"none such"}}}"#,
    ] {
      #expect(throws: TestFailure.self) {
        try PythonJudge.types(of: [text], .responses, in: directory)
      }
    }
  }
}
