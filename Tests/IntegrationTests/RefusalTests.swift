import Foundation
import TestSupport
import Testing

/// Lines that are not accepted: one `error`, no `hotline.done`, and the connection stays usable.
struct RefusalTests {
  /// Sends a line, expects it to be refused, and that the connection still works.
  @discardableResult
  private func expectRefusal(
    _ client: LineClient, _ line: String, _ code: String, id: String? = nil,
    param: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Line {
    let answer = try client.answer(to: line)
    #expect(answer.code == code, "\(answer)", sourceLocation: sourceLocation)
    #expect(answer.error.type.string == "hotline_error", sourceLocation: sourceLocation)
    #expect(answer.hotline.accepted.bool == false, sourceLocation: sourceLocation)
    #expect(answer.hotline.sent.string == "no", sourceLocation: sourceLocation)
    #expect(answer.hotline.retryable.bool != nil, sourceLocation: sourceLocation)
    #expect(answer.error.message.string?.isEmpty == false, sourceLocation: sourceLocation)
    let expectedID = id.map { JSON.string($0) } ?? .null
    #expect(answer.request_id == expectedID, "\(answer)", sourceLocation: sourceLocation)
    if let param {
      #expect(answer.error.param.string == param, "\(answer)", sourceLocation: sourceLocation)
    }
    let pong = try client.answer(to: #"{"type":"hotline.ping"}"#)
    #expect(pong.kind == "hotline.pong", "\(pong)", sourceLocation: sourceLocation)
    return answer
  }

  @Test func linesThatAreNoJSONOrTooLong() throws {
    let rig = try Rig(sections: "[socket]\nline_bytes_max = 65536")
    let client = try rig.client()
    for line in ["{", #"{"type":"response.create"} x"#, "\u{FEFF}{}", #"{"type":"\u12"}"#] {
      try expectRefusal(client, line, "invalid_json")
    }
    try client.write(Array(#"{"type":""#.utf8) + [0xFF, 0x22, 0x7D, 0x0A])
    #expect(try client.line().code == "invalid_json")
    let long = request(String(repeating: "x", count: 65_536))
    try expectRefusal(client, long, "line_too_long")
    let frame = request("").utf8.count
    let fits = request(String(repeating: "x", count: 65_536 - frame), id: "a1")
    #expect(fits.utf8.count == 65_536)
    #expect(try client.ask(fits).done?.outcome.string == "completed")
  }

  @Test func requestsThatBreakTheRules() throws {
    let client = try Rig().client()
    func with(_ members: String) -> String {
      #"{"type":"response.create","request_id":"a1",\#(members)}"#
    }
    let refused: [(String, String?)] = [
      (with(#""hotline":{"colour":1},"input":"x""#), "hotline.colour"),
      (with(#""hotline":{"events":"some"},"input":"x""#), "hotline.events"),
      (with(#""hotline":{"timeout_ms":-1},"input":"x""#), "hotline.timeout_ms"),
      (with(#""hotline":{"tag":"\u0007"},"input":"x""#), "hotline.tag"),
      (with(#""hotline":[],"input":"x""#), "hotline"),
      (with(#""input":"x","stream_id":"s""#), "stream_id"),
      (with(#""input":"x","background":true"#), "background"),
      (with(#""input":"x","store":true"#), "store"),
      (with(#""response":{"input":"x","store":true}"#), "store"),
      (with(#""response":{"input":"x"},"model":"m""#), "model"),
      (with(#""input":"x","hotline":{},"h\u006ftline":{}"#), nil),
    ]
    for (line, param) in refused {
      try expectRefusal(client, line, "invalid_request", id: "a1", param: param)
    }
    for line in ["[1]", "17", "{}", #"{"type":17}"#] {
      try expectRefusal(client, line, "invalid_request")
    }
    for id in [
      #""""#, "1.5", "123456789012345678901", #""\#(String(repeating: "x", count: 129))""#,
    ] {
      let line = try client.answer(
        to: #"{"type":"response.create","request_id":\#(id),"input":"x"}"#)
      #expect(line.code == "invalid_request", "\(id): \(line)")
    }
  }

  @Test func unknownTypesAndTypesOfLaterVersions() throws {
    let client = try Rig().client()
    let types = [
      "response.created", "hotline.done", "hotline.statistics", "hotline.ended", "hotline.pong",
      "hotline.canceled", "hotline.reloaded", "hotline.ok", "", "nonsense",
    ]
    for type in types {
      try expectRefusal(
        client, #"{"type":"\#(type)","request_id":"a1"}"#, "unknown_type", id: "a1")
    }
  }

  @Test func whatWouldChangeASharedConnection() throws {
    let client = try Rig().client()
    for type in ["session.update", "input_audio_buffer.append", "conversation.item.create"] {
      try expectRefusal(
        client, #"{"type":"\#(type)","request_id":"a1"}"#, "shared_connection", id: "a1")
    }
  }

  @Test func namesThatNobodyKnows() throws {
    let client = try Rig().client()
    let elsewhere = request("x", options: #""upstream":"elsewhere""#)
    let refusal = try expectRefusal(client, elsewhere, "unknown_upstream", id: "a1")
    #expect(refusal.error.message.string?.contains("sim") == true)
    for type in ["response.cancel", "response.steer", "response.inject", "response.interrupt"] {
      try expectRefusal(
        client, #"{"type":"\#(type)","request_id":"a1"}"#, "unknown_request_id", id: "a1")
    }
    // Another client's requests cannot be reached.
    let rig = try Rig()
    let owner = try rig.client()
    try owner.send(request("[[fault: silence]]", id: "own"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    try expectRefusal(
      rig.client(), #"{"type":"response.cancel","request_id":"own"}"#, "unknown_request_id",
      id: "own")
  }

  @Test func idsThatAreOpenAlreadyLeaveTheOpenRequestAlone() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: delay 700]] mine", id: "twice"))
    try expectRefusal(client, request("other", id: "twice"), "duplicate_request_id", id: "twice")
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "completed")
    #expect(answerText(lines) == "Echo: mine")
    #expect(try client.ask(request("again", id: "twice")).done?.outcome.string == "completed")
  }

  @Test func messagesThatAreTooLargeForTheServer() throws {
    let rig = try Rig(upstream: "message_bytes_max = 4096")
    let client = try rig.client()
    try expectRefusal(
      client, request(String(repeating: "x", count: 4096)), "message_too_large", id: "a1")
    #expect(try rig.simulator.statistics().requests.integer == 0, "nothing of it is sent")
  }

  @Test func moreClientsAndRequestsThanAllowed() throws {
    let rig = try Rig(
      upstream: "connections_max = 1",
      sections: "[socket]\nclients_max = 2\nrequests_per_client_max = 2\n[queue]\nrequests_max = 2")
    let one = try rig.client()
    try one.send(request("[[fault: silence]]", id: "q1"))
    // Whoever asked before whether the daemon is warm has to be gone.
    _ = try poll(for: "a busy connection and one client") {
      let status = try one.answer(to: #"{"type":"hotline.status"}"#).json
      return status.busyConnections.count == 1 && status.clients.array.count == 1 ? true : nil
    }
    try one.send(request("x", id: "q2"))
    try expectRefusal(one, request("x", id: "q3"), "too_many_requests", id: "q3")
    let two = try rig.client()
    try two.send(request("x", id: "q4"))
    let full = try expectRefusal(two, request("x", id: "q5"), "queue_full", id: "q5")
    #expect(full.hotline.retryable.bool == true)
    let three = try rig.client()
    let refusal = try three.line()
    #expect(refusal.code == "too_many_clients")
    #expect(refusal.hotline.accepted.bool == false)
    #expect(try three.next() == nil)
    two.close()
    try poll(for: "a place for a third client") {
      let line = try rig.client().answer(to: #"{"type":"hotline.ping"}"#)
      return line.kind == "hotline.pong" ? () : nil
    }
  }

  @Test func linesOverTheMemoryLimit() throws {
    let rig = try Rig(
      upstream: "connections_max = 1\nevent_bytes_max = \"1MiB\"",
      sections: """
        [socket]
        memory_max = "1MiB"
        line_bytes_max = "1MiB"
        buffer_bytes_max = "1MiB"
        """)
    let client = try rig.client()
    try client.send(request("[[fault: silence]]", id: "busy"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    let large = String(repeating: "x", count: 600 << 10)
    try client.send(request(large, id: "held"))
    try rig.daemon.waitForStatus("one waiting") { $0.queue.waiting.integer == 1 }
    // The limit is found while the second is still being read, or when all of it is there.
    try client.send(request(large, id: "over"))
    let refused = try client.lines(upTo: "the refusal", \.isError)
    #expect(refused.last?.code == "queue_full", "\(refused)")
    #expect(refused.last?.hotline.accepted.bool == false)
    #expect(refused.last?.hotline.retryable.bool == true)
    #expect(try client.answer(to: #"{"type":"hotline.ping"}"#).kind == "hotline.pong")
    #expect(try rig.daemon.status().queue.waiting.integer == 1, "the first was not touched")
    try client.send(#"{"type":"response.cancel","request_id":"held"}"#)
    _ = try client.lines(upTo: "the first's end", \.isDone)
    let fits = String(repeating: "x", count: 900 << 10)
    try client.send(request(fits, id: "fits"))
    try rig.daemon.waitForStatus("one waiting again") { $0.queue.waiting.integer == 1 }
  }

  @Test(Requires.root, Requires.tools("setpriv", "socat"))
  func otherUsersAreNotAllowed() throws {
    let rig = try Rig()
    chmod(rig.directory.path, 0o755)
    chmod(rig.daemon.socketPath, 0o666)
    let result = try ChildProcess.run(
      Requires.tool("setpriv"),
      [
        "--reuid=65534", "--regid=65534", "--clear-groups", Requires.tool("socat"),
        "-t", "3600", "-", "UNIX-CONNECT:\(rig.daemon.socketPath)",
      ],
      input: request("x") + "\n")
    let lines = try result.output.split(separator: "\n").map { try Line(Array($0.utf8)) }
    #expect(lines.count == 1, "\(result)")
    #expect(lines.first?.code == "not_allowed")
    #expect(lines.first?.hotline.accepted.bool == false)
    #expect(try rig.simulator.statistics().requests.integer == 0)
  }

  /// What another user, or somebody else of a group, is told.
  private func ask(
    _ rig: Rig, asUser uid: Int, group: Int, _ input: String
  ) throws -> [Line] {
    chmod(rig.directory.path, 0o755)
    let result = try ChildProcess.run(
      Requires.tool("setpriv"),
      [
        "--reuid=\(uid)", "--regid=\(uid)", "--groups=\(group)", Requires.tool("socat"),
        "-t", "3600", "-", "UNIX-CONNECT:\(rig.daemon.socketPath)",
      ],
      input: input + "\n")
    return try result.output.split(separator: "\n").map { try Line(Array($0.utf8)) }
  }

  @Test(
    Requires.root, Requires.tools("setpriv", "socat"),
    arguments: ["allowed_uids = [60001]", "allowed_gids = [60001]", "allowed_gids = [7, 60002]"])
  func usersWhomTheConfigurationLetsInAreServedAndSeeThemselvesAlone(_ line: String) throws {
    let rig = try Rig(sections: "[socket]\n\(line)")
    let owners = try rig.client()
    try owners.send(request("[[fault: delay 60000]]", id: "owners"))
    let served = try ask(rig, asUser: 60001, group: 60002, request("x"))
    #expect(served.done?.outcome.string == "completed", "\(served)")
    let status = try ask(rig, asUser: 60001, group: 60002, #"{"type":"hotline.status"}"#)
    #expect(status.first?.clients.array.map(\.uid.integer) == [60001], "\(status)")
    for command in ["drain", "reload"] {
      let refused = try ask(
        rig, asUser: 60001, group: 60002, #"{"type":"hotline.\#(command)"}"#)
      #expect(refused.first?.code == "not_allowed", "\(refused)")
    }
    let others = try ask(rig, asUser: 60003, group: 60004, request("x"))
    #expect(others.map(\.code) == ["not_allowed"], "\(others)")
    try rig.daemon.process.standardError.waitForLine(containing: "client_uid=60003")
  }

  @Test(Requires.root, Requires.tools("setpriv", "socat"))
  func whomAReloadNoLongerLetsInIsSentAway() throws {
    let rig = try Rig(sections: "[socket]\nallowed_uids = [60001]")
    chmod(rig.directory.path, 0o755)
    let stranger = try ChildProcess(
      Requires.tool("setpriv"),
      [
        "--reuid=60001", "--regid=60001", "--clear-groups", Requires.tool("socat"), "-t", "3600",
        "-", "UNIX-CONNECT:\(rig.daemon.socketPath)",
      ])
    try stranger.write(request("[[fault: silence]]") + "\n")
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    let owners = try rig.client()
    try rig.directory.write("config.toml", Rig.configuration(rig.simulator))
    #expect(try owners.answer(to: #"{"type":"hotline.reload"}"#).kind == "hotline.ok")
    try stranger.standardOutput.waitForLine(containing: "not_allowed")
    // It keeps its own side open, and socat gives it up soon after.
    stranger.closeInput()
    _ = try stranger.waitForEnd()
    let text = stranger.standardOutput.text
    let lines = try text.split(separator: "\n").map { try Line(Array($0.utf8)) }
    #expect(lines.compactMap(\.code) == ["cancelled", "not_allowed"], "\(lines)")
    #expect(lines.done?.outcome.string == "cancelled")
    #expect(try owners.ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func theSocketIsForItsOwnerAlone() throws {
    let rig = try Rig()
    var status = stat()
    #expect(lstat(rig.daemon.socketPath, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o600)
  }

  @Test func unreadAnswersStopTheReadingOfMoreLines() throws {
    let rig = try Rig()
    let client = try rig.client()
    let pings = Array(String(repeating: #"{"type":"hotline.ping"}"# + "\n", count: 1000).utf8)
    var written = 0
    // Each ping makes a longer pong, so the daemon stops reading long before these 64 MiB.
    while written < 64 << 20 {
      let rest = pings[(written % pings.count)...]
      let count = try client.writeSome(rest, patience: .seconds(2))
      if count == 0 { break }
      written += count
    }
    #expect(written < 64 << 20, "the daemon reads on and keeps what nobody reads")
    let other = try rig.client().ask(request("x"))
    #expect(other.done?.outcome.string == "completed")
  }
}
