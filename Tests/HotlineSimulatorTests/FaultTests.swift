import Foundation
import HotlineSimulator
import Testing

@Suite struct FaultTests {
  /// What comes of a request that orders this fault.
  private func outcome(
    of fault: String, timeout: Int = 20_000
  ) async throws -> (messages: [String], end: PlainWebSocket.Input?, socket: PlainWebSocket) {
    var result: (messages: [String], end: PlainWebSocket.Input?, socket: PlainWebSocket)?
    try await withSimulator(["deltas": "3"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.setTimeout(milliseconds: timeout)
      socket.request("Hi [[fault: \(fault)]]")
      let (messages, end) = socket.answer()
      result = (messages, end, socket)
    }
    return try #require(result)
  }

  @Test(arguments: [
    ("drop after 3", 3, PlainWebSocket.Input.end),
    ("truncate after 3", 3, .end),
    ("reset after 3", 3, .reset),
    ("drop", 0, .end),
    ("close 1012 going away after 2", 2, .close(code: 1012, reason: "going away")),
    ("close", 0, .close(code: 1011, reason: "")),
    ("binary after 1", 1, .binary([0x00, 0xFF, 0x7B, 0x7D])),
    ("bad-frame after 1", 1, .forbidden(firstByte: 0xC1)),
    ("bad-frame opcode after 1", 1, .forbidden(firstByte: 0x83)),
    ("bad-frame masked after 1", 1, .forbidden(firstByte: 0x81)),
    ("bad-frame continuation after 1", 1, .forbidden(firstByte: 0x80)),
  ])
  func theFaultComesAfterSoManyEvents(
    fault: String, events: Int, end: PlainWebSocket.Input
  ) async throws {
    let outcome = try await outcome(of: fault)
    #expect(outcome.messages.count == events)
    #expect(outcome.end == end)
  }

  @Test func silenceStillAnswersPingsAndDeathDoesNot() async throws {
    for (fault, answer) in [("silence", PlainWebSocket.Input.pong([9])), ("dead", .nothing)] {
      try await withSimulator { simulator in
        let socket = try PlainWebSocket(port: simulator.port)
        socket.request("Hi [[fault: \(fault) after 1]]")
        #expect(socket.text().contains("response.created"))
        if answer == .nothing { socket.setTimeout(milliseconds: 300) }
        socket.sendFrame(0x89, [9])
        #expect(socket.next() == answer)
      }
    }
  }

  @Test(arguments: [
    ("failed", "response.failed"), ("incomplete", "response.incomplete"),
    ("error boom 500 after 4", "error"),
  ])
  func responsesEndOtherwise(fault: String, expected: String) async throws {
    #expect(try await outcome(of: fault).messages.map(type(of:)).last == expected)
  }

  @Test func anErrorHasItsCodeAndStatusAndTheConnectionStaysUsable() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: error boom 503]]")
      let message = socket.text()
      #expect(code(of: message) == "boom")
      #expect(object(message)["status"] as? Int == 503)
      socket.request("Hi")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
    }
  }

  @Test func anErrorThatConcernsTheConnectionClosesIt() async throws {
    let code = "websocket_connection_limit_reached"
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: error \(code), once]]")
      #expect(HotlineSimulatorTests.code(of: socket.text()) == code)
      #expect(socket.next() == .close(code: 1001, reason: code))
      let other = try PlainWebSocket(port: simulator.port)
      other.request("Hi [[fault: error \(code), once]]")
      #expect(other.answer().messages.map(type(of:)).last == "response.completed")
    }
  }

  @Test func noTerminalLeavesTheConnectionBusy() async throws {
    let outcome = try await outcome(of: "no-terminal", timeout: 1500)
    #expect(outcome.messages.map(type(of:)).last == "response.output_item.done")
    #expect(outcome.end == .nothing)
  }

  @Test func somethingLateFollowsTheTerminalEvent() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: late after terminal]]")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      #expect(type(of: socket.text()) == "response.output_text.delta")
    }
  }

  @Test func garbageAndOddMessagesComeBetweenTheEvents() async throws {
    let garbage = try await outcome(of: "garbage after 1").messages
    #expect(object(garbage[1]).isEmpty)
    #expect(garbage.count == 12)
    let invalid = try await outcome(of: "invalid-utf8 after 1").messages
    #expect(invalid[1].contains("\u{FFFD}"))
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: odd after 1, deltas 0]]")
      var messages: [String] = []
      while messages.last?.hasPrefix(#"{"type":"response.completed""#) != true {
        guard case .text(let text) = socket.next() else { break }
        messages.append(text)
      }
      #expect(messages.contains("{}"))
      #expect(messages.contains("null"))
      #expect(messages.filter { $0.contains(#""sequence_number":"#) }.count == 8)
      #expect(messages.count > 20)
    }
  }

  @Test func aGiantEventHasTheOrderedSize() async throws {
    let messages = try await outcome(of: "giant 3000000 after 2").messages
    #expect(messages[2].utf8.count == 3_000_000)
    #expect(type(of: messages[2]) == "response.image_generation_call.partial_image")
    #expect(messages.count == 12)
  }

  @Test func prettyEventsHaveLineBreaksAndMeanTheSame() async throws {
    let messages = try await outcome(of: "pretty").messages
    #expect(messages.count == 11)
    #expect(messages.allSatisfy { $0.contains("\n") && !object($0).isEmpty })
  }

  @Test func fragmentsHavePingsBetweenThem() async throws {
    let outcome = try await outcome(of: "fragment 4")
    #expect(outcome.messages.map(type(of:)).last == "response.completed")
    #expect(outcome.messages.count == 11)
    #expect(outcome.socket.framesOfMessage == 4)
    #expect(outcome.socket.pingsInMessages == 33)
  }

  @Test func slowBytesAreSlowAndComplete() async throws {
    let start = ContinuousClock.now
    let messages = try await outcome(of: "slow-bytes 40, deltas 0").messages
    // About 4,000 bytes, 40 a millisecond.
    #expect(ContinuousClock.now - start > .milliseconds(50))
    #expect(messages.map(type(of:)).last == "response.completed")
  }

  @Test func delayAndGapsAreKept() async throws {
    let start = ContinuousClock.now
    let outcome = try await outcome(of: "delay 100, gap 50, deltas 3")
    #expect(outcome.messages.count == 11)
    #expect(ContinuousClock.now - start > .milliseconds(195))
  }

  @Test func theCommandLineFaultIsForRequestsThatOrderNone() async throws {
    try await withSimulator(["fault": "failed"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi")
      #expect(socket.answer().messages.map(type(of:)).last == "response.failed")
      socket.request("Hi [[fault: incomplete]]")
      #expect(socket.answer().messages.map(type(of:)).last == "response.incomplete")
    }
  }
}
