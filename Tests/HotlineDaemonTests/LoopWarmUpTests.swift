import Foundation
import HotlineCore
import HotlineSystem
import HotlineWire
import TestSupport
import Testing

@testable import HotlineDaemon

/// Warm-ups, with the upstream's part in the test's hands.
@Suite(.serialized) struct LoopWarmUpTests {
  private static let text = #"{"model":"m","instructions":"canary"}"#
  private static let warmUpCreated = #"{"type":"response.created","response":{"id":"resp_w"}}"#
  private static let delta = #"{"type":"response.output_text.delta","delta":"canary"}"#
  private static let warmUpCompleted =
    #"{"type":"response.completed","response":{"id":"resp_w","usage":{"input_tokens":500000,"#
    + #""output_tokens":0}}}"#
  private static let refusal =
    #"{"type":"error","status":400,"error":{"type":"invalid_request_error","#
    + #""code":"unknown_parameter","message":"Unknown parameter: 'generate'.","#
    + #""param":"generate"}}"#

  private func rig(
    _ log: LogCapture = LogCapture(), _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> LoopRig {
    let warmUp = try WarmUpRequest(Self.text.utf8)
    let rig = try LoopRig(log: log.logger) { configuration in
      configuration.prices = ["m": Price(input: 1, output: 2)]
      configuration.upstreams[0].warmUp = warmUp
      change(&configuration)
    }
    try rig.onLoop { $0.open() }
    return rig
  }

  @Test func nothingOfItReachesAClientAndItsCostIsCounted() throws {
    let log = LogCapture()
    let rig = try rig(log)
    let client = try rig.connect()
    try client.write(request("a"))
    #expect(try rig.waits { $0.requests.count == 1 })
    let (first, last) = (created, completed)
    try rig.onLoop { daemon in
      #expect(daemon.link?.running == nil, "the lane is taken")
      daemon.warmUpIsHandedOver()
      for message in [Self.warmUpCreated, Self.delta, Self.warmUpCompleted] {
        daemon.answer(message)
      }
      #expect(daemon.link?.running != nil, "what waited runs")
      daemon.answer(first, last)
    }
    let lines = try client.readLines(3)
    #expect(!lines.joined().contains("canary") && !lines.joined().contains("resp_w"))
    #expect(lines[2].contains(#""outcome":"completed""#))
    let stats = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.stats"}"#))
    #expect(stats.usage.requests.integer == 1)
    #expect(stats.usage.input_tokens.integer.map { $0 >= 500_000 } == true)
    let tag = stats.usage.tags.array.first { $0.tag.string == "warm_up" }
    #expect(tag?.requests.integer == 0 && tag?.cost_usd.number == 0.5)
    #expect(stats.counters.warm_ups_sent.integer == 1)
    #expect(stats.counters.warm_ups_failed.integer == 0)
    #expect(stats.counters.requests_accepted.integer == 1)
    let status = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.status"}"#))
    #expect(status.upstreams[0].warm_up.string == "on")
    #expect(status.upstreams[0].warm_ups_sent.integer == 1)
    #expect(!log.lines.joined().contains("canary"))
  }

  @Test func aRefusalIsSaidOnceAndTheConnectionIsKept() throws {
    let log = LogCapture()
    let rig = try rig(log)
    try rig.onLoop { daemon in
      daemon.warmUpIsHandedOver()
      daemon.answer(Self.refusal)
    }
    let said = log.lines.filter { $0.contains("no more warm-ups until a reload") }
    #expect(said.count == 1 && said[0].contains("warning") && said[0].contains("'generate'"))
    let status = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.status"}"#))
    #expect(status.upstreams[0].warm_up.string == "refused")
    #expect(status.upstreams[0].warm_ups_failed.integer == 1)
    #expect(status.upstreams[0].connections[0].state.string == "ready")
    #expect(status.upstreams[0].connections[0].requests.integer == 0)
  }

  @Test func whatARefusalSaysOfTheKeyIsStruckOut() throws {
    let log = LogCapture()
    let rig = try rig(log)
    try rig.onLoop { daemon in
      daemon.warmUpIsHandedOver()
      daemon.answer(Self.refusal.replacingOccurrences(of: "'generate'", with: "SK-test"))
    }
    let said = log.lines.filter { $0.contains("no more warm-ups until a reload") }
    #expect(said.count == 1 && said[0].contains("Unknown parameter: ***."), "\(said)")
  }

  @Test(arguments: [nil, "warm_up", "other"])
  func aSpentBudgetBuysNone(tag: String?) throws {
    let warmUp = try WarmUpRequest(Self.text.utf8)
    let rig = try LoopRig { configuration in
      configuration.upstreams[0].warmUp = warmUp
      if let tag {
        configuration.budgets.perDayByTag = [tag: 1]
      } else {
        configuration.budgets.perDay = 1
      }
    }
    try rig.onLoop { daemon in
      daemon.spending.spent(2, tag: tag ?? "any", on: daemon.today())
      daemon.open()
      #expect(daemon.broker.counters.warmUpsSent == (tag == "other" ? 1 : 0))
    }
  }

  @Test func aWarmUpCountsTowardsTheBudget() throws {
    let rig = try rig { $0.budgets.perDayByTag = ["warm_up": 1] }
    try rig.onLoop { daemon in
      daemon.warmUpIsHandedOver()
      daemon.answer(Self.warmUpCreated, Self.warmUpCompleted)
      #expect(daemon.spending.sum(tag: "warm_up", on: daemon.today()) == 0.5)
    }
  }
}

extension DaemonLoop {
  fileprivate func warmUpIsHandedOver() {
    guard let link else { return }
    let number = broker.counters.warmUpsSent
    upstreamHandedOver(link.number, token: number)
  }
}
