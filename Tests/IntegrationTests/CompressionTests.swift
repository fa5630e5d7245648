import TestSupport
import Testing

/// Messages compressed by the daemon and by the simulator, each with its own way to zlib.
@Suite(.serialized)
struct CompressionTests {
  /// One word, and not too long to be echoed whole.
  private static let text = String(repeating: "what-has-been-said-before.", count: 100)
  /// What is not echoed.
  private static let instructions = String(repeating: "Say again what I say. ", count: 5000)

  private func play(_ rig: Rig) throws {
    let client = try rig.client()
    let faults = ["", "[[fault: fragment 3]]", "[[fault: pretty]]", "[[fault: slow-bytes 5000]]"]
    for (number, fault) in faults.enumerated() {
      for text in ["Hello!", Self.text] {
        let lines = try client.ask(
          request(
            "\(fault) \(text)", id: "a\(number)",
            more: #","instructions":"\#(Self.instructions)""#))
        #expect(lines.done?.outcome.string == "completed", "\(fault): \(lines.suffix(2))")
        #expect(answerText(lines) == "Echo: \(text)")
      }
    }
    let large = try client.ask(request("[[fault: giant 3000000 after 4]]"))
    #expect(large.contains { $0.bytes.count > 3_000_000 })
    #expect(large.done?.outcome.string == "completed")
  }

  @Test(arguments: [
    "on", "server_no_context_takeover; client_no_context_takeover",
    "server_max_window_bits=9; client_max_window_bits=9",
  ])
  func bytesThatAreSavedShowInTheStatus(agreed: String) throws {
    let rig = try Rig(
      ["--compression", agreed], upstream: "compression = \"auto\"\nconnections_max = 1")
    let before = try rig.daemon.status().readyConnections[0]
    #expect(before.deflate.bool == true)
    #expect(before.saved_bytes.integer == 0)
    try play(rig)
    let connection = try rig.daemon.waitUntilWarm().readyConnections[0]
    #expect(connection.number == before.number)
    // Eight long requests, and the one large event.
    let plain = 8 * Self.instructions.utf8.count + 3_000_000
    let saved = connection.saved_bytes.integer ?? 0
    #expect(saved > plain * 3 / 4, "\(saved) of \(plain)")
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0)
    #expect(statistics.compressedMessagesReceived.integer == 9)
    #expect(statistics.compressedMessagesSent == statistics.messagesSent)
    // What is counted survives its connection and a reload, and is shown to people.
    try rig.simulator.command("drop all")
    #expect(try rig.client().answer(to: #"{"type":"hotline.reload"}"#).kind == "hotline.ok")
    let after = try rig.daemon.waitForStatus("another connection") { status in
      status.readyConnections.contains { $0["number"] != connection["number"] }
    }
    #expect(after.readyConnections[0].saved_bytes.integer == 0)
    #expect(after.upstreams[0].saved_bytes.integer == saved)
    #expect(try rig.hotline(["status"]).output.contains("  compression  3."))
  }

  @Test(arguments: [("on", "off"), ("none", "auto")])
  func nothingIsCompressedUnlessBothWantIt(server: String, daemon: String) throws {
    let rig = try Rig(["--compression", server], upstream: "compression = \"\(daemon)\"")
    try play(rig)
    let connection = try rig.daemon.waitUntilWarm().readyConnections[0]
    #expect(connection.deflate.bool == false)
    #expect(connection.saved_bytes == .null)
    #expect(try !rig.hotline(["status"]).output.contains("compression"))
    let statistics = try rig.simulator.statistics()
    #expect(statistics.compressedMessagesReceived.integer == 0)
    #expect(statistics.compressedMessagesSent.integer == 0)
  }

  @Test func aWindowThatZlibCannotCompressWithIsOneWayOnly() throws {
    let rig = try Rig(
      ["--compression", "client_max_window_bits=8"], upstream: "connections_max = 1")
    try play(rig)
    let statistics = try rig.simulator.statistics()
    #expect(statistics.compressedMessagesReceived.integer == 0)
    #expect(statistics.compressedMessagesSent == statistics.messagesSent)
    let status = try rig.daemon.waitUntilWarm()
    #expect(status.readyConnections[0].saved_bytes.integer ?? 0 > 2_000_000)
  }

  @Test func aBombIsClosedWith1009AndTheNextRequestGoesOn() throws {
    let rig = try Rig(["--compression", "on"], upstream: "event_bytes_max = \"1MiB\"")
    let client = try rig.client()
    let lines = try client.ask(request("[[fault: giant 50000000 after 4]]"))
    #expect(lines.codes == ["upstream_protocol"], "\(lines)")
    #expect(lines.error?.hotline.sent.string == "yes")
    #expect(lines.error?.json.error.message.string?.contains("1009") == true, "\(lines)")
    #expect(try client.ask(request("again")).done?.outcome.string == "completed")
  }
}
