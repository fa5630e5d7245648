import Foundation
import TestSupport
import Testing

/// Connections that are warmed up, against a real server.
@Suite(.serialized) struct WarmUpTests {
  private static let upstream = """
    warm_up = '{"model":"m","instructions":"Be brief.","input":"for nobody"}'
    connections_warm = 2
    """
  private static let prices = "[price.m]\ninput_per_million = 1\noutput_per_million = 2"

  private func stats(_ rig: Rig) throws -> JSON {
    try rig.client().answer(to: #"{"type":"hotline.stats"}"#).json
  }

  @Test(arguments: ["nested", "flat"])
  func everyNewConnectionIsWarmedUpAndNobodySeesIt(envelope: String) throws {
    let rig = try Rig(
      ["--envelope", envelope], upstream: Self.upstream + "\nenvelope = \"\(envelope)\"",
      sections: Self.prices)
    try rig.daemon.waitUntilWarm(2)
    try rig.simulator.waitForStatistics("two warm-ups") { $0.responses.integer == 2 }
    let lines = try rig.client().ask(request("Hi there"))
    #expect(lines.done?.outcome.string == "completed")
    #expect(answerText(lines).contains("Hi there") && !answerText(lines).contains("for nobody"))
    let stats = try stats(rig)
    #expect(stats.counters.warm_ups_sent.integer.map { $0 >= 2 } == true)
    #expect(stats.counters.warm_ups_failed.integer == 0)
    #expect(stats.usage.requests.integer == 1)
    let tag = stats.usage.tags.array.first { $0.tag.string == "warm_up" }
    #expect(tag?.requests.integer == 0)
    #expect(tag?.cost_usd.number.map { $0 > 0 } == true)
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test func aServerThatDoesNotKnowThemIsAskedOnce() throws {
    let rig = try Rig(["--no-generate"], upstream: Self.upstream)
    try rig.daemon.waitForStatus("refused") { $0.upstreams[0].warm_up.string == "refused" }
    try rig.daemon.waitUntilWarm(2)
    for input in ["one", "two", "three"] {
      #expect(try rig.client().ask(request(input)).done?.outcome.string == "completed")
    }
    let warnings = rig.daemon.log.split(separator: "\n").filter {
      $0.contains("no more warm-ups until a reload")
    }
    #expect(warnings.count == 1, "\(warnings)")
    #expect(!rig.daemon.log.contains("for nobody"))
    // No connection was lost for it.
    #expect(try stats(rig).counters.connections_lost.integer == 0)
  }

  @Test func aServerThatDropsThemStillServesRequests() throws {
    let rig = try Rig(
      upstream: "warm_up = '{\"model\":\"m\",\"input\":\"[[fault: close 1008]]\"}'", isWarm: false)
    try rig.daemon.waitForStatus("given up") { $0.upstreams[0].warm_up.string == "refused" }
    try rig.daemon.waitUntilWarm()
    #expect(try rig.client().ask(request("Hi")).done?.outcome.string == "completed")
    let stats = try stats(rig)
    #expect(stats.counters.circuits_opened.integer == 0)
    #expect(stats.counters.warm_ups_failed.integer == 3)
  }

  @Test func itIsNotSentWhereSomebodyWaits() throws {
    let rig = try Rig(
      ["--upgrade-delay-ms", "300"],
      upstream: "warm_up = '{\"model\":\"m\"}'\nconnections_warm = 0", isWarm: false)
    #expect(try rig.client().ask(request("Hi")).done?.outcome.string == "completed")
    #expect(try stats(rig).counters.warm_ups_sent.integer == 0)
  }
}
