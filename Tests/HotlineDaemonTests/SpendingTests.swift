import Glibc
import HotlineCore
import HotlineSystem
import TestSupport
import Testing

@testable import HotlineDaemon

@Suite struct SpendingTests {
  private let today = StatisticsTests.day(1)
  private let tomorrow = StatisticsTests.day(2)

  private func budgets(_ perDay: Double?, _ tags: [String: Double] = [:]) -> Budgets {
    var budgets = Budgets()
    budgets.perDay = perDay
    budgets.perDayByTag = tags
    return budgets
  }

  @Test func atTheLimitNothingIsTakenUntilTheDayEnds() throws {
    var spending = Spending()
    let budgets = budgets(1)
    spending.spent(0.75, tag: "a", on: today)
    #expect(spending.refusal(tag: "a", budgets, on: today) == nil)
    spending.spent(0.25, tag: "b", on: today)
    let error = try #require(spending.refusal(tag: "c", budgets, on: today))
    #expect(error.code == .budgetExceeded)
    #expect(error.isRetryable)
    #expect(
      error.detail
        == "the budget of the daemon for 2026-01-01, 1 USD, is spent (1 USD); it resets at "
        + "the end of day 1; wait for that or raise budget_usd_per_day")
    #expect(spending.refusal(tag: "c", budgets, on: tomorrow) == nil)
  }

  @Test func aLabelHasABudgetOfItsOwn() throws {
    var spending = Spending()
    let budgets = budgets(nil, ["night": 0.5])
    spending.spent(100, tag: "day", on: today)
    spending.spent(0.4999, tag: "night", on: today)
    #expect(spending.refusal(tag: "night", budgets, on: today) == nil)
    spending.spent(0.0001, tag: "night", on: today)
    let error = try #require(spending.refusal(tag: "night", budgets, on: today))
    #expect(error.detail.contains("[tag.\"night\"] budget_usd_per_day"))
    #expect(spending.refusal(tag: "day", budgets, on: today) == nil)
  }

  @Test func aBudgetOfNothingTakesNothing() {
    #expect(Spending().refusal(tag: "a", budgets(0), on: today)?.code == .budgetExceeded)
    #expect(Spending().refusal(tag: "a", Budgets(), on: today) == nil)
  }

  @Test func eachDayBeginsWithNothing() {
    var spending = Spending()
    spending.spent(1, tag: "a", on: today)
    spending.spent(2, tag: "b", on: tomorrow)
    #expect(spending == Spending(date: "2026-01-02", total: 2, tags: ["b": 2]))
    // The clock was set back.
    spending.spent(4, tag: "a", on: today)
    #expect(spending.sum(tag: nil, on: today) == 4)
    #expect(spending.sum(tag: "b", on: today) == 0)
  }

  @Test func labelsBeyondTheLimitCountTowardsTheWholeAlone() {
    var spending = Spending()
    for number in 0..<300 { spending.spent(1, tag: "t\(number)", on: today) }
    spending.spent(1, tag: "t0", on: today)
    #expect(spending.tags.count == 256)
    #expect(spending.total == 301)
    #expect(spending.tags["t0"] == 2)
  }

  @Test(arguments: [
    (0.0, "0 USD"), (1.5, "1.5 USD"), (0.0001, "0.0001 USD"), (12.34567, "12.3457 USD"),
    (20, "20 USD"), (1e300, "1e+300 USD"),
  ])
  func amountsArePrintedShort(_ amount: Double, _ text: String) {
    #expect(Spending.dollars(amount) == text)
  }

  // MARK: The file

  @Test func whatIsWrittenIsRead() {
    let spending = Spending(date: "2026-11-23", total: 1.25, tags: ["a\"b": 0.5, "c": 0.75])
    #expect(Spending(json: spending.json) == spending)
  }

  @Test(arguments: [
    "", "{}", "[1]", #"{"version":2,"date":"d","usd":1}"#, #"{"version":1,"date":"d"}"#,
    #"{"version":1,"date":"d","usd":-1}"#, #"{"version":1,"date":"","usd":1}"#,
    #"{"version":1,"date":"d","usd":"1"}"#, #"{"version":1,"date":"d","usd":1e999}"#,
    #"{"version":1,"date":"2026-11-23","usd":1.25,"usd_by_tag":{"a":0"#,
  ])
  func whatMakesNoSenseIsNotBelieved(_ json: String) {
    #expect(Spending(json: Array(json.utf8)) == nil)
  }

  /// The state directory of a world on the real disk.
  private func file(in directory: TemporaryDirectory) throws -> (SpendingFile, Surroundings) {
    var surroundings = Surroundings.process
    surroundings.environment = ["XDG_STATE_HOME": directory.path]
    return (try #require(SpendingFile(in: surroundings)), surroundings)
  }

  @Test func itOutlivesTheDaemon() throws {
    let directory = try TemporaryDirectory()
    let (file, surroundings) = try file(in: directory)
    #expect(file.path == directory.path + "/hotline/spending.json")
    #expect(try file.load(in: surroundings) == Spending())
    let spending = Spending(date: "d", total: 3, tags: [:])
    try file.store(Spending(date: "c", total: 1, tags: ["a": 1]))
    try file.store(spending)
    #expect(try file.load(in: surroundings) == spending)
  }

  /// A crash leaves a half-written file behind, which is not the one that is read.
  @Test func aCrashInTheMiddleOfAWriteLosesNothing() throws {
    let directory = try TemporaryDirectory()
    let (file, surroundings) = try file(in: directory)
    let spending = Spending(date: "d", total: 3, tags: [:])
    try file.store(spending)
    // Processes have smaller numbers (proc(5), pid_max).
    let gone = 1 << 24
    for pid in [1, Int(getpid()), gone] {
      _ = try directory.write("hotline/spending.json.new-\(pid)", #"{"version":1,"da"#)
    }
    #expect(try file.load(in: surroundings) == spending)
    #expect(access(file.path + ".new-\(gone)", F_OK) != 0)
    // Somebody may be writing that.
    #expect(access(file.path + ".new-1", F_OK) == 0)
    try file.store(Spending(date: "e", total: 4, tags: [:]))
    #expect(try file.load(in: surroundings).total == 4)
  }

  @Test func whatCannotBeReadIsAReason() throws {
    let directory = try TemporaryDirectory()
    let (file, surroundings) = try file(in: directory)
    try file.store(Spending())
    _ = try directory.write("hotline/spending.json", "{")
    #expect(throws: SpendingFile.Unreadable.self) { try file.load(in: surroundings) }
  }

  @Test func theStateDirectoryIsTheFirstThatIsSet() {
    var surroundings = World().surroundings
    #expect(surroundings.stateDirectory == "/home/ann/.local/state/hotline")
    surroundings.environment["XDG_STATE_HOME"] = "relative"
    #expect(surroundings.stateDirectory == "/home/ann/.local/state/hotline")
    surroundings.environment["XDG_STATE_HOME"] = "/state"
    #expect(surroundings.stateDirectory == "/state/hotline")
    surroundings.environment["STATE_DIRECTORY"] = "/var/lib/hotline/ann:/other"
    #expect(surroundings.stateDirectory == "/var/lib/hotline/ann")
    surroundings.environment = [:]
    surroundings.home = nil
    #expect(surroundings.stateDirectory == nil)
  }
}
