import HotlineSystem
import HotlineWire
import Testing

@testable import HotlineCore
@testable import HotlineDaemon

@Suite struct StatisticsTests {
  static func day(_ number: Int) -> CalendarDay {
    CalendarDay(
      date: "2026-01-\(number / 10)\(number % 10)", beginsAt: Int64(number) * 100,
      endsAt: Int64(number) * 100 + 100,
      endInWords: "the end of day \(number)")
  }

  static func end(
    model: String? = "m", tag: String = "t", uid: UInt32 = 1, upstream: String = "u",
    usage: TokenUsage? = TokenUsage(input: 3, cachedInput: 1, output: 2), cost: Double? = nil,
    connection: ConnectionNumber? = ConnectionNumber(1)
  ) -> RequestEnd {
    var completion = Completion(
      outcome: .completed, upstream: UpstreamIndex(0), queued: .milliseconds(1),
      total: .milliseconds(40))
    completion.connection = connection
    completion.firstText = .milliseconds(20)
    return RequestEnd(
      client: ClientNumber(1), uid: uid, processID: 7, command: "c", idSpelling: [], tag: tag,
      model: model, upstream: upstream, completion: completion, usage: usage, cost: cost)
  }

  @Test func aRequestIsCountedUnderAllThatItHas() {
    var statistics = Statistics()
    statistics.requestEnded(Self.end(cost: 0.5), on: Self.day(1))
    statistics.requestEnded(Self.end(model: nil, tag: "x", usage: nil), on: Self.day(1))
    let accounts = statistics.accounts
    #expect(accounts.total.requests == 2)
    #expect(accounts.total.inputTokens == 3)
    #expect(accounts.total.cachedInputTokens == 1)
    #expect(accounts.total.outputTokens == 2)
    #expect(accounts.total.cost == 0.5)
    #expect(Set(accounts.models.values.keys) == ["m", nil])
    #expect(accounts.upstreams.values["u"]?.requests == 2)
    #expect(accounts.tags.values[TagKey(uid: 1, tag: "x")]?.requests == 1)
    #expect(statistics.days.map(\.day) == [Self.day(1)])
    #expect(statistics.days[0].accounts.total == accounts.total)
  }

  /// What is not known is not 0.
  @Test func aCostThatIsNotKnownIsNone() {
    var account = Account()
    account.add(nil, cost: nil)
    #expect(account.cost == nil)
    #expect(account.unpricedRequests == 0)
    account.add(TokenUsage(input: 1), cost: nil)
    #expect(account.cost == nil)
    #expect(account.unpricedRequests == 1)
    account.add(TokenUsage(input: 1), cost: 0)
    #expect(account.cost == 0)
    #expect(account.pricedRequests == 1)
  }

  @Test func labelsOfSeveralUsersAreKeptApart() {
    var statistics = Statistics()
    statistics.requestEnded(Self.end(uid: 1), on: Self.day(1))
    statistics.requestEnded(Self.end(uid: 2), on: Self.day(1))
    #expect(statistics.accounts.tags.values.count == 2)
  }

  @Test func namesBeyondTheLimitShareAnEntry() {
    var statistics = Statistics()
    for number in 0..<200 {
      statistics.requestEnded(
        Self.end(model: "m\(number)", tag: "t\(number)", upstream: "u\(number)"), on: Self.day(1))
    }
    let accounts = statistics.accounts
    #expect(accounts.models.values.count == 65)
    #expect(accounts.models.values["m63"]?.requests == 1)
    #expect(accounts.models.values["m64"] == nil)
    #expect(accounts.models.values["other"]?.requests == 136)
    #expect(accounts.upstreams.values["other"]?.requests == 136)
    #expect(accounts.tags.values.count == 129)
    #expect(accounts.tags.values[TagKey(uid: nil, tag: "other")]?.requests == 72)
    #expect(statistics.latencies.values.count == 65)
    #expect(accounts.total.requests == 200)
  }

  @Test func aMonthOfDaysIsKept() {
    var statistics = Statistics()
    for number in 1...40 { statistics.requestEnded(Self.end(), on: Self.day(number)) }
    #expect(statistics.days.count == 31)
    #expect(statistics.days.first?.day == Self.day(10))
    // The clock was set back, and on again.
    statistics.requestEnded(Self.end(), on: Self.day(39))
    statistics.requestEnded(Self.end(), on: Self.day(40))
    #expect(statistics.days.count == 31)
    #expect(statistics.days.suffix(2).map(\.accounts.total.requests) == [2, 2])
  }

  @Test func latenciesAreOfOneUpstreamEach() throws {
    var statistics = Statistics()
    statistics.requestEnded(Self.end(), on: Self.day(1))
    statistics.requestEnded(Self.end(connection: nil), on: Self.day(1))
    statistics.connected(to: "v", after: .milliseconds(300))
    let latencies = try #require(statistics.latencies.values["u"])
    #expect(latencies[.queued]?.count == 1, "the other never had a connection")
    #expect(latencies[.total]?.count == 2)
    #expect(latencies[.firstText]?.count == 2)
    #expect(latencies[.firstEvent] == nil)
    #expect(latencies[.connect] == nil)
    #expect(statistics.latencies.values["v"]?[.connect]?.count == 1)
  }
}

@Suite struct LatencyHistogramTests {
  @Test func percentilesAreRightToTwoDigits() {
    var histogram = LatencyHistogram()
    for milliseconds in 1...1000 { histogram.record(.milliseconds(milliseconds)) }
    #expect(histogram.count == 1000)
    #expect(histogram.sum == .milliseconds(500_500))
    #expect(histogram.mean == .microseconds(500_500))
    #expect(histogram.longest == .seconds(1))
    for (percent, milliseconds) in [(50.0, 500.0), (90, 900), (99, 990), (99.9, 999)] {
      let value = Double(histogram.percentile(percent).wholeNanoseconds) / 1e6
      #expect(abs(value - milliseconds) <= milliseconds / 100, "\(percent): \(value)")
    }
    #expect((495...505).contains(histogram.count(upTo: .milliseconds(500))))
    #expect(histogram.count(upTo: .seconds(86_400)) == 1000)
  }

  @Test func whatIsOutOfRangeCountsAsItsEdge() {
    var histogram = LatencyHistogram()
    histogram.record(.seconds(-1))
    histogram.record(.nanoseconds(1))
    histogram.record(.seconds(900_000))
    #expect(histogram.count == 3)
    #expect(histogram.longest == .seconds(86_400))
    #expect(histogram.count(upTo: .zero) == 2)
    #expect(histogram.sum == .seconds(86_400))
  }

  @Test func anEmptyOneIsZero() {
    let histogram = LatencyHistogram()
    #expect(histogram.count == 0)
    #expect(histogram.mean == .zero)
    #expect(histogram.percentile(99) == .zero)
  }
}
