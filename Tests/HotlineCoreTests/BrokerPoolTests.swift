import Testing

@testable import HotlineCore

@Suite struct BrokerPoolTests {
  private static let checkUpstream =
    "check the upstream's url, headers and proxy with hotline doctor"

  private func age(_ fixture: BrokerFixture, _ number: ConnectionNumber) -> (
    rotate: Int, end: Int, idle: Int
  ) {
    guard let connection = fixture.pool.connections[number] else { return (0, 0, 0) }
    return (
      connection.ages.rotateAt.ceiling, connection.ages.ageEnd.ceiling,
      connection.ages.idleEnd.ceiling
    )
  }

  /// A connection that is never pinged, so that only ages matter.
  private func quiet(
    limits: Limits = Limits(), _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    .warm(limits: limits) {
      $0.pingInterval = .seconds(100_000)
      $0.shrinkAfter = .seconds(100_000)
      change(&$0)
    }
  }

  // MARK: Rotation

  @Test func anIdleConnectionIsReplacedBeforeItsIdleLimitTheNewOneFirst() {
    var fixture = quiet { $0.connectionsMax = 1 }
    let rotate = age(fixture, 1).rotate
    #expect(rotate < 14 * 60_000 - 29_000 && rotate > 13 * 60_000)
    fixture.pass(to: 2_000)
    #expect(fixture.pass(to: rotate - 1) == [])
    #expect(fixture.pass(to: rotate) == [.dial(2, 0)])
    #expect(fixture.opened(2, at: rotate + 100) == [.closeConnection(1, .idleLimit)])
    #expect(fixture.closed(1) == [])
    #expect(fixture.pool.connections.count == 1)
  }

  @Test func anIdleConnectionIsClosedAtItsLimitThoughNoReplacementCame() {
    var fixture = quiet { $0.connectionsMax = 1 }
    let (rotate, _, idle) = age(fixture, 1)
    #expect(idle <= 14 * 60_000)
    fixture.pass(to: rotate)
    #expect(fixture.pass(to: idle - 1) == [])
    #expect(fixture.pass(to: idle) == [.closeConnection(1, .idleLimit)])
  }

  @Test func aConnectionIsReplacedBeforeItsAgeLimit() {
    var fixture = quiet {
      $0.idleLimit = .seconds(7_200)
      $0.connectionsMax = 1
    }
    let (rotate, end, _) = age(fixture, 1)
    #expect(end <= 55 * 60_000 && end > 53 * 60_000)
    #expect(fixture.pass(to: rotate - 1) == [])
    #expect(fixture.pass(to: rotate) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [.closeConnection(1, .ageLimit)])
  }

