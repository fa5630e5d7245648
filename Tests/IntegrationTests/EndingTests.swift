import TestSupport
import Testing

/// Accepted requests that end otherwise than completed: one `error` of the daemon's at most, then
/// one `hotline.done`.
struct EndingTests {
  /// Expects an error with this code as the last line but one, and returns it.
  @discardableResult
  private func expectError(
    _ lines: [Line], _ code: String, sent: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Line {
    #expect(lines.filter(\.isDone).count == 1, "\(lines)", sourceLocation: sourceLocation)
    #expect(lines.done?.outcome.string == "error", "\(lines)", sourceLocation: sourceLocation)
    #expect(lines.codes == [code], "\(lines)", sourceLocation: sourceLocation)
    let error = try #require(
      lines.dropLast().last { $0.hotline != .missing }, sourceLocation: sourceLocation)
    #expect(lines.dropLast().last?.text == error.text, sourceLocation: sourceLocation)
    #expect(error.hotline.accepted.bool == true, sourceLocation: sourceLocation)
    #expect(error.hotline.sent.string == sent, "\(error)", sourceLocation: sourceLocation)
    #expect(error.request_id == lines.done?.request_id, sourceLocation: sourceLocation)
    return error
  }

  @Test func queueTimeoutRepeatsTheLastFailureToConnect() throws {
    let rig = try Rig()
    try rig.simulator.killAtOnce()
    let lines = try rig.client().ask(request("x", options: #""queue_timeout_ms":800"#))
    let error = try expectError(lines, "queue_timeout", sent: "no")
    #expect(error.hotline.retryable.bool == true)
    #expect(error.error.message.string?.contains("refused") == true, "\(error)")
    #expect(lines.done?.connection == .null)
    #expect(lines.done?.response_id == .null)
    #expect(lines.done?.timing_ms.first_event == .null)
  }

  @Test func timeoutSaysWhatTheServerMayKnow() throws {
    let rig = try Rig()
    let client = try rig.client()
    let options = #""timeout_ms":500"#
    let mute = try client.ask(request("[[fault: silence]]", options: options))
    try expectError(mute, "timeout", sent: "unknown")
    let stuck = try client.ask(request("[[fault: silence after 3]]", options: options))
    let error = try expectError(stuck, "timeout", sent: "yes")
    #expect(error.hotline.retryable.bool == true)
    #expect(stuck.done?.events.integer == 3)
    #expect(try client.ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func longFailureEndsTheWaiting() async throws {
    // Thirty seconds of waiting; on a thread of its own it does not hold the other tests up.
    try await Threads.run {
      let rig = try Rig()
      let client = try rig.client()
      try rig.simulator.killAtOnce()
      let options = #""queue_timeout_ms":100000"#
      let lines = try client.ask(request("x", options: options), within: .seconds(90))
      let error = try self.expectError(lines, "upstream_unavailable", sent: "no")
      #expect(error.hotline.retryable.bool == true)
      let again = try client.ask(request("y", options: options))
      try self.expectError(again, "upstream_unavailable", sent: "no")
      #expect(again.done?.timing_ms.total.number ?? .infinity < 5000)
    }
  }

  @Test func aRefusedKeyFailsAtOnceWithTheServersStatus() throws {
    for status in [401, 403] {
      let rig = try Rig(["--upgrade-status", "\(status)"], isWarm: false)
      let lines = try rig.client().ask(request("x"))
      let error = try expectError(lines, "upstream_auth", sent: "no")
      #expect(error.hotline.status.integer == status)
      #expect(error.hotline.retryable.bool == false)
      #expect(lines.done?.timing_ms.total.number ?? .infinity < 10_000)
    }
  }

  @Test(arguments: [
    ["--upgrade-status", "404"], ["--upgrade-status", "426"], ["--close-after-open", "1008"],
    ["--close-after-open", "4000"], ["--error-after-open", "beta_api_shape_disabled"],
  ])
  func refusalsThatWaitingWillNotHeal(flags: [String]) throws {
    let rig = try Rig(flags, isWarm: false)
    let client = try rig.client()
    // This one may have been on the connection that was then refused.
    let first = try client.ask(request("x"))
    #expect(first.done?.outcome.string == "error", "\(first)")
    // A dial beside it may open yet, and take a request, before it is refused as well.
    try rig.daemon.waitForStatus("failing, and no dial under way") {
      $0.upstreams[0].state.string == "failing" && $0.upstreams[0].connections.array.isEmpty
    }
    let lines = try client.ask(request("x"))
    let error = try expectError(lines, "upstream_rejected", sent: "no")
    #expect(error.hotline.retryable.bool == false)
    switch flags {
    case ["--upgrade-status", "404"]: #expect(error.hotline.status.integer == 404)
    case ["--upgrade-status", "426"]: #expect(error.hotline.status.integer == 426)
    case ["--close-after-open", "1008"]: #expect(error.hotline.close_code.integer == 1008)
    case ["--close-after-open", "4000"]: #expect(error.hotline.close_code.integer == 4000)
    default: #expect(error.error.message.string?.contains("beta_api_shape_disabled") == true)
    }
  }

  @Test func theServersIDOfARefusalOrAConnectionIsTold() throws {
    let refusing = try Rig(
      ["--upgrade-status", "401", "--echo-key", "--retry-after", "7"], isWarm: false)
    let lines = try refusing.client().ask(request("x"))
    let message = lines.error?.json.error.message.string ?? ""
    #expect(message.contains("401 Unauthorized (retry after 7 s, request id req_"), "\(message)")
    #expect(message.contains("Refused as ordered."), "\(message)")
    let rig = try Rig()
    let id = try rig.daemon.status().readyConnections[0].headers["x-request-id"].string
    #expect(id?.hasPrefix("req_") == true, "\(id ?? "none")")
    let page = try ChildProcess.run(
      Requires.program("hotline"), ["status", "--socket", rig.daemon.socketPath],
      environment: DaemonProcess.environment(in: rig.directory))
    #expect(page.output.contains("x-request-id:  \(id ?? "none")"), "\(page.output)")
  }

  @Test func refusalsThatPassAreWaitedFor() throws {
    for status in ["429", "503"] {
      let rig = try Rig(["--upgrade-status", status, "--refuse-first", "2"], isWarm: false)
      let lines = try rig.client().ask(request("x"))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      #expect(try rig.simulator.statistics().refusedUpgrades.integer == 2)
    }
  }

  @Test(arguments: [
    "bad-frame rsv", "bad-frame opcode", "bad-frame masked", "bad-frame continuation",
    "invalid-utf8",
  ])
  func aServerThatBreaksTheProtocol(fault: String) throws {
    let rig = try Rig()
    let client = try rig.client()
    let lines = try client.ask(request("[[fault: \(fault) after 3]]"))
    try expectError(lines, "upstream_protocol", sent: "yes")
    #expect(lines.done?.events.integer == 3)
    #expect(try client.ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func eventsOverTheLimitBreakTheProtocol() throws {
    let rig = try Rig(upstream: "event_bytes_max = \"64KiB\"")
    let client = try rig.client()
    let fits = try client.ask(request("[[fault: giant 65536 after 3]]", id: "fits"))
    #expect(fits.done?.outcome.string == "completed")
    let lines = try client.ask(request("[[fault: giant 65537 after 3]]", id: "over"))
    try expectError(lines, "upstream_protocol", sent: "yes")
  }

  @Test(arguments: ["drop", "reset", "truncate"])
  func aLostConnection(fault: String) throws {
    let rig = try Rig()
    let client = try rig.client()
    let answered = try client.ask(request("[[fault: \(fault) after 3]]"))
    let error = try expectError(answered, "connection_lost", sent: "yes")
    #expect(error.hotline.retryable.bool == true)
    #expect(answered.done?.events.integer == 3)
    let unanswered = try client.ask(request("[[fault: \(fault)]]"))
    try expectError(unanswered, "connection_lost", sent: "unknown")
    #expect(try client.ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func aCloseFramesCodeAndReasonAreTold() throws {
    let rig = try Rig()
    let client = try rig.client()
    let lines = try client.ask(request("[[fault: close 1011 out of memory after 3]]"))
    let error = try expectError(lines, "connection_lost", sent: "yes")
    #expect(error.hotline.close_code.integer == 1011)
    #expect(error.hotline.close_reason.string == "out of memory")
    let large = try client.ask(request("[[fault: close 1009 too big]]"))
    let final = try expectError(large, "connection_lost", sent: "unknown")
    #expect(final.hotline.close_code.integer == 1009)
    #expect(final.hotline.retryable.bool == false)
  }

  @Test func silenceOfAWholeServerIsNoticedByItsMissingPong() throws {
    let rig = try Rig(upstream: "ping_interval = \"500ms\"\npong_timeout = \"500ms\"")
    let client = try rig.client()
    let lines = try client.ask(request("[[fault: dead after 3]]"))
    let error = try expectError(lines, "connection_lost", sent: "yes")
    #expect(error.error.message.string?.contains("ping") == true, "\(error)")
    // A model that thinks is no dead server: pongs come, and the request goes on.
    let thinking = try client.ask(request("[[fault: delay 2500]]"))
    #expect(thinking.done?.outcome.string == "completed")
  }

  @Test func unansweredRequestsAreSentAgainOnlyIfTheyAllowIt() throws {
    let rig = try Rig()
    let client = try rig.client()
    let allowed = try client.ask(
      request("[[fault: drop, once]] one", options: #""resend":"unanswered""#))
    #expect(allowed.done?.outcome.string == "completed")
    #expect(allowed.done?.resent.bool == true)
    #expect(allowed.codes == [])
    #expect(answerText(allowed) == "Echo: one")
    let answered = try client.ask(
      request("[[fault: drop after 1, once]] two", options: #""resend":"unanswered""#))
    try expectError(answered, "connection_lost", sent: "yes")
    let twice = try client.ask(
      request("[[fault: drop]] three", options: #""resend":"unanswered""#))
    try expectError(twice, "connection_lost", sent: "unknown")
    #expect(twice.done?.resent.bool == true)
  }

  @Test(arguments: ["websocket_connection_limit_reached", "session_expired"])
  func requestsRefusedForTheConnectionsSakeAreSentElsewhere(code: String) throws {
    let rig = try Rig()
    let client = try rig.client()
    let lines = try client.ask(request("[[fault: error \(code), once]] x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(lines.done?.resent.bool == true)
    #expect(lines.error == nil)
    let statistics = try rig.simulator.statistics()
    #expect(statistics.requests.integer == 2)
  }

  @Test func theServersOwnErrorsAndEndings() throws {
    let rig = try Rig()
    let client = try rig.client()
    let early = try client.ask(request("[[fault: error rate_limit_exceeded 429]]"))
    #expect(early.kinds == ["error", "hotline.done"])
    #expect(early.first?.code == "rate_limit_exceeded")
    #expect(early.first?.hotline == .missing)
    #expect(early.done?.outcome.string == "error")
    let after = try client.ask(request("x"))
    #expect(after.done?.connection == early.done?.connection, "an early error keeps the connection")
    let late = try client.ask(request("[[fault: error server_error 500 after 4]]"))
    #expect(late.done?.outcome.string == "error")
    #expect(late.done?.events.integer == 5)
    let elsewhere = try client.ask(request("x"))
    #expect(elsewhere.done?.connection != late.done?.connection, "a late error retires it")
    for outcome in ["failed", "incomplete"] {
      let lines = try client.ask(request("[[fault: \(outcome)]]"))
      #expect(lines.kinds.suffix(2) == ["response.\(outcome)", "hotline.done"])
      #expect(lines.done?.outcome.string == outcome)
    }
  }

  @Test func aClientThatDoesNotReadLosesOnlyItsOwnRequest() throws {
    let rig = try Rig(sections: "[socket]\nbuffer_bytes_max = \"256KiB\"")
    let slow = try rig.client()
    try slow.send(request("[[fault: deltas 3000, size 2000]]", id: "slow"))
    try rig.daemon.waitForStatus("the slow client's request has ended") { status in
      let clients = status.clients.array
      return clients.contains {
        ($0.unread_bytes.number ?? 0) > 200_000 && $0.open_requests.integer == 0
      }
    }
    let quick = try rig.client().ask(request("x", id: "quick"))
    #expect(quick.done?.outcome.string == "completed")
    let lines = try slow.lines(upTo: "the end", \.isDone)
    let error = try expectError(lines, "slow_reader", sent: "yes")
    #expect(error.hotline.retryable.bool == true)
    #expect(lines.done?.events.integer == lines.filter { $0.kind.hasPrefix("response.") }.count)
    #expect(try slow.ask(request("y", id: "next")).done?.outcome.string == "completed")
  }

  @Test func aCancelledRequestEndsAtOnceWithoutAnError() throws {
    let rig = try Rig(upstream: "connections_max = 1")
    let client = try rig.client()
    try client.send(request("[[fault: silence after 2]]", id: "running"))
    _ = try client.lines(upTo: "its events") { $0.kind == "response.in_progress" }
    try client.send(request("x", id: "waiting"))
    try client.send(#"{"type":"response.cancel","request_id":"waiting"}"#)
    let waiting = try client.lines(upTo: "waiting's end", \.isDone)
    #expect(waiting.of("waiting").done?.outcome.string == "cancelled")
    #expect(waiting.allSatisfy { !$0.isError })
    try client.send(#"{"type":"response.cancel","request_id":"running"}"#)
    let running = try client.lines(upTo: "running's end", \.isDone)
    #expect(running.kinds == ["hotline.done"])
    #expect(running.done?.outcome.string == "cancelled")
    let late = try client.answer(to: #"{"type":"response.cancel","request_id":"running"}"#)
    #expect(late.code == "unknown_request_id")
    let next = try client.ask(request("mine", id: "next"))
    #expect(next.done?.outcome.string == "completed")
    #expect(answerText(next) == "Echo: mine")
  }

  @Test func anEventAfterTheLastOneNeverReachesTheNextRequest() throws {
    let rig = try Rig(upstream: "connections_max = 1")
    let client = try rig.client()
    for number in 1...5 {
      let first = try client.ask(request("[[fault: late after terminal]] n\(number)"))
      #expect(answerText(first) == "Echo: n\(number)")
      let second = try client.ask(request("m\(number)"))
      #expect(!second.contains { $0.delta.string == "late" })
      #expect(["completed", "error"].contains(second.done?.outcome.string))
    }
  }
}
