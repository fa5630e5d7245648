import Testing

@testable import HotlineCore

/// A limit that is used up holds requests back until it is whole again.
@Suite struct BrokerRateLimitTests {
  private let usedUp = RateLimit("requests", remaining: 0, resetsAfter: .seconds(2))

  @Test func requestsWaitUntilTheReset() {
    var fixture = BrokerFixture.single()
    #expect(fixture.rateLimits(usedUp) == [])
    #expect(fixture.ask("a") == [.accept(1, madeID: nil)])
    #expect(fixture.deadline(at: 100) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.deadline(at: 1_999) == [])
    #expect(fixture.nextDeadline == t(2_000))
    #expect(fixture.deadline(at: 2_000) == [.send(1, on: 1, lane: nil)])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
  }

  @Test func whatIsLeftLetsThemGo() {
    var fixture = BrokerFixture.single()
    fixture.rateLimits(RateLimit("tokens", remaining: 1, resetsAfter: .seconds(2)))
    #expect(fixture.ask("a").last == .send(1, on: 1, lane: nil))
  }

  @Test func aLimitThatDoesNotSayWhenHoldsNothingUp() {
    var fixture = BrokerFixture.single()
    fixture.rateLimits(RateLimit("tokens", remaining: 0), RateLimit("other", usedPercent: 100))
    #expect(fixture.ask("a").last == .send(1, on: 1, lane: nil))
  }

  @Test func theLatestResetOfAllCounts() {
    var fixture = BrokerFixture.single()
    fixture.rateLimits(
      usedUp, RateLimit("primary", usedPercent: 100, resetsAfter: .seconds(3)),
      RateLimit("tokens", remaining: 5, resetsAfter: .seconds(9)))
    fixture.ask("a")
    #expect(fixture.deadline(at: 2_000) == [.notifyQueued(1, position: 1, reason: .rateLimit)])
    #expect(fixture.deadline(at: 3_000) == [.send(1, on: 1, lane: nil)])
  }

  @Test func betterNewsLetsThemGoAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.rateLimits(usedUp)
    fixture.ask("a")
    #expect(
      fixture.rateLimits(RateLimit("requests", remaining: 1), at: 50) == [
        .send(1, on: 1, lane: nil)
      ])
  }

  @Test func aReloadForgetsThem() {
    var fixture = BrokerFixture.single()
    fixture.rateLimits(usedUp)
    fixture.ask("a")
    #expect(fixture.reload().contains(.send(1, on: 1, lane: nil)))
  }

  @Test func theyMayBeSentNevertheless() {
    var fixture = BrokerFixture.single { $0.rateLimits = .send }
    fixture.rateLimits(usedUp)
    #expect(fixture.ask("a").last == .send(1, on: 1, lane: nil))
  }

  @Test func noConnectionIsOpenedForWhatWaits() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 4 }
    fixture.rateLimits(usedUp)
    for id in ["a", "b", "c"] as [ByteString] {
      #expect(!fixture.ask(id).contains { if case .dial = $0 { true } else { false } })
    }
    let actions = fixture.pass(to: 2_000)
    #expect(actions.contains(.send(1, on: 1, lane: nil)))
    #expect(actions.contains { if case .dial = $0 { true } else { false } })
  }

  @Test func whatContinuesWaitsToo() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    fixture.rateLimits(usedUp)
    fixture.ask("b") { $0.previousResponseID = "r1" }
    #expect(fixture.deadline(at: 100) == [.notifyQueued(2, position: 1, reason: .rateLimit)])
    #expect(fixture.pass(to: 2_000) == [.send(2, on: 1, lane: nil)])
  }

  @Test func whatWaitsForAConnectionKeepsIt() {
    var fixture = BrokerFixture.single {
      $0.connectionsWarm = 0
      $0.idleLimit = .seconds(1)
    }
    fixture.ask("a")
    fixture.opened(1)
    fixture.handedOver(1)
    fixture.event(.created("r1"))
    fixture.event(.ended(.completed, "r1"))
    fixture.rateLimits(usedUp)
    fixture.ask("b") { $0.previousResponseID = "r1" }
    // It is over its limit long before; nothing is to be done about that until then.
    let notice = Action.notifyQueued(2, position: 1, reason: .rateLimit)
    #expect(fixture.pass(to: 1_999) == [notice])
    #expect(fixture.pass(to: 2_000).contains(.send(2, on: 1, lane: nil)))
  }

  @Test func aRequestWaitsNoLongerThanItWould() {
    var fixture = BrokerFixture.single(limits: .with { $0.waitTimeout = .seconds(1) })
    fixture.rateLimits(usedUp)
    fixture.ask("a")
    fixture.pass(to: 999)
    #expect(
      fixture.deadline(at: 1_000) == [
        .finish(
          1, failure(.queueTimeout, retryable: true), done(.error, queued: 1_000, total: 1_000))
      ])
    #expect(
      fixture.words == [
        "the server's rate limit is used up, for another 1 s after 1 s of waiting; "
          + "raise queue_timeout_ms, or set rate_limits = \"send\""
      ])
  }

  @Test func theirTimerIsWantedUntilItCame() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.rateLimits(usedUp)
    fixture.ask("b")
    fixture.pass(to: 1_999)
    // Progress goes past all that waits.
    #expect(fixture.progress(isText: true, at: 2_001) == .deliver(1))
    #expect(fixture.nextDeadline == t(2_000))
    #expect(fixture.deadline(at: 2_001) == [])
    #expect(fixture.nextDeadline != t(2_000))
  }

  @Test func whatWaitedForTheResetGoesBeforeWhoComesAfterIt() {
    var fixture = BrokerFixture.single(limits: .with { $0.queueRequestsMax = 1 })
    fixture.rateLimits(usedUp)
    fixture.ask("a")
    fixture.pass(to: 1_999)
    #expect(
      fixture.ask("b", at: 2_000) == [.send(1, on: 1, lane: nil), .accept(2, madeID: nil)])
  }

  @Test func theyAreKnownUntilTheirReset() {
    var fixture = BrokerFixture.single()
    let tokens = RateLimit("tokens", limit: 9, remaining: 4)
    fixture.rateLimits(usedUp, tokens)
    func known(at instant: Int) -> [RateLimit] {
      fixture.broker.snapshot(at: t(instant)).upstreams[0].rateLimits
    }
    #expect(
      known(at: 500) == [
        RateLimit("requests", remaining: 0, resetsAfter: .milliseconds(1500)), tokens,
      ])
    #expect(known(at: 2_000) == [tokens])
  }

  @Test func aServerThatNamesManyIsNotRemembered() {
    var limits = RateLimits()
    let many = (0...RateLimits.namesMax).map { RateLimit("limit-\($0)", remaining: 1) }
    limits.said(many, at: t(0))
    #expect(limits.known(at: t(0)).count == RateLimits.namesMax)
    limits.said([RateLimit("limit-0", remaining: 0)], at: t(0))
    #expect(limits.known(at: t(0)).first == RateLimit("limit-0", remaining: 0))
  }
}
