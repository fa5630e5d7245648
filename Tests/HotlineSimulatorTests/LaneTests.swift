import HotlineSimulator
import Testing

/// Several responses on one connection.
@Suite struct LaneTests {
  private func request(_ lane: String, _ input: String, _ more: String = "") -> String {
    #"{"type":"response.create","stream_id":"\#(lane)","#
      + #""response":{"store":false,"input":"\#(input)"\#(more)}}"#
  }

  private func lane(of text: String?) -> String? {
    text.flatMap { object($0)["stream_id"] as? String }
  }

  @Test func lanesRunSideBySideAndEveryEventNamesItsLane() async throws {
    try await withSimulator(["lanes": "true", "deltas": "2"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(request("a", "[[fault: silence after 2]] mark=one"))
      for _ in 0..<2 { #expect(lane(of: socket.text()) == "a") }
      socket.send(request("b", "mark=two"))
      let (events, _) = socket.answer()
      #expect(events.map(type(of:)).last == "response.completed")
      #expect(events.allSatisfy { lane(of: $0) == "b" })
      socket.send(request("a", "again"))
      let refusal = socket.text()
      #expect(code(of: refusal) == "response_in_progress")
      #expect(lane(of: refusal) == "a")
      #expect(try await simulator.statistics().responsesAtOnceMax == 2)
    }
  }

  @Test func aLaneContinuesItsOwnLatestResponse() async throws {
    try await withSimulator(["lanes": "true", "deltas": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(request("a", "x"))
      let last = socket.answer().messages.last ?? ""
      let id = (object(last)["response"] as? [String: Any])?["id"] as? String ?? ""
      let more = #","previous_response_id":"\#(id)""#
      socket.send(request("b", "y", more))
      #expect(code(of: socket.text()) == "previous_response_not_found")
      socket.send(request("a", "y", more))
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
    }
  }

  @Test func namesAreRefusedWhereThereAreNoLanesAndWhereThereAreTooMany() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(request("a", "x"))
      #expect(code(of: socket.text()) == "unknown_parameter")
    }
    try await withSimulator(["lanes": "true", "deltas": "0"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      for number in 0..<32 {
        socket.send(request("n\(number)", "x"))
        #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      }
      socket.send(request("n32", "x"))
      #expect(code(of: socket.text()) == "websocket_stream_limit_reached")
      socket.send(request("n0", "x"))
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      for name in ["", "a b", "ä", String(repeating: "n", count: 257)] {
        socket.send(request(name, "x"))
        #expect(code(of: socket.text()) == "unknown_parameter")
      }
    }
  }

  @Test func whatEndsALanesConnectionEndsAllOfThem() async throws {
    try await withSimulator(["lanes": "true"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.send(request("a", "[[fault: silence after 1]]"))
      #expect(lane(of: socket.text()) == "a")
      socket.send(request("b", "[[fault: close 1012 over after 1]]"))
      let (events, end) = socket.answer()
      #expect(events.allSatisfy { lane(of: $0) == "b" })
      #expect(end == .close(code: 1012, reason: "over"))
    }
  }

  @Test func onlySixteenResponsesOfAConnectionRunAtATime() async throws {
    try await withSimulator(["lanes": "true", "deltas": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      func begin(_ name: String) -> String {
        socket.send(request(name, "[[fault: silence after 1]]"))
        let created = object(socket.text())
        #expect(created["stream_id"] as? String == name)
        return (created["response"] as? [String: Any])?["id"] as? String ?? ""
      }
      let ids = (1...16).map { begin("n\($0)") }
      for name in ["n17", "n18"] { socket.send(request(name, name)) }
      socket.send(request("n17", "one too many there"))
      let refusal = socket.text()
      #expect(code(of: refusal) == "response_in_progress")
      #expect(lane(of: refusal) == "n17")
      #expect(try await simulator.statistics().queued == 2)
      // What follows a steered response takes its place, though others wait.
      socket.send(
        #"{"type":"response.steer","previous_response_id":"\#(ids[2])","#
          + #""input":"[[fault: silence after 1]]"}"#)
      var steered = (0..<3).map { _ in socket.text() }
      #expect(steered.map(lane(of:)) == ["n3", "n3", "n3"])
      #expect(type(of: steered.removeLast()) == "response.created")
      // Each that ends makes place for one, in their order.
      socket.send(#"{"type":"response.cancel","response_id":"\#(ids[0])"}"#)
      #expect(lane(of: socket.text()) == "n1")
      for name in ["n17", "n18"] {
        let (events, _) = socket.answer()
        #expect(events.map(type(of:)).last == "response.completed")
        #expect(events.allSatisfy { lane(of: $0) == name }, "\(name)")
      }
      #expect(try await simulator.statistics().responsesAtOnceMax == 16)
      // Its connection's end is theirs too.
      socket.send(request("n1", "[[fault: silence after 1]]"))
      #expect(lane(of: socket.text()) == "n1")
      socket.send(request("n19", "waits"))
      socket.send(#"{"type":"response.cancel","response_id":"none"}"#)
      #expect(code(of: socket.text()) == "response_cancel_not_active")
      try await simulator.end(.close(code: 1001, reason: "over"))
      #expect(socket.next() == .close(code: 1001, reason: "over"))
    }
  }
}
