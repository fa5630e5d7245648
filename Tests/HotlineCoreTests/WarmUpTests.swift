import Testing

@testable import HotlineCore

/// When new connections are warmed up, and what that must not cost anybody.
@Suite struct WarmUpTests {
  @Test func aNewConnectionThatNobodyWaitsForIsWarmedUp() {
    var fixture = BrokerFixture.warmingUp()
    #expect(fixture.start() == [.dial(1, 0)])
    #expect(fixture.opened(1) == [.warmUp(1, on: 1, lane: nil)])
    fixture.handedOver(1)
    #expect(fixture.event(.created("w1")) == [])
    #expect(fixture.event(.text) == [])
    let ended = fixture.event(.ended(.completed, "w1", usage: "{}"))
    #expect(ended == [.accountForWarmUp(on: 1, usage: "{}")])
    #expect(fixture.laneZero == .idle)
    #expect(fixture.warmUps == .init(state: .on, sent: 1, failed: 0))
  }

  @Test func itIsNoRequest() {
    var fixture = BrokerFixture.sentAWarmUp()
    fixture.handedOver(1)
    fixture.event(.ended(.completed, "w1"))
    var expected = Counters()
    expected.clientsAccepted = 2
    expected.connectionsDialed = 1
    expected.connectionsOpened = 1
    expected.warmUpsSent = 1
    #expect(fixture.broker.counters == expected)
    #expect(fixture.pool.connections[1]?.responsesServed == 0)
  }

  /// Why a connection is not warmed up.
  enum Reason: CaseIterable {
    case unwanted, unpaid, draining, terminating, held, awaited, taken
  }

  @Test(arguments: Reason.allCases)
  func thereIsNoneWhere(_ reason: Reason) {
    var fixture = BrokerFixture.warmingUp { $0.connectionsWarm = reason == .taken ? 0 : 1 }
    if reason == .unwanted { fixture = BrokerFixture() }
    fixture.start()
    switch reason {
    case .unwanted, .unpaid: break
    case .draining: fixture.drain(1)
    case .terminating:
      fixture.ask("q")
      fixture.terminate()
    case .held:
      fixture.rateLimits(RateLimit("requests", remaining: 0, resetsAfter: .seconds(60)))
    // A conversation's second request waits for its first.
    case .awaited:
      fixture.ask("q1") { $0.conversation = "c" }
      fixture.ask("q2") { $0.conversation = "c" }
    case .taken: fixture.ask("q")
    }
    let actions = fixture.opened(1, mayWarmUp: reason != .unpaid)
    let isWarmedUp = actions.contains {
      if case .warmUp = $0 { true } else { false }
    }
    #expect(!isWarmedUp)
    #expect(fixture.warmUps.sent == 0)
  }

  @Test func thePoolDialsNoOtherForItsSake() {
    var fixture = BrokerFixture.sentAWarmUp { $0.connectionsWarm = 2 }
    #expect(fixture.opened(2) == [.warmUp(2, on: 2, lane: nil)])
    #expect(fixture.pass(to: 10_000) == [])
    fixture.handedOver(1)
    #expect(fixture.event(.ended(.completed, "w1")) == [.accountForWarmUp(on: 1, usage: nil)])
  }

  @Test(arguments: [0, 1])
  func aRequestMeanwhileIsServedElsewhere(warm: Int) {
    var fixture = BrokerFixture.warmingUp { $0.connectionsWarm = warm }
    fixture.start()
    if warm == 0 {
      // Whoever it was dialled for has left.
      fixture.ask("q0")
      fixture.cancel("q0")
    }
    fixture.opened(1)
    #expect(fixture.warmUps.sent == 1)
    let number: RequestNumber = warm == 0 ? 3 : 2
    #expect(fixture.ask("q") == [.accept(number, madeID: nil), .dial(2, 0)])
    #expect(fixture.opened(2) == [.send(number, on: 2, lane: nil)])
  }

