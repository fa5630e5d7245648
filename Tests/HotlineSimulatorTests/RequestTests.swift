import Foundation
import HotlineSimulator
import Testing

@Suite struct RequestTests {
  @Test func aSecondRequestWhileBusyIsRefusedAndCounted() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("first [[fault: silence after 1]]")
      #expect(type(of: socket.text()) == "response.created")
      socket.request("second")
      #expect(code(of: socket.text()) == "response_in_progress")
      #expect(try await simulator.statistics().refusedBusy == 1)
    }
  }

  @Test func theRecordTellsOfEveryRequestBeforeItsFirstEvent() async throws {
    let path = NSTemporaryDirectory() + "record-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    // As a second run would: what is there stays.
    try Data("1 earlier\n".utf8).write(to: URL(filePath: path))
    try await withSimulator(recordPath: path) { simulator in
      for text in ["mark=a-1 Hi [[fault: silence after 1]]", "mark=b-2", "no mark"] {
        let socket = try PlainWebSocket(port: simulator.port)
        socket.request(text)
        #expect(type(of: socket.text()) == "response.created")
        if text == "mark=b-2" { _ = socket.answer() }
        socket.request("mark=refused")
        _ = socket.answer()
      }
    }
    let record = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    #expect(
      record == """
        1 earlier
        1 a-1
        1 refused
        2 b-2
        2 refused
        3 -
        3 refused

        """)
  }

  @Test func aRecordThatCannotBeWrittenIsAnError() {
    var configuration = SimulatorConfiguration()
    configuration.isPlain = true
    configuration.recordPath = "/nowhere/record"
    #expect(throws: SimulatorError.self) { try Simulator(configuration) }
  }

  @Test(arguments: [
    ("nested", #"{"type":"response.create","input":"Hi"}"#, "missing_required_parameter"),
    ("nested", #"{"type":"response.create","response":{"input":"Hi"}}"#, "invalid_request"),
    (
      "nested", #"{"type":"response.create","response":{"input":"Hi","store":true}}"#,
      "invalid_request"
    ),
    ("flat", #"{"type":"response.create","response":{"input":"Hi"}}"#, "unknown_parameter"),
    ("both", #"{"type":"response.create","response":{"input":"Hi"}}"#, "invalid_request"),
    ("both", #"{"type":"response.create","input":17}"#, "invalid_json"),
    ("both", #"{"type":"session.update"}"#, "unknown_event"),
    ("both", #"{"no":"type"}"#, "invalid_json"),
    ("both", "no JSON", "invalid_json"),
    ("both", #"{"type":"response.create","request_id":"a","input":"Hi"}"#, "unknown_parameter"),
    ("both", #"{"type":"response.create","input":"[[fault: oops]]"}"#, "invalid_fault"),
    (
      "nested", #"{"type":"response.create","response":{"input":"","store":false,"stream":true}}"#,
      "unknown_parameter"
    ),
  ])
  func badRequestsAreRefused(envelope: String, message: String, expected: String) async throws {
    try await withSimulator(["envelope": envelope]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(message)
      #expect(code(of: socket.text()) == expected)
      #expect(try await simulator.statistics().errors == 1)
    }
  }

  @Test(arguments: ["flat", "both"])
  func flatRequestsAreAnsweredWhereTheyAreTaken(envelope: String) async throws {
    try await withSimulator(["envelope": envelope]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(#"{"type":"response.create","model":"m","input":"Hi"}"#)
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
    }
  }

  @Test func cancelEndsTheRunningResponseAsRealtimeDoes() async throws {
    try await withSimulator(["gap-ms": "10000", "deltas": "3"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(#"{"type":"response.cancel"}"#)
      #expect(code(of: socket.text()) == "response_cancel_not_active")
      socket.request("Hi")
      #expect(type(of: socket.text()) == "response.created")
      socket.send(#"{"type":"response.cancel"}"#)
      let last = socket.answer().messages.last ?? ""
      #expect(type(of: last) == "response.done")
      #expect((object(last)["response"] as? [String: Any])?["status"] as? String == "cancelled")
      socket.request("Hi [[fault: gap 0]]")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      #expect(try await simulator.statistics().cancelled == 1)
    }
  }

  @Test func anInjectIsTakenAndASteeredResponseIsFollowedByAnother() async throws {
    try await withSimulator(["gap-ms": "10000", "deltas": "3"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: silence after 1]]")
      let created = object(socket.text())["response"] as? [String: Any]
      let id = created?["id"] as? String ?? ""
      socket.send(#"{"type":"response.inject","response_id":"\#(id)","input":"x"}"#)
      #expect(type(of: socket.text()) == "response.inject.created")
      socket.send(#"{"type":"response.steer","previous_response_id":"other","input":"x"}"#)
      let refused = object(socket.text())
      #expect(refused["type"] as? String == "response.steer.failed")
      #expect((refused["error"] as? [String: Any])?["code"] as? String == "response_not_found")
      socket.send(
        #"{"type":"response.steer","previous_response_id":"\#(id)","#
          + #""input":"other [[fault: gap 0]]"}"#)
      #expect(type(of: socket.text()) == "response.steer.accepted")
      let last = socket.text()
      #expect(type(of: last) == "response.incomplete")
      #expect(last.contains(#""incomplete_details":{"reason":"steered"}"#))
      let successor = socket.answer().messages
      #expect(type(of: successor.first ?? "") == "response.created")
      #expect(successor.first?.contains(#""previous_response_id":"\#(id)""#) == true)
      #expect(type(of: successor.last ?? "") == "response.completed")
      socket.send(#"{"type":"response.steer","previous_response_id":"\#(id)","input":"x"}"#)
      #expect(type(of: socket.text()) == "response.steer.failed")
      #expect(try await simulator.statistics().steered == 1)
    }
  }

  @Test func whatIsNotTakenComesBackAsItCame() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      let item = #"{"content":"a/b","role":"user"}"#
      socket.send(#"{"type":"response.steer","previous_response_id":"r","input":[\#(item)]}"#)
      #expect(socket.text().contains(#""steer":{"input":[\#(item)],"previous"#))
      socket.send(#"{"type":"response.inject","response_id":"r","input":[\#(item)]}"#)
      #expect(socket.text().contains(#""input":[\#(item)],"response_id":"r""#))
      // So does what was taken and cannot be made a response of.
      socket.request("Hi [[fault: silence after 1]]")
      let created = object(socket.text())["response"] as? [String: Any]
      let id = created?["id"] as? String ?? ""
      socket.send(
        #"{"type":"response.steer","previous_response_id":"\#(id)","input":"[[fault: oops]]"}"#)
      let accepted = object(socket.text())["steer"] as? [String: Any]
      #expect(accepted?["id"] is String)
      #expect(type(of: socket.text()) == "response.incomplete")
      let failed = object(socket.text())
      #expect(failed["type"] as? String == "response.steer.failed")
      let error = failed["error"] as? [String: Any]
      #expect(error?["code"] as? String == "successor_creation_failed")
      let steer = failed["steer"] as? [String: Any]
      #expect(steer?["id"] as? String == accepted?["id"] as? String)
      #expect(steer?["input"] as? String == "[[fault: oops]]")
      #expect(steer?["previous_response_id"] as? String == id)
      socket.request("Hi")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
    }
  }

  @Test func anInterruptEndsTheResponseForNoReasonOfTheSchemas() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: silence after 1]]")
      #expect(type(of: socket.text()) == "response.created")
      socket.send(#"{"type":"response.interrupt"}"#)
      let last = socket.text()
      #expect(type(of: last) == "response.incomplete")
      #expect(last.contains(#""incomplete_details":null"#))
    }
  }

  @Test func aSteerNamesNoLane() async throws {
    try await withSimulator(["lanes": "true"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(
        #"{"type":"response.steer","stream_id":"a","previous_response_id":"r","input":"x"}"#)
      #expect(code(of: socket.text()) == "unknown_parameter")
      #expect(try await simulator.statistics().violations == 1)
    }
  }

  @Test func framesThatAreNotMaskedAreAViolation() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.sendFrame(0x81, Array("{}".utf8), masked: false)
      #expect(socket.next() == .close(code: 1002, reason: "unmasked frame"))
      #expect(try await simulator.statistics().violations == 1)
    }
  }

  @Test func fragmentsAreJoinedAndTextMustBeUTF8() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.sendFrame(0x01, Array(#"{"type":"respon"#.utf8))
      socket.sendFrame(0x89, [7])
      socket.sendFrame(0x80, Array(#"se.cancel"}"#.utf8))
      #expect(socket.next() == .pong([7]))
      #expect(code(of: socket.text()) == "response_cancel_not_active")
      socket.sendFrame(0x81, [0xC3, 0x28])
      #expect(socket.next() == .close(code: 1007, reason: "not UTF-8"))
    }
  }

  @Test func aMessageOverTheLimitIsClosedWith1009() async throws {
    try await withSimulator(["message-bytes-max": "100"]) { simulator in
      let atLimit = try PlainWebSocket(port: simulator.port)
      atLimit.sendFrame(0x81, Array(#"{"type":"x"}"#.utf8) + Array(repeating: 0x20, count: 88))
      #expect(code(of: atLimit.text()) == "unknown_event")
      atLimit.sendFrame(0x81, Array(#"{"type":"x"}"#.utf8) + Array(repeating: 0x20, count: 89))
      #expect(atLimit.next() == .close(code: 1009, reason: "message too big"))
    }
  }
}

extension PlainWebSocket {
  /// The next input's text, empty if it is no text message.
  func text() -> String {
    if case .text(let text) = next() { text } else { "" }
  }
}
