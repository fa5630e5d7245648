import TestSupport
import Testing

/// What a client sees of requests that go well.
struct RelayTests {
  static let order = [
    "response.created", "response.in_progress", "response.output_item.added",
    "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
    "response.output_text.done", "response.content_part.done", "response.output_item.done",
    "response.completed", "hotline.done",
  ]

  @Test func bothEnvelopesBringTheServersEventsInItsOrder() throws {
    let rig = try Rig()
    let client = try rig.client()
    let nested = try client.ask(request("Hello!"))
    let flat = try client.ask(
      #"{"type":"response.create","request_id":"a2","model":"m","input":"Hello!"}"#)
    for (id, lines) in [("a1", nested), ("a2", flat)] {
      #expect(lines.kinds == Self.order)
      #expect(lines.allSatisfy { $0.text.hasPrefix("{") && $0.request_id.string == id })
      #expect(answerText(lines) == "Echo: Hello!")
    }
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0)
    #expect(statistics.completed.integer == 2)
  }

  @Test func doneSaysEverythingThatIsKnown() throws {
    let rig = try Rig()
    let lines = try rig.client().ask(request("Hello!"))
    let done = try #require(lines.done)
    let terminal = try #require(lines.first { $0.kind == "response.completed" })
    #expect(
      done.json.names == [
        "type", "request_id", "outcome", "response_id", "upstream", "connection", "reused",
        "resent", "usage", "cost_usd", "timing_ms", "events",
      ])
    #expect(done.outcome.string == "completed")
    #expect(done.response_id == terminal.response.id)
    #expect(done.upstream.string == "sim")
    #expect(done.connection.integer ?? 0 > 0)
    #expect(done.reused.bool == true)
    #expect(done.resent.bool == false)
    #expect(done.usage == terminal.response.usage)
    #expect(done.usage.output_tokens.integer == 2)
    #expect(done.cost_usd == .null)
    #expect(done.events.integer == 10)
    let times = ["queued", "first_event", "first_text", "total"].map { done.timing_ms[$0].number }
    let known = times.compactMap { $0 }
    #expect(known.count == 4 && known == known.sorted() && known[0] >= 0, "\(done)")
  }

  @Test func requestIDsComeBackAsTheyWereSpelt() throws {
    let rig = try Rig()
    let client = try rig.client()
    for spelling in ["1", #""1""#, #""\u0061""#, "-12345678901234567890", #""é \" \\ /""#] {
      let lines = try client.ask(
        #"{"type":"response.create","request_id":\#(spelling),"input":"x"}"#)
      #expect(lines.done?.outcome.string == "completed")
      #expect(lines.allSatisfy { $0.text.contains(#""request_id":\#(spelling),"#) })
    }
    for expected in ["r1", "r2"] {
      let lines = try client.ask(request("x", id: nil))
      #expect(lines.allSatisfy { $0.request_id.string == expected })
    }
  }

  @Test func eventsTextAndFinalLeaveOutTheRest() throws {
    let rig = try Rig()
    let client = try rig.client()
    let text = try client.ask(request("one two", options: #""events":"text""#))
    #expect(
      text.kinds == Array(repeating: "response.output_text.delta", count: 3) + [
        "response.completed", "hotline.done",
      ])
    #expect(text.done?.events.integer == 4)
    let final = try client.ask(request("one two", options: #""events":"final""#))
    #expect(final.kinds == ["response.completed", "hotline.done"])
    #expect(final.done?.events.integer == 1)
    #expect(final.done?.timing_ms.first_text.number != nil)
  }

  @Test func deltasThatQuoteTerminalEventsAreDeltas() throws {
    let rig = try Rig()
    let text = #"{"type":"response.completed","request_id":"zz"}"#
    let lines = try rig.client().ask(request(text))
    #expect(answerText(lines) == "Echo: " + text)
    #expect(lines.done?.outcome.string == "completed")
  }

  @Test func oddMessagesPassByteForByte() throws {
    let rig = try Rig()
    let lines = try rig.client().ask(request("[[fault: odd after 5]] x", id: "o"))
    let id = #""request_id":"o""#
    let delta = #""type":"response.output_text.delta""#
    let expected = [
      #"{\#(id),\#(delta),"upstream_request_id":"server-own","upstream_hotline":1,"delta":"own"}"#,
      #"{\#(id),\#(delta),"upstream_request_id":"escaped","delta":"own id, escaped"}"#,
      #"{\#(id),"\u0074ype":"response.output_text.delta","delta":"escaped name"}"#,
      #"{\#(id),"type":"response.output_text\u002edelta","delta":"escaped value"}"#,
      #"{\#(id)}"#,
      #"{\#(id) }"#,
      #"{\#(id),\#(delta),"delta":"leading space"}"#,
      #"{\#(id),"delta":"{\"type\":\"response.completed\"}",\#(delta)}"#,
      #"{\#(id),"x":{"type":"response.completed"},\#(delta),"delta":"nested"}"#,
      #"{\#(id),\#(delta),"delta":"n","n":123456789012345678.5e-400,"d":1,"d":2}"#,
      #"{\#(id),\#(delta),"delta":"\ud83d\ude00 \u0000 tail"}"#,
      #"{\#(id),"type":17}"#,
      #"{\#(id),"type":"ping"}"#,
      #"{\#(id),"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":12.5}}}"#,
    ]
    let texts = lines.map { $0.text.trimmingSpaces }
    for line in expected { #expect(texts.contains(line), "missing: \(line)") }
    let raw = lines.filter { $0.kind == "hotline.raw" }.compactMap(\.data.string)
    #expect(
      raw == [
        #"{\#(delta),"type":"response.completed","delta":"two types"}"#,
        #"{"type":"hotline.done","outcome":"completed"}"#,
        "[1,2,3]", #""a string""#, "null",
      ])
    #expect(lines.filter(\.isDone).count == 1)
    #expect(lines.done?.outcome.string == "completed")
  }

  @Test func whatIsNoEventComesAsRaw() throws {
    let rig = try Rig()
    let client = try rig.client()
    let garbage = try client.ask(request("[[fault: garbage after 4]]"))
    #expect(garbage.first { $0.kind == "hotline.raw" }?.data.string == "this is not JSON {")
    #expect(garbage.done?.outcome.string == "completed")
    let binary = try client.ask(request("[[fault: binary after 4]]"))
    let raw = try #require(binary.first { $0.kind == "hotline.raw" })
    #expect(raw.data.string == "AP97fQ==")
    #expect(raw.base64.bool == true)
    #expect(binary.done?.outcome.string == "completed")
  }

  @Test func eventsInFragmentsWithPingsBetweenAreWhole() throws {
    let rig = try Rig()
    let lines = try rig.client().ask(request("[[fault: fragment 7]] Hello!"))
    #expect(lines.kinds == Self.order)
    // One event larger than all that may wait unread at a client, which reads.
    let giant = try rig.client().ask(request("[[fault: giant 20000000 after 4]] Hello!"))
    #expect(giant.done?.outcome.string == "completed", "\(giant.error as Any)")
    #expect(answerText(giant) == "Echo: Hello!")
    let trickled = try rig.client().ask(request("[[fault: slow-bytes 64]] Hello!"))
    #expect(trickled.kinds == Self.order)
  }

  @Test func toolCallsAndStructuredOutputsPassUnchanged() throws {
    let rig = try Rig()
    let client = try rig.client()
    let tools =
      #","tools":[{"type":"function","name":"look_up","parameters":{"type":"object"}}]"#
    let call = try client.ask(request("call the tool now", more: tools))
    let item = call.first { $0.kind == "response.completed" }?.response.output[0]
    #expect(item?.type.string == "function_call")
    #expect(item?.name.string == "look_up")
    let format = #","text":{"format":{"type":"json_schema","name":"a","schema":{}}}"#
    let structured = try client.ask(request("a word", more: format))
    #expect(try JSON(parsing: answerText(structured)).answer.string == "Echo: a word")
  }

  @Test func crlfBlankLinesAndALastLineWithoutLFAreTaken() throws {
    let rig = try Rig()
    let client = try rig.client()
    let text = "\r\n\n" + request("x", id: "c1") + "\r\n\n  \n" + request("y", id: "c2")
    try client.write(Array(text.utf8))
    client.shutDownWriting()
    let lines = try client.linesToEnd()
    #expect(lines.filter(\.isDone).compactMap(\.request_id.string).sorted() == ["c1", "c2"])
    #expect(lines.allSatisfy { !$0.isError })
  }

  @Test func requestsThatWaitAreToldOnce() throws {
    let rig = try Rig(upstream: "connections_max = 1")
    let client = try rig.client()
    try client.send(request("[[fault: delay 1500]]", id: "first"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    try client.send(request("x", id: "second"))
    let lines = try client.lines(upTo: "second's end") {
      $0.isDone && $0.request_id.string == "second"
    }
    let notices = lines.filter { $0.kind == "hotline.queued" }
    #expect(notices.count == 1)
    #expect(notices.first?.request_id.string == "second")
    #expect(notices.first?.position.integer == 1)
    #expect(notices.first?.reason.string == "busy")
    #expect(lines.of("second").first?.kind == "hotline.queued")
    #expect(lines.of("second").done?.timing_ms.queued.number ?? 0 > 100)
  }

  @Test func pingAndStatusSayWhatIsGoingOn() throws {
    let rig = try Rig()
    let client = try rig.client()
    let pong = try client.answer(to: #"{"type":"hotline.ping","request_id":7}"#)
    #expect(pong.kind == "hotline.pong")
    #expect(pong.request_id.integer == 7)
    #expect(pong.protocol.integer == 1)
    #expect(pong.pid.integer == Int(rig.daemon.process.pid))
    #expect(pong.version.string?.isEmpty == false)
    #expect(pong.uptime_s.number ?? -1 >= 0)
    #expect(try client.answer(to: #"{"type":"hotline.ping"}"#).request_id == .missing)
    try client.send(request("[[fault: silence]]", id: "quiet"))
    let status = try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    #expect(status.upstreams[0].name.string == "sim")
    #expect(status.upstreams[0].default.bool == true)
    let connection = try #require(status.busyConnections.first)
    #expect(connection.lanes_busy.integer == 1)
    #expect(connection.tls_version.string == "TLSv1.3")
    let own = status.clients.array.filter { $0.open_requests.integer == 1 }
    #expect(own.count == 1)
    #expect(own.first?.pid.integer == Int(ProcessIdentity.own))
  }

  @Test func theConfigurationFillsInWhatRequestsLeaveOut() throws {
    let rig = try Rig(sections: "[defaults]\nmodel = \"of-the-file\"")
    let client = try rig.client()
    let filled = try client.ask(#"{"type":"response.create","response":{"input":"x"}}"#)
    #expect(filled.first?.response.model.string == "of-the-file", "\(filled)")
    let own = try client.ask(request("x"))
    #expect(own.first?.response.model.string == "m")
  }

  @Test func whatWasWrittenBeforeAHangUpIsStillRead() throws {
    let rig = try Rig()
    let client = try rig.client()
    let options = #""on_hangup":"finish""#
    try client.send(request("x", id: "kept", options: options))
    client.close()
    try rig.simulator.waitForStatistics("its completion") { $0.completed.integer == 1 }
    let other = try rig.client()
    try other.send(request("[[fault: delay 300]] y", id: "dropped"))
    other.close()
    try rig.daemon.waitForStatus("nothing open") { status in
      status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
    #expect(try rig.client().ask(request("z")).done?.outcome.string == "completed")
    #expect(try rig.simulator.statistics().completed.integer == 2)
  }

  @Test func theFlatEnvelopeIsWrittenWhereTheUpstreamWantsIt() throws {
    let rig = try Rig(["--envelope", "flat"], upstream: #"envelope = "flat""#)
    let client = try rig.client()
    #expect(try client.ask(request("x")).done?.outcome.string == "completed")
    #expect(
      try client.ask(#"{"type":"response.create","input":"x"}"#).done?.outcome.string
        == "completed")
  }
}

extension String {
  /// Without spaces around it.
  fileprivate var trimmingSpaces: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
