import HotlineCore
import TestSupport
import Testing

@testable import HotlineDaemon

/// Several responses on one connection, with the upstream's part in the test's hands.
@Suite(.serialized) struct LoopLaneTests {
  private func created(_ lane: Int) -> String {
    #"{"type":"response.created","stream_id":"lane-\#(lane)","response":{"id":"resp_\#(lane)"}}"#
  }

  private func delta(_ lane: Int, _ text: String) -> String {
    #"{"type":"response.output_text.delta","stream_id":"lane-\#(lane)","delta":"\#(text)"}"#
  }

  private func completed(_ lane: Int) -> String {
    #"{"type":"response.completed","stream_id":"lane-\#(lane)","#
      + #""response":{"id":"resp_\#(lane)","usage":{}}}"#
  }

  /// An open connection with lanes, and two clients of which each has a request running there.
  private func running(
    _ log: LogCapture = LogCapture(), _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> (LoopRig, UnixSocket, UnixSocket) {
    let rig = try LoopRig(log: log.logger) { configuration in
      configuration.upstreams[0].limits.lanes = 4
      change(&configuration)
    }
    try rig.onLoop { $0.open() }
    let (one, two) = (try rig.connect(), try rig.connect())
    try one.write(request("a"))
    #expect(try rig.waits { $0.link?.running != nil })
    // The first response shows that the server knows lanes.
    try rig.onLoop { [created = created(1)] in $0.answer(created) }
    #expect(try one.readLines(1)[0].contains("response.created"))
    try two.write(request("b"))
    #expect(
      try rig.waits { $0.link?.runningInWords == "request 1 on lane-1, request 2 on lane-2" })
    try rig.onLoop { [created = created(2)] in $0.answer(created) }
    #expect(try two.readLines(1)[0].contains("response.created"))
    return (rig, one, two)
  }