  @Test func aRequestMakesTheIdleTimeBeginAnew() {
    var fixture = quiet { $0.connectionsMax = 1 }
    fixture.pass(to: 600_000)
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(), at: 700_000)
    #expect(age(fixture, 1).rotate > 700_000 + 13 * 60_000)
    #expect(fixture.pass(to: 700_000 + 13 * 60_000) == [])
  }

  @Test func aBusyConnectionIsNotRotated() {
    var fixture = quiet(limits: .with { $0.requestTimeout = .seconds(100_000) }) {
      $0.connectionsMax = 1
    }
    let end = age(fixture, 1).end
    fixture.run("a", response: "r1", as: 1)
    // Nor does it keep its replacement waiting.
    #expect(fixture.pass(to: end - 30_001) == [])
    #expect(fixture.pass(to: end - 29_000) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [])
    #expect(fixture.pass(to: end + 1_000) == [])
    #expect(fixture.event(.text) == [.deliver(1)])
    #expect(fixture.event(.ended()).suffix(1) == [.closeConnection(1, .ageLimit)])
  }

  @Test func allWarmConnectionsAreReplacedOneByOneAtTheirMaximum() {
    var fixture = quiet {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    let last = max(age(fixture, 1).rotate, age(fixture, 2).rotate)
    #expect(fixture.pass(to: last) == [.dial(3, 0)])
    let first = fixture.opened(3)
    #expect(first.count == 2)
    #expect(first.last == .dial(4, 0))
    #expect(fixture.opened(4).count == 1)
    #expect(fixture.pool.connections.all.count { $0.isReady } == 2)
  }

  @Test func aYoungConnectionIsPreferredNearTheEndOfLife() {
    var fixture = quiet {
      $0.idleLimit = .seconds(7_200)
      $0.connectionsMax = 2
    }
    let end = age(fixture, 1).end
    fixture.pass(to: 1_000_000)
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(2)
    fixture.event(.ended(.completed, "r1"))
    fixture.run("b", response: "r2", as: 2, on: 2)
    fixture.event(.ended(.completed, "r2"), on: 2, at: 1_100_000)
    // The chain of the first has been idle for longer, but its life is nearly over.
    fixture.pass(to: end - 299_000)
    #expect(fixture.ask("c").last == .send(3, on: 2, lane: nil))
    #expect(fixture.ask("d").contains(.send(4, on: 1, lane: nil)))
  }

  // MARK: Shrinking

  @Test func whatIsNotNeededAnyMoreIsClosedAfterAWhile() {
    var fixture = quiet { $0.shrinkAfter = .seconds(300) }
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(2)
    fixture.event(.ended(), at: 5_000)
    fixture.pass(to: 10_000)
    #expect(fixture.pass(to: 299_999) == [])
    #expect(fixture.pass(to: 300_000) == [.closeConnection(2, .surplus)])
    #expect(fixture.pass(to: 600_000) == [])
    #expect(fixture.broker.counters.connectionsClosed == [.surplus: 1])
  }

  // MARK: Backoff

  private func dials(_ fixture: inout BrokerFixture, upTo end: Int, failure: ConnectionFailure)
    -> [Int]
  {
    var instants: [Int] = []
    var pending = fixture.start()
    while fixture.now < end {
      for case .dial(let number, _) in pending {
        instants.append(fixture.now)
        pending = fixture.closed(number, failure)
      }
      guard let next = fixture.nextDeadline, next > t(fixture.now) else { break }
      pending = fixture.deadline(at: next.ceiling)
    }
    return instants
  }

  @Test func afterTheFirstSecondsDialsGrowRareUpToEightSeconds() {
    var fixture = BrokerFixture { $0.circuitAfter = .seconds(100_000) }
    let instants = dials(&fixture, upTo: 120_000, failure: .refused)
    let gaps = zip(instants, instants.dropFirst()).map { $1 - $0 }
    for (instant, gap) in zip(instants, gaps) where instant < 5_000 { #expect(gap <= 500) }
    for gap in gaps { #expect(gap >= 250 && gap <= 8_000) }
    #expect(gaps.suffix(3).allSatisfy { $0 >= 4_000 })
  }

  @Test func whileARequestWaitsADialIsTriedTwiceASecond() {
    var fixture = BrokerFixture {
      $0.circuitAfter = .seconds(100_000)
      $0.connectionsMax = 1
    }
    fixture.ask("a") {
      $0.waitTimeout = .seconds(100_000); $0.timeout = .seconds(100_000)
    }
    fixture.closed(1, .refused)
    let instants = dials(&fixture, upTo: 60_000, failure: .refused)
    for gap in zip(instants, instants.dropFirst()).map({ $1 - $0 }) {
      #expect(gap >= 250 && gap <= 500)
    }
  }

  @Test func afterAFailureOneDialAtATimeIsEnough() {
    var fixture = BrokerFixture { $0.connectionsWarm = 3 }
    fixture.start()
    fixture.closed(1, .refused)
    fixture.closed(2, .refused)
    #expect(fixture.closed(3, .refused) == [])
    #expect(fixture.pass(to: 1_000) == [.dial(4, 0)])
    #expect(fixture.opened(4) == [.dial(5, 0), .dial(6, 0)])
  }

  @Test func failuresFarApartAreNoLongOutage() {
    var fixture = BrokerFixture { $0.connectionsWarm = 0 }
    fixture.start()
    fixture.ask("a", at: 0) { $0.waitTimeout = .seconds(1) }
    fixture.closed(1, .refused, at: 10)
    fixture.pass(to: 400)
    fixture.cancel("a")
    fixture.ask("b", at: 3_600_000)
    #expect(fixture.closed(2, .refused, at: 3_600_010) == [])
    #expect(fixture.pool.circuit.error == nil)
  }

  @Test func retryAfterIsHonoured() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .upgrade(429, retryAfter: .seconds(7)))
    #expect(fixture.pass(to: 6_999) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.pass(to: 7_000) == [.dial(2, 0)])
  }

  @Test func aServerThatAcceptsAndClosesAtOnceIsDialledRarely() {
    var fixture = BrokerFixture()
    var pending = fixture.start()
    var dials = 0
    while fixture.now < 60_000, dials < 1_000 {
      for case .dial(let number, _) in pending {
        dials += 1
        fixture.opened(number)
        pending = fixture.closed(number, .closed(1000))
      }
      guard let next = fixture.nextDeadline, next > t(fixture.now) else { break }
      pending = fixture.deadline(at: next.ceiling)
    }
    #expect(dials < 30)
    #expect(fixture.pool.circuit.error?.code == .upstreamUnavailable)
  }

  /// It opens the next connection before it closes the one before, so that no failure is the last
  /// thing known of it.
  @Test func aServerThatClosesWhatItOpenedCostsFewRequests() {
    var fixture = BrokerFixture { $0.connectionsMax = 16 }
    var dialled: [ConnectionNumber] = []
    var open: [ConnectionNumber] = []
    var sent = 0
    var dials = 0
    func take(_ actions: [Action]) {
      for action in actions {
        if case .dial(let number, _) = action {
          dialled.append(number)
          dials += 1
        }
        if case .send(let request, _, _) = action {
          fixture.handedOver(request)
          sent += 1
        }
      }
    }
    take(fixture.start(at: 0))
    for id in 0..<60 { take(fixture.ask(ByteString("\(id)".utf8), at: 0)) }
    for instant in stride(from: 20, through: 3_000, by: 20) {
      let opening = dialled
      dialled = []
      for number in opening {
        take(fixture.opened(number, at: instant))
        open.append(number)
      }
      for number in open.dropLast() {
        take(fixture.closed(number, .closed(1013), at: instant + 10))
      }
      open = open.suffix(1)
      take(fixture.pass(to: instant + 19))
    }
    #expect(dials <= 30)
    #expect(sent <= 20)
  }

  @Test func aServerThatAcceptsAndComplainsAtOnceIsNotDialledInALoop() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    #expect(fixture.event(.text) == [.closeConnection(1, .unexpectedEvent)])
    #expect(fixture.closed(1) == [])
    #expect(fixture.pass(to: 99) == [])
    #expect(fixture.pass(to: 500).last == .dial(2, 0))
  }

  @Test func aServerThatRefusesRequestsForTheConnectionsSakeIsNotDialledInALoop() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(.error("session_expired")) == [.closeConnection(1, .refusedByServer)])
  }

  // MARK: The circuit

  @Test(arguments: [
    (401, HotlineError.Code.upstreamAuth), (403, .upstreamAuth), (404, .upstreamRejected),
    (426, .upstreamRejected),
  ])
  func aRefusalThatCannotHealFailsWhatWaitsAndWhatComes(status: Int, code: HotlineError.Code) {
    let remedy =
      code == .upstreamAuth ? "store the right key with hotline key set" : Self.checkUpstream
    var fixture = BrokerFixture()
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .refused)
    let error = failure(code, origin: .upstream, status: status)
    #expect(
      fixture.closed(2, .upgrade(status), at: 10) == [
        .finish(1, error, done(.error, queued: 10, total: 10))
      ])
    #expect(fixture.words == ["the upstream up refuses connections: HTTP \(status); \(remedy)"])
    #expect(
      fixture.ask("b") == [.accept(2, madeID: nil), .finish(2, error, done(.error))])
    #expect(fixture.pass(to: 60_009) == [])
    #expect(fixture.pass(to: 60_010) == [.dial(3, 0)])
    #expect(fixture.ask("c").count == 2)
    #expect(fixture.opened(3) == [])
    #expect(fixture.ask("d").contains(.send(4, on: 3, lane: nil)))
  }

  @Test func probesComeAfterAMinuteThenEverRarer() {
    var fixture = BrokerFixture()
    let instants = dials(&fixture, upTo: 2_200_000, failure: .upgrade(401))
    #expect(instants == [0, 60_000, 180_000, 420_000, 900_000, 1_500_000, 2_100_000])
  }

  @Test func severalRefusalsAtOnceAreOne() {
    var fixture = BrokerFixture { $0.connectionsWarm = 4 }
    fixture.start()
    for number in 1...4 as ClosedRange<UInt64> {
      fixture.closed(ConnectionNumber(number), .upgrade(401))
    }
    #expect(fixture.broker.counters.circuitsOpened == 1)
    #expect(fixture.pass(to: 59_999) == [])
    #expect(fixture.pass(to: 60_000) == [.dial(5, 0)])
  }

  @Test func whoeverAsksForMorePatienceThanThereIsIsGivenUpWithoutAnotherDial() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .upgrade(429, retryAfter: .seconds(90)), at: 1_000)
    #expect(fixture.pass(to: 30_999) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    let error = failure(.upstreamUnavailable, origin: .upstream, retryable: true, status: 429)
    #expect(
      fixture.pass(to: 31_000) == [.finish(1, error, done(.error, queued: 31_000, total: 31_000))])
    #expect(
      fixture.ask("b") == [.accept(2, madeID: nil), .finish(2, error, done(.error))])
    #expect(fixture.pass(to: 90_999) == [])
    #expect(fixture.pass(to: 91_000) == [.dial(2, 0)])
    #expect(fixture.broker.counters.circuitsOpened == 1)
  }

  @Test func whoeverAsksForALittleMoreIsAskedWhenThatIsOver() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .upgrade(429, retryAfter: .seconds(31)), at: 1_000)
    #expect(fixture.pass(to: 31_000).contains { $0.isFinish } == true)
    #expect(fixture.pass(to: 31_999) == [])
    #expect(fixture.pass(to: 32_000) == [.dial(2, 0)])
  }

  /// The only open connection goes while the server wants no new one.
  @Test func whatIsLostWhileNothingMayBeDialledIsGivenUpToo() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
    }
    fixture.closed(2, .reset, at: 5_000)
    fixture.closed(3, .upgrade(429, retryAfter: .seconds(600)), at: 6_000)
    fixture.closed(1, .reset, at: 10_000)
    fixture.ask("a")
    #expect(fixture.pass(to: 39_999) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.pass(to: 40_000).contains { $0.isFinish } == true)
    #expect(fixture.pass(to: 605_999) == [])
    #expect(fixture.pass(to: 606_000).first == .dial(4, 0))
  }

  /// One dial is refused while another, begun before, still succeeds.
  @Test func anOpeningDoesNotUndoALaterRetryAfter() {
    var fixture = BrokerFixture { $0.connectionsWarm = 2 }
    fixture.start()
    fixture.closed(2, .upgrade(429, retryAfter: .seconds(600)), at: 100)
    fixture.opened(1, at: 200)
    fixture.pass(to: 5_000)
    fixture.closed(1, .reset, at: 10_000)
    fixture.ask("a")
    #expect(fixture.pass(to: 39_999) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.pass(to: 40_000).contains { $0.isFinish } == true)
    #expect(fixture.words.last?.contains("has been failing for long: HTTP 429; ") == true)
    #expect(fixture.broker.counters.requestsQueued == 1)
    #expect(fixture.broker.counters.dialsFailed == 1)
  }

  @Test func whoeverAsksForAsMuchPatienceAsThereIsIsAskedOnceMore() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .upgrade(429, retryAfter: .seconds(30)), at: 1_000)
    #expect(fixture.pass(to: 30_999) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.pass(to: 31_000) == [.dial(2, 0)])
  }

  @Test func halfAMinuteOfFailuresOpensTheCircuit() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .refused)
    var actions: [Action] = []
    var failedAt = 0
    while failedAt == 0, fixture.now < 60_000, let next = fixture.nextDeadline {
      for case .dial(let number, _) in fixture.deadline(at: next.ceiling) {
        actions = fixture.closed(number, .upgrade(503))
        if actions.contains(where: \.isFinish) { failedAt = fixture.now }
      }
    }
    #expect(failedAt >= 30_000 && failedAt <= 30_500)
    let error = failure(.upstreamUnavailable, origin: .upstream, retryable: true, status: 503)
    #expect(
      actions == [.finish(1, error, done(.error, queued: failedAt, total: failedAt))])
  }

  @Test func anOpenConnectionServesThoughDialsAreRefused() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.run("a", response: "r1", as: 1)
    fixture.closed(2, .upgrade(401))
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
  }

  @Test func aProbeDoesNotExceedTheMaximum() {
    var fixture = quiet { $0.connectionsMax = 1 }
    let rotate = age(fixture, 1).rotate
    #expect(fixture.pass(to: rotate) == [.dial(2, 0)])
    fixture.closed(2, .upgrade(401))
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(fixture.pass(to: rotate + 61_000) == [])
    #expect(fixture.pool.connections.count == 1)
  }

  @Test(arguments: [1008, 4000])
  func aPolicyCloseRightAfterTheOpeningOpensTheCircuit(code: Int) {
    var fixture = BrokerFixture()
    fixture.start()
    fixture.ask("a")
    fixture.opened(1, at: 10)
    let error = failure(
      .upstreamRejected, origin: .upstream, closeCode: code, closeReason: "no")
    #expect(
      fixture.closed(1, .closed(code, "no"), at: 20) == [
        .finish(1, error, done(.error, on: 1, reused: false, queued: 10, total: 20))
      ])
  }

  @Test func aPolicyCloseLaterDoesNot() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 2_000)
    #expect(fixture.closed(1, .closed(1008)) == [.dial(2, 0)])
  }

  @Test func theBetaShapeRefusalOpensTheCircuitInTheServersWords() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    let error = failure(.upstreamRejected, origin: .upstream, sent: .unknown)
    #expect(
      fixture.event(.error("beta_api_shape_disabled", "use the new shape")) == [
        .closeConnection(1, .refusedByServer),
        .finish(1, error, done(.error, on: 1, reused: true)),
      ])
    #expect(
      fixture.words == [
        "the upstream up refuses connections: use the new shape; \(Self.checkUpstream)"
      ])
  }

  @Test func theBetaShapeRefusalOnAnIdleConnectionOpensTheCircuit() {
    var fixture = BrokerFixture.single()
    #expect(
      fixture.event(.error("beta_api_shape_disabled", "no")) == [
        .closeConnection(1, .refusedByServer)
      ])
    #expect(fixture.ask("a").count == 2)
  }

  // MARK: Outages

  @Test func theReturnOfAServerAfterFiveSecondsIsNoticedWithinASecond() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 10_000)
    var pending = fixture.closed(1, .reset)
    while fixture.now < 15_000 {
      for case .dial(let number, _) in pending { pending = fixture.closed(number, .refused) }
      guard let next = fixture.nextDeadline, next.ceiling < 15_000 else { break }
      pending = fixture.deadline(at: next.ceiling)
    }
    #expect(fixture.pass(to: 16_000).contains { if case .dial = $0 { true } else { false } })
  }
}

extension MonotonicInstant {
  /// In whole milliseconds, rounded up.
  var ceiling: Int { Int((nanoseconds + 999_999) / 1_000_000) }
}
