import HotlineSimulator
import Testing

/// A server that takes what its schema has, and nothing else.
@Suite struct StrictTests {
  /// A server of one dialect: its settings, and a request with members beside and within its body.
  struct Server: Sendable, CustomTestStringConvertible {
    let settings: [String: String]
    let isNested: Bool
    /// Members that all of its requests have.
    let own: String
    var testDescription: String { settings.description }
    var path: String { isNested ? "response." : "" }

    func request(beside: String = "", _ members: String = "") -> String {
      let body = own + members
      return #"{"type":"response.create"\#(beside),"#
        + (isNested ? #""response":{\#(body)}}"# : body + "}")
    }

    static let flat = Server(
      settings: ["strict": "true", "envelope": "flat"], isNested: false, own: #""input":"x""#)
    static let nested = Server(
      settings: ["strict": "true", "envelope": "nested"], isNested: true,
      own: #""input":"x","store":false"#)
    static let realtime = Server(
      settings: ["strict": "true", "realtime": "true"], isNested: true,
      own: #""input":[{"type":"message","role":"user","content":[]}]"#)
    static let all = [
      flat, nested, realtime,
      Server(
        settings: ["strict": "true", "envelope": "both"], isNested: false, own: flat.own),
      Server(
        settings: ["strict": "true", "envelope": "both"], isNested: true, own: nested.own),
    ]
  }

  /// Of what comes back to one message: the code and the member of an error, or its last type.
  private func answers(of server: Server, to messages: [String]) async throws -> [String] {
    var answers: [String] = []
    try await withSimulator(server.settings) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      if server.settings["realtime"] != nil { _ = socket.text() }
      for message in messages {
        socket.send(message)
        let last = socket.answer().messages.last ?? ""
        let error = object(last)["error"] as? [String: Any]
        let words = [error?["code"], error?["param"]].compactMap { $0 as? String }
        answers.append(words.isEmpty ? type(of: last) : words.joined(separator: " "))
      }
      let refused = answers.filter { $0.hasPrefix("unknown_p") || $0.hasPrefix("invalid_t") }.count
      #expect(try await simulator.statistics().violations == refused)
    }
    return answers
  }

  @Test(arguments: Server.all)
  func aMemberThatTheSchemaDoesNotHaveIsRefused(server: Server) async throws {
    let messages = [
      server.request(), server.request(#","inptu":"y""#), server.request(#","":1"#),
      server.request(#","Input":"y""#), server.request(#","mod\u0065l2":null"#),
      server.request(#","zz":1,"aa":2"#), server.request(beside: #","x":{}"#),
      server.request(),
    ]
    let end = server.settings["realtime"] == nil ? "response.completed" : "response.done"
    let refused = ["inptu", "", "Input", "model2", "aa"].map { server.path + $0 } + ["x"]
    #expect(
      try await answers(of: server, to: messages)
        == [end] + refused.map { "unknown_parameter \($0)" } + [end])
  }

  @Test(arguments: Server.all)
  func whatIsTakenStandsWhereItsDialectHasIt(server: Server) async throws {
    let isRealtime = server.settings["realtime"] != nil
    // Every dialect's, the Responses API's alone, the Realtime API's alone.
    let members = [
      #","instructions":"x","tools":[],"tool_choice":"auto","conversation":null"#,
      #","model":"m""#, #","text":{}"#, #","top_p":1"#, #","previous_response_id":null"#,
      #","audio":{}"#, #","output_modalities":["text"]"#,
    ]
    let taken =
      isRealtime
      ? [true, false, false, false, false, true, true]
      : [true, true, true, true, true, false, false]
    let answers = try await answers(of: server, to: members.map { server.request($0) })
    #expect(answers.map { $0.hasPrefix("response.") } == taken, "\(answers)")
    #expect(
      try await self.answers(of: server, to: [server.request(beside: #","event_id":"e""#)])
        == [isRealtime ? "response.done" : "unknown_parameter event_id"])
  }

  @Test func whatIsBesideABodyIsNoPartOfIt() async throws {
    #expect(
      try await answers(
        of: .nested,
        to: [
          Server.nested.request(beside: #","model":"m""#), Server.flat.request(),
          Server.nested.request(beside: #","stream_id":"a""#),
        ]) == ["model", "input", "stream_id"].map { "unknown_parameter \($0)" })
    #expect(
      try await answers(of: .flat, to: [Server.nested.request()]) == ["unknown_parameter response"])
  }

  @Test func theRealtimeAPIContinuesNothingAndTakesNoPlainText() async throws {
    #expect(
      try await answers(
        of: .realtime,
        to: [
          Server.realtime.request(#","previous_response_id":"resp_1""#),
          Server.realtime.request(#","store":false"#),
          Server.realtime.request(#","generate":false"#),
          #"{"type":"response.create","response":{"input":"x"}}"#,
          #"{"type":"response.create","response":{"input":[],"conversation":"none"}}"#,
        ]) == [
          "unknown_parameter response.previous_response_id", "unknown_parameter response.store",
          "unknown_parameter response.generate", "invalid_type response.input", "response.done",
        ])
  }

  @Test func aLaneIsNamedOnlyWhereThereAreLanes() async throws {
    let request = Server.flat.request(beside: #","stream_id":"a""#)
    #expect(try await answers(of: .flat, to: [request]) == ["unknown_parameter stream_id"])
    let lanes = Server(
      settings: Server.flat.settings.merging(["lanes": "true"]) { $1 }, isNested: false,
      own: Server.flat.own)
    #expect(
      try await answers(of: lanes, to: [request, lanes.request(#","x":1"#)])
        == ["response.completed", "unknown_parameter x"])
  }

  @Test func messagesAboutAResponseHaveTheirOwnMembers() async throws {
    let id = #""response_id":"r""#
    #expect(
      try await answers(
        of: .flat,
        to: [
          #"{"type":"response.steer","previous_response_id":"r","input":"x","model":"m"}"#,
          #"{"type":"response.inject",\#(id),"input":[],"tools":[]}"#,
          #"{"type":"response.interrupt",\#(id),"input":"x"}"#,
          #"{"type":"response.interrupt",\#(id)}"#,
          #"{"type":"session.update","session":{}}"#,
        ]) == [
          "unknown_parameter model", "unknown_parameter tools", "unknown_parameter input",
          "response_not_found response_id", "unknown_event type",
        ])
    #expect(
      try await answers(
        of: .realtime,
        to: [
          #"{"type":"response.cancel","event_id":"e",\#(id)}"#,
          #"{"type":"response.cancel","event_id":"e",\#(id),"reason":"x"}"#,
        ]) == ["response_cancel_not_active", "unknown_parameter reason"])
  }

  @Test func whatIsNotStrictTakesWhatItDoesNotKnow() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(Server.nested.request(beside: #","x":1"#, #","y":2"#))
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
    }
  }
}