  @Test func aRequestMeanwhileTakesTheConnectionWhenTheWarmUpHasEnded() {
    var fixture = BrokerFixture.sentAWarmUp { $0.connectionsMax = 1 }
    #expect(fixture.ask("q") == [.accept(2, madeID: nil)])
    fixture.handedOver(1)
    #expect(fixture.event(.created("w1")) == [])
    #expect(
      fixture.event(.ended(.completed, "w1"))
        == [.accountForWarmUp(on: 1, usage: nil), .send(2, on: 1, lane: nil)])
  }

  @Test func itTeachesLanes() {
    var fixture = BrokerFixture.warmingUp { $0.lanes = 4 }
    fixture.start()
    #expect(fixture.opened(1) == [.warmUp(1, on: 1, lane: 0)])
    fixture.handedOver(1)
    fixture.event(.created("w1").of(.lane(0)))
    // The others are free at once.
    #expect(fixture.ask("q") == [.accept(2, madeID: nil), .send(2, on: 1, lane: 1)])
  }

  @Test func aServerThatKnowsNoLanesIsWarmedUpWithoutThem() {
    var fixture = BrokerFixture.warmingUp { $0.lanes = 4 }
    fixture.start()
    fixture.opened(1)
    fixture.handedOver(1)
    var refusal = EventFacts.error("unknown_parameter")
    refusal.errorParam = "stream_id"
    #expect(
      fixture.event(refusal) == [
        .giveUpLanes(0), .closeConnection(1, .refusedByServer), .dial(2, 0),
      ])
    #expect(fixture.opened(2) == [.warmUp(2, on: 2, lane: nil)])
    #expect(fixture.warmUps.state == .on)
  }

  // MARK: For nobody

  /// An idle connection is replaced again and again: for nobody, none but the first two are warmed
  /// up.
  @Test func aDaemonThatNobodyAsksStopsToPay() {
    var fixture = BrokerFixture.warmingUp {
      $0.idleLimit = .seconds(60)
      $0.pingInterval = .seconds(1000)
    }
    fixture.start()
    func warmUps(_ actions: [Action]) -> Bool {
      actions.contains { if case .warmUp = $0 { true } else { false } }
    }
    #expect(warmUps(fixture.opened(1)))
    fixture.handedOver(1)
    fixture.event(.ended(.completed, "w1"))
    #expect(fixture.pass(to: 58_000).contains(.dial(2, 0)))
    // The first may still be wanted.
    #expect(warmUps(fixture.opened(2)))
    fixture.handedOver(2)
    #expect(
      fixture.event(.ended(.completed, "w2"), on: 2).contains(.closeConnection(1, .idleLimit)))
    #expect(fixture.pass(to: 118_000).contains(.dial(3, 0)))
    #expect(!warmUps(fixture.opened(3)))
    #expect(fixture.warmUps == .init(state: .on, sent: 2, failed: 0))
    // Somebody asks, and another is dialled meanwhile: they are of use again.
    fixture.serve("a", response: "r1", as: 3, on: 3)
    #expect(warmUps(fixture.opened(4)))
  }

  // MARK: What it must not hold up

  @Test func aDrainDoesNotWaitForIt() {
    var fixture = BrokerFixture.sentAWarmUp()
    fixture.handedOver(1)
    #expect(fixture.drain(1) == [.answer(1, nil)])
    #expect(fixture.event(.ended(.completed, "w1")) == [.accountForWarmUp(on: 1, usage: nil)])
  }

  @Test func theDaemonEndsWithoutWaitingForIt() {
    var fixture = BrokerFixture.sentAWarmUp()
    fixture.handedOver(1)
    #expect(fixture.terminate() == [.stop])
  }

  @Test func aReloadClosesItsConnectionAtOnce() {
    var fixture = BrokerFixture.sentAWarmUp()
    fixture.handedOver(1)
    let actions = fixture.reload { $0[0].needsNewConnections = true }
    #expect(actions == [.closeConnection(1, .reloaded), .dial(2, 0)])
    #expect(fixture.warmUps == .init(state: .on, sent: 1, failed: 0))
  }

  @Test func itsConnectionLivesNoLongerForIt() {
    var fixture = BrokerFixture.sentAWarmUp {
      $0.ageLimit = .seconds(10)
      $0.pingInterval = .seconds(3600)
    }
    fixture.handedOver(1)
    let actions = fixture.pass(to: 10_000)
    #expect(actions.contains(.closeConnection(1, .ageLimit)))
  }
}
