import Testing

@testable import HotlineCore

@Suite struct UpstreamPoolTests {
  var pool: UpstreamPool
  var next: UInt64 = 1

  init() {
    pool = UpstreamPool(index: 0, settings: UpstreamSettings(name: "up"), seed: 1)
  }

  private mutating func balance(waiting: Int = 0, at milliseconds: Int = 0) -> [Action] {
    pool.balance(waiting: waiting, next: &next, at: t(milliseconds))
  }

  @Test mutating func nothingIsWantedTwice() {
    #expect(balance() == [.dial(1, 0)])
    #expect(balance() == [])
    #expect(pool.dialingCount == 1)
    #expect(pool.hasOpenConnection == false)
    pool.dialSucceeded(1, at: t(0))
    #expect(balance() == [])
    #expect(pool.hasOpenConnection)
    #expect(pool.dialsMade == 1)
  }

  @Test mutating func whatWaitsWantsConnectionsBesideTheWarmOnes() {
    #expect(balance(waiting: 2) == [.dial(1, 0), .dial(2, 0), .dial(3, 0)])
    #expect(balance(waiting: 100) == [.dial(4, 0)])
  }

  @Test mutating func aFreeConnectionIsChosenInTheOrderOfDialling() {
    _ = balance(waiting: 1)
    #expect(pool.bestFreeConnection(at: t(0)) == nil)
    pool.dialSucceeded(2, at: t(0))
    #expect(pool.bestFreeConnection(at: t(0)) == 2)
    pool.dialSucceeded(1, at: t(0))
    #expect(pool.bestFreeConnection(at: t(0)) == 1)
    _ = pool.close(1, .surplus)
    #expect(pool.bestFreeConnection(at: t(0)) == 2)
    pool.forget(2)
    #expect(pool.bestFreeConnection(at: t(0)) == nil)
    #expect(pool.connections.numbers == [1])
  }

  @Test mutating func aConnectionAtItsAgeLimitTakesNothing() {
    _ = balance()
    pool.dialSucceeded(1, at: t(0))
    guard let end = pool.connections[1]?.ages.ageEnd else { return }
    let before = MonotonicInstant(nanoseconds: end.nanoseconds - 1)
    #expect(pool.bestFreeConnection(at: before) == 1)
    #expect(pool.bestFreeConnection(at: end) == nil)
  }

  @Test mutating func aClosingConnectionGivesItsPlaceFree() {
    _ = balance()
    pool.dialSucceeded(1, at: t(0))
    #expect(pool.close(1, .abandoned) == .closeConnection(1, .abandoned))
    #expect(balance() == [.dial(2, 0)])
  }

  @Test mutating func aRetiringConnectionIsClosedWhenItHasNothingToDo() {
    _ = balance()
    pool.dialSucceeded(1, at: t(0))
    pool.connections[1]?.state = .retiring(.ageLimit)
    pool.connections[1]?.pinned.append(1)
    #expect(balance() == [.dial(2, 0)])
    pool.connections[1]?.pinned.removeAll()
    #expect(balance() == [.closeConnection(1, .ageLimit)])
  }

  @Test mutating func anOutageBeginsWithTheFirstFailureAndEndsWithAnOpening() {
    _ = balance()
    pool.forget(1)
    pool.dialFailed(.refused, at: t(10))
    #expect(pool.downSince == t(10))
    #expect(pool.lastFailure == .refused)
    pool.dialFailed(.reset, at: t(900))
    #expect(pool.downSince == t(10))
    _ = balance(at: 5_000)
    pool.dialSucceeded(2, at: t(5_000))
    #expect(pool.downSince == nil)
    #expect(pool.backoff.failures == 2)
    pool.proved(2)
    #expect(pool.downSince == nil)
    #expect(pool.lastFailure == nil)
    #expect(pool.backoff.failures == 0)
    #expect(pool.dialsFailed == 2)
  }

  @Test mutating func openingsThatProveNothingEndThreeOutagesInARow() {
    var number: UInt64 = 1
    func fail(at instant: MonotonicInstant) {
      pool.forget(ConnectionNumber(number))
      pool.dialFailed(.refused, at: instant)
      number += 1
    }
    _ = balance()
    for outage in 0..<3 {
      pool.dialSucceeded(ConnectionNumber(number), at: t(outage * 10_000))
      #expect(pool.downSince == nil)
      fail(at: t(outage * 10_000 + 1))
      #expect(pool.downSince == t(outage * 10_000 + 1))
      #expect(balance(at: outage * 10_000 + 9_000) == [.dial(ConnectionNumber(number), 0)])
    }
    pool.dialSucceeded(ConnectionNumber(number), at: t(30_000))
    #expect(pool.downSince == t(20_001))
    pool.proved(ConnectionNumber(number))
    #expect(pool.downSince == nil)
    fail(at: t(60_000))
    _ = balance(at: 69_000)
    pool.dialSucceeded(ConnectionNumber(number), at: t(69_000))
    #expect(pool.downSince == nil)
  }

