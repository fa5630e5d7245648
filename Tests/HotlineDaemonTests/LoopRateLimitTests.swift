import HotlineTransport
import TestSupport
import Testing

@testable import HotlineDaemon

/// What a server says of its limits, wherever it says it, holds requests back and is shown.
@Suite(.serialized) struct LoopRateLimitTests {
  private let better = #"{"type":"rate_limits.updated","rate_limits":[{"name":"%","remaining":1}]}"#

  private func status(_ rig: LoopRig) throws -> JSON {
    try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.status"}"#)).upstreams[0]
  }

  /// Has a request wait for the limit, and go when there is better news of it.
  private func expectHeld(by name: String, _ rig: LoopRig) throws {
    let limit = try #require(
      try status(rig).rate_limits.array.first { $0.name.string == name })
    #expect(limit.remaining.integer == 0)
    #expect((3_500...3_600).contains(limit.reset_s.integer ?? 0), "\(limit)")
    let client = try rig.connect()
    try client.write(request("held"))
    let line = try JSON(parsing: try client.readLines(1)[0])
    #expect(line.type.string == "hotline.queued")
    #expect(line.reason.string == "rate_limit")
    #expect(try rig.onLoop { $0.link?.running == nil })
    let news = better.replacing("%", with: name)
    try rig.onLoop { $0.receive(news) }
    #expect(try rig.waits { $0.link?.running != nil })
  }

  @Test func theHeadersOfTheUpgrade() throws {
    let rig = try LoopRig()
    #expect(try status(rig).rate_limits.array == [])
    try rig.onLoop { daemon in
      daemon.open(
        .init(name: "x-ratelimit-remaining-requests", value: "0"),
        .init(name: "x-ratelimit-reset-requests", value: "1h"))
    }
    try expectHeld(by: "requests", rig)
  }

  @Test func anEventOfTheConnection() throws {
    let rig = try LoopRig()
    let event =
      #"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","limit":9,"remaining":0,"#
      + #""reset_seconds":3600}]}"#
    try rig.onLoop { daemon in
      daemon.open()
      daemon.receive(event)
    }
    try expectHeld(by: "tokens", rig)
  }

  @Test func theHeadersOfAnError() throws {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a"))
    #expect(try rig.waits { $0.link?.running != nil })
    let error =
      #"{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"m"},"#
      + #""headers":{"Retry-After":"3600"}}"#
    try rig.onLoop { $0.answer(error) }
    let lines = try client.readLines(2)
    #expect(lines[0].contains("3600"), "the client gets it as it came")
    try expectHeld(by: "retry-after", rig)
  }
}