  private func text(_ lines: [String]) -> String {
    lines.compactMap { line in
      line.firstRange(of: #""delta":""#).map { line[$0.upperBound...].prefix { $0 != "\"" } }
    }.joined()
  }

  @Test func responsesRunSideBySideAndEachGoesToItsClient() throws {
    let (rig, one, two) = try running()
    let events = [
      delta(1, "a1"), delta(2, "b1"), delta(2, "b2"), delta(1, "a2"), completed(2), delta(1, "a3"),
    ]
    let last = completed(1)
    try rig.onLoop { daemon in
      for event in events { daemon.answer(event) }
      #expect(daemon.link?.running?.number == RequestNumber(1), "the only one left")
      daemon.answer(last)
    }
    let (ofOne, ofTwo) = (try one.readLines(5), try two.readLines(4))
    #expect(text(ofOne) == "a1a2a3")
    #expect(text(ofTwo) == "b1b2")
    #expect(ofOne.allSatisfy { $0.contains(#""request_id":"a""#) && !$0.contains("lane-2") })
    #expect(ofTwo.allSatisfy { $0.contains(#""request_id":"b""#) && !$0.contains("lane-1") })
    for lines in [ofOne, ofTwo] {
      #expect(lines.last?.contains(#""outcome":"completed""#) == true)
      #expect(lines.last?.contains(#""connection":1"#) == true)
    }
    #expect(try rig.onLoop { $0.links.count } == 1)
    one.close()
    two.close()
    #expect(try rig.isEmpty())
  }

  @Test func aNameWithEscapesIsTheSameLane() throws {
    let (rig, one, two) = try running()
    let events = [delta(1, "a"), delta(2, "b")].map {
      $0.replacing("lane-", with: #"l\u0061ne\u002d"#)
    }
    try rig.onLoop { daemon in events.forEach { daemon.answer($0) } }
    #expect(try one.readLines(1)[0].contains(#""delta":"a""#))
    #expect(try two.readLines(1)[0].contains(#""delta":"b""#))
  }

  @Test func aSlowReaderHoldsNobodyUpWhoSharesItsConnection() throws {
    let (rig, slow, quick) = try running { $0.limits.bufferBytesMax = 1 << 20 }
    let large = delta(1, String(repeating: "x", count: 100_000))
    let small = delta(2, "b")
    let last = completed(2)
    try rig.onLoop { daemon in
      for _ in 0..<40 {
        daemon.answer(large, small)
        guard case .fresh = daemon.link?.patience.state else {
          Issue.record("the server is held up")
          return
        }
      }
      #expect(daemon.requests.count == 1, "the slow one has ended")
      #expect(daemon.broker.counters.errorsByCode[.slowReader] == 1)
      #expect(daemon.link?.runningInWords == "request 2 on lane-2")
      daemon.answer(last)
    }
    let lines = try quick.readLines(42)
    #expect(text(lines) == String(repeating: "b", count: 40))
    #expect(lines.last?.contains(#""outcome":"completed""#) == true)
    slow.shutDownWriting()
    #expect(try slow.readToEnd().contains(#""code":"slow_reader""#))
  }

  /// Alone, a client may be slow for a while; whoever comes to its connection ends that.
  @Test func aServerThatIsHeldUpGoesOnWhenAnotherRequestJoins() throws {
    let (rig, one, two) = try running { $0.limits.bufferBytesMax = 1 << 20 }
    let (end, giant) = (completed(2), delta(1, String(repeating: "x", count: 3 << 20)))
    let small = delta(1, "y")
    try rig.onLoop { daemon in
      daemon.answer(end)
      daemon.answer(giant, small)
      guard case .holding = daemon.link?.patience.state else {
        Issue.record("not held up")
        return
      }
    }
    #expect(try two.readLines(2)[1].contains("completed"))
    try two.write(request("c"))
    #expect(try rig.waits { $0.link?.runningInWords.contains("request 3 on lane-") == true })
    try rig.onLoop { daemon in
      guard case .fresh = daemon.link?.patience.state else {
        Issue.record("still held up")
        return
      }
    }
    #expect(text(try one.readLines(2)).hasSuffix("y"))
  }

  /// How long that may be follows from the configuration, which is another then.
  @Test func aServerThatIsHeldUpGoesOnAtAReload() throws {
    let (rig, one, _) = try running { $0.limits.bufferBytesMax = 1 << 20 }
    let (end, giant) = (completed(2), delta(1, String(repeating: "x", count: 3 << 20)))
    let small = delta(1, "y")
    try rig.onLoop { daemon in
      daemon.answer(end)
      daemon.answer(giant, small)
      #expect(daemon.link?.patience.state == .holding)
    }
    #expect(try rig.reload(LoopRig.file(rig.url)).contains("hotline.ok"))
    try rig.onLoop { daemon in #expect(daemon.link?.patience.state == .spent) }
    #expect(text(try one.readLines(2)).hasSuffix("y"))
  }

  @Test func aServerThatEchoesNoLaneGetsOneRequestAtATime() throws {
    let rig = try LoopRig { $0.upstreams[0].limits.lanes = 4 }
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a") + request("b"))
    #expect(try rig.waits { $0.requests.count == 2 })
    try rig.onLoop { daemon in
      daemon.answer(
        #"{"type":"response.created","response":{"id":"r1"}}"#,
        #"{"type":"response.output_text.delta","delta":"1"}"#)
      #expect(daemon.link?.runningInWords.hasPrefix("request 1") == true)
      daemon.answer(#"{"type":"response.completed","response":{"id":"r1"}}"#)
      #expect(daemon.link?.runningInWords == "request 2", "and no lane is named")
      daemon.answer(
        #"{"type":"response.created","response":{"id":"r2"}}"#,
        #"{"type":"response.completed","response":{"id":"r2"}}"#)
    }
    let lines = try client.readLines(7)
    #expect(lines.count { $0.contains(#""outcome":"completed""#) } == 2)
  }

  // MARK: Evidence

  @Test func whatCostsAConnectionIsLoggedByNameAndNeverByContent() throws {
    let log = LogCapture()
    let (rig, one, two) = try running(log)
    let name = "lane-9\u{1B}[2J" + String(repeating: "n", count: 200)
    try rig.onLoop { daemon in
      daemon.answer(
        #"{"type":"response.output_text.delta","stream_id":""#
          + name.replacing("\u{1B}", with: #"\u001b"#)
          + #"","response_id":"resp_sk-test","delta":"private words"}"#)
    }
    #expect(try one.readLines(2)[0].contains("upstream_protocol"))
    #expect(try two.readLines(2)[0].contains("upstream_protocol"))
    let line = log.lines.first { $0.hasPrefix("notice an upstream event is of no response") }
    let wanted = [
      "connection=1", "event=response.output_text.delta", #"lane=lane-9\x1B[2Jnnn"#,
      "response=resp_***", "running=request 1 on lane-1, request 2 on lane-2", "upstream=test",
    ]
    for part in wanted { #expect(line?.contains(part) == true, "\(part) in \(line ?? "nothing")") }
    #expect(line?.contains("…") == true)
    #expect(line.map { $0.utf8.count < 400 } == true)
    #expect(!log.lines.contains { $0.contains("private words") || $0.contains("sk-test") })
  }

  @Test func whatIsNoEventIsLoggedAsThat() throws {
    let log = LogCapture()
    let rig = try LoopRig(log: log.logger)
    try rig.onLoop { daemon in
      daemon.open()
      daemon.answer("private words")
    }
    let line = log.lines.first { $0.hasPrefix("notice an upstream event is of no response") }
    #expect(line?.contains("event=no event at all running=nothing") == true, "\(line ?? "none")")
    #expect(!log.lines.contains { $0.contains("private words") })
  }
}