  @Test mutating func aFailureBesideAnOpenConnectionIsNoOutage() {
    _ = balance(waiting: 1)
    pool.dialSucceeded(1, at: t(0))
    pool.forget(2)
    pool.dialFailed(.refused, at: t(10))
    #expect(pool.downSince == nil)
    pool.dialFailed(.refused, at: t(60_000))
    #expect(pool.circuit.error == nil)
  }

  @Test mutating func theCircuitOpensAtItsLimitNotBefore() {
    for instant in [0, 10_000, 20_000, 29_999] { pool.dialFailed(.refused, at: t(instant)) }
    #expect(pool.refusal == nil)
    pool.dialFailed(.refused, at: t(30_000))
    #expect(pool.refusal?.code == .upstreamUnavailable)
    #expect(
      pool.refusal?.detail == "the upstream up has been failing for long: connection refused; "
        + "hotline doctor tries each step on the way to the server")
  }

  @Test mutating func anOpenConnectionMeansHope() {
    _ = balance()
    pool.dialSucceeded(1, at: t(0))
    pool.dialFailed(.upgrade(401), at: t(0))
    #expect(pool.circuit.error?.code == .upstreamAuth)
    #expect(pool.refusal == nil)
    pool.forget(1)
    #expect(pool.refusal?.code == .upstreamAuth)
  }

  /// What a server said that asked to be left alone, and then closed what had just been dialled.
  @Test mutating func whatWillNotHealIsNotCalledAnOutage() {
    pool.dialFailed(.upgrade(401, retryAfter: .seconds(600)), at: t(0))
    _ = balance(at: 600_000)
    pool.dialFailed(.upgrade(401, retryAfter: .seconds(600)), at: t(600_001))
    pool.dialSucceeded(1, at: t(600_002))
    #expect(pool.refusal == nil)
    pool.forget(1)
    let opensAtOnce = pool.giveUpIfDue(at: t(600_003))
    #expect(!opensAtOnce)
    let opens = pool.giveUpIfDue(at: t(630_003))
    #expect(opens)
    #expect(pool.refusal?.code == .upstreamAuth)
    #expect(pool.refusal?.isRetryable == false)
  }

  /// It accepts again after that, but proves nothing, and nobody asks for a connection.
  @Test mutating func thatItsServerAskedToBeLeftAloneEndsInTime() {
    var settings = UpstreamSettings(name: "up")
    settings.limits.connectionsWarm = 0
    pool = UpstreamPool(index: 0, settings: settings, seed: 1)
    for number in 1...3 {
      _ = balance(waiting: 1, at: number * 1_000)
      pool.dialSucceeded(ConnectionNumber(UInt64(number)), at: t(number * 1_000))
      pool.forget(ConnectionNumber(UInt64(number)))
      pool.dialFailed(.reset, at: t(number * 1_000))
    }
    pool.dialFailed(.upgrade(429, retryAfter: .seconds(40)), at: t(4_000))
    #expect(pool.nextDeadline(waiting: 0, at: t(4_001)) == t(33_000))
    let opens = pool.giveUpIfDue(at: t(33_000))
    #expect(opens)
    #expect(balance(at: 44_000) == [.dial(4, 0)])
    pool.dialSucceeded(4, at: t(44_010))
    pool.forget(4)
    #expect(pool.nextDeadline(waiting: 0, at: t(45_000)) == nil)
  }

  @Test mutating func dropsAreAllowedTenTimesInTenSeconds() {
    for drop in 0..<10 {
      let isAllowed = pool.dropAllowed(at: t(drop))
      #expect(isAllowed)
    }
    let instants = [(9, false), (10_000, false), (10_001, true), (10_001, false), (10_002, true)]
    for (instant, expected) in instants {
      let isAllowed = pool.dropAllowed(at: t(instant))
      #expect(isAllowed == expected)
    }
  }

  @Test mutating func theSameSeedGivesTheSameJitter() {
    var (first, second, other) = (Jitter(seed: 7), Jitter(seed: 7), Jitter(seed: 8))
    let fractions = (0..<1_000).map { _ in first.nextFraction() }
    #expect(fractions == (0..<1_000).map { _ in second.nextFraction() })
    #expect(fractions != (0..<1_000).map { _ in other.nextFraction() })
    #expect(fractions.allSatisfy { $0 >= 0 && $0 < 1 })
  }
}
