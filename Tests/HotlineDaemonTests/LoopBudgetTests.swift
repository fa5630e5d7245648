import Dispatch
import HotlineCore
import HotlineSystem
import HotlineTransport
import TestSupport
import Testing

@testable import HotlineDaemon

/// What requests cost, and what becomes of them when the budget is spent; the clock is the test's.
@Suite(.serialized) struct LoopBudgetTests {
  /// The end of a request that cost 0.5 USD.
  private func dear(_ id: String) -> String {
    #"{"type":"response.completed","response":{"id":"\#(id)","usage":{"input_tokens":500000,"#
      + #""output_tokens":0}}}"#
  }

  /// - Parameter tag: what has a budget of 1 USD; nil for the daemon.
  private func rig(tag: String? = nil, file: SpendingFile? = nil) throws -> LoopRig {
    let rig = try LoopRig { configuration in
      configuration.prices = ["m": Price(input: 1, output: 2)]
      if let tag {
        configuration.budgets.perDayByTag = [tag: 1]
      } else {
        configuration.budgets.perDay = 1
      }
    }
    try rig.onLoop { daemon in
      daemon.wallClock = { 150 }
      daemon.calendar = { StatisticsTests.day(Int($0 / 100)) }
      daemon.spendingFile = file
      daemon.open()
    }
    return rig
  }

  /// Has one request ended, and returns its `hotline.done`.
  private func spend(_ rig: LoopRig, _ options: String = "{}") throws -> JSON {
    let client = try rig.connect()
    try client.write(request("a", options))
    #expect(try rig.waits { $0.link?.running != nil })
    // No two responses have one id.
    let id = "resp_\(try rig.onLoop { $0.broker.counters.requestsAccepted })"
    let (created, dear) = (created.replacing("resp_1", with: id), dear(id))
    try rig.onLoop { $0.answer(created, dear) }
    return try JSON(parsing: try client.readLines(3)[2])
  }

  @Test func theLastLineHasTheCost() throws {
    let rig = try rig()
    #expect(try spend(rig).cost_usd.number == 0.5)
    let stats = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.stats"}"#))
    #expect(stats.usage.cost_usd.number == 0.5)
    #expect(stats.usage.models[0].cost_usd.number == 0.5)
    #expect(stats.budgets[0].tag == .null)
    #expect(stats.budgets[0].usd_per_day.number == 1)
    #expect(stats.budgets[0].spent_usd.number == 0.5)
    #expect(stats.budgets[0].resets_at.string == "the end of day 1")
  }

  @Test func aSpentBudgetRefusesUntilMidnight() throws {
    let rig = try rig()
    _ = try spend(rig)
    _ = try spend(rig)
    let refused = try JSON(
      parsing: try rig.connect().asking(String(request("b").dropLast())))
    #expect(refused.error.code.string == "budget_exceeded")
    #expect(refused.error.message.string?.contains("resets at the end of day 1") == true)
    #expect(refused.hotline.accepted.bool == false)
    #expect(refused.hotline.retryable.bool == true)
    // The last second of the day, and the first of the next.
    try rig.onLoop { $0.wallClock = { 199 } }
    #expect(try rig.connect().asking(String(request("b").dropLast())).contains("budget_exceeded"))
    try rig.onLoop { $0.wallClock = { 200 } }
    #expect(try spend(rig).outcome.string == "completed")
  }

  @Test func aLabelsBudgetIsItsOwn() throws {
    let rig = try rig(tag: "night")
    _ = try spend(rig, #"{"tag":"night"}"#)
    _ = try spend(rig, #"{"tag":"night"}"#)
    let line = String(request("b", #"{"tag":"night"}"#).dropLast())
    #expect(try rig.connect().asking(line).contains("budget_exceeded"))
    #expect(try spend(rig, #"{"tag":"day"}"#).outcome.string == "completed")
  }

  @Test func whatIsSpentIsStored() throws {
    let directory = try TemporaryDirectory()
    var surroundings = Surroundings.process
    surroundings.environment = ["STATE_DIRECTORY": directory.path]
    let file = try #require(SpendingFile(in: surroundings))
    let rig = try rig(file: file)
    _ = try spend(rig, #"{"tag":"night"}"#)
    try rig.onLoop { daemon in
      #expect(daemon.isStoreScheduled)
      daemon.storeSpending()
    }
    DaemonLoop.disk.wait()
    #expect(
      try file.load(in: surroundings)
        == Spending(date: "2026-01-01", total: 0.5, tags: ["night": 0.5]))
  }

  @Test func withoutABudgetNothingIsWritten() throws {
    let directory = try TemporaryDirectory()
    var surroundings = Surroundings.process
    surroundings.environment = ["STATE_DIRECTORY": directory.path]
    let file = try #require(SpendingFile(in: surroundings))
    let rig = try rig(file: file)
    try rig.onLoop { $0.configuration.budgets = Budgets() }
    _ = try spend(rig)
    #expect(try rig.onLoop { $0.isStoreScheduled } == false)
  }

  @Test func aModelWithoutAPriceCostsNull() throws {
    let rig = try rig()
    try rig.onLoop { $0.configuration.prices = ["m": Price(output: 2)] }
    #expect(try spend(rig).cost_usd == .null)
    let stats = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.stats"}"#))
    #expect(stats.usage.cost_usd == .null)
    #expect(stats.usage.unpriced_requests.integer == 1)
  }
}
