import Testing

@testable import HotlineCore

/// Every stage of a warm-up with every kind of event, and servers that do not take them.
@Suite struct WarmUpFailureTests {
  enum Stage: CaseIterable {
    case sent, handedOver, begun

    var fixture: BrokerFixture {
      var fixture = BrokerFixture.sentAWarmUp()
      if self != .sent { fixture.handedOver(1) }
      if self == .begun { fixture.event(.created("w1")) }
      return fixture
    }
  }

  enum Kind: CaseIterable {
    case unknown, progress, created, another, text, completed, failed, notice, unusable
    case refusal, rateLimit, overload, sessionExpired

    var event: EventFacts {
      switch self {
      case .unknown: .unknown
      case .progress: .progress
      case .created: .created("w1")
      case .another: .created("w9")
      case .text: .text
      case .completed: .ended(.completed, "w1")
      case .failed: .ended(.failed, "w1")
      case .notice: .notice
      case .unusable: .unusable
      case .refusal: .unknownGenerate
      case .rateLimit: .error("rate_limit_exceeded")
      case .overload: .error("whatever").with(status: 503)
      case .sessionExpired: .error("session_expired")
      }
    }
  }

  private static let violation: [Action] = [.closeConnection(1, .unexpectedEvent)]
  private static let refused: [Action] = [
    .giveUpWarmUps(0, .refused("Unknown parameter: 'generate'"))
  ]
  private static let account: [Action] = [.accountForWarmUp(on: 1, usage: nil)]

  /// The actions but dials, and whether the lane is free after them; nil: its connection is gone.
  private func expected(_ kind: Kind, in stage: Stage) -> (actions: [Action], isFree: Bool?) {
    switch (stage, kind) {
    case (_, .unknown), (_, .notice): ([], false)
    case (.sent, .sessionExpired): ([.closeConnection(1, .refusedByServer)], nil)
    case (.sent, _): (Self.violation, nil)
    case (_, .completed), (_, .failed): (Self.account, true)
    case (.begun, .another): (Self.violation, nil)
    case (_, .progress), (_, .created), (_, .another), (_, .text), (_, .unusable): ([], false)
    case (_, .sessionExpired): ([.closeConnection(1, .refusedByServer)], nil)
    case (.handedOver, .refusal): (Self.refused, true)
    case (.handedOver, .rateLimit), (.handedOver, .overload): ([], true)
    case (.begun, .refusal), (.begun, .rateLimit), (.begun, .overload):
      ([.closeConnection(1, .errorInResponse)], nil)
    }
  }

  @Test(arguments: Stage.allCases, Kind.allCases)
  func anEventReachesNobody(_ stage: Stage, _ kind: Kind) {
    var fixture = stage.fixture
    let actions = fixture.event(kind.event).filter {
      if case .dial = $0 { false } else { true }
    }
    let expected = expected(kind, in: stage)
    #expect(actions == expected.actions)
    let isOpen = fixture.pool.connections[1]?.isOpen == true
    #expect(isOpen == (expected.isFree != nil))
    if let isFree = expected.isFree { #expect((fixture.laneZero == .idle) == isFree) }
  }

  @Test func aServerThatRefusesOneGetsNoMoreUntilAReload() {
    var fixture = BrokerFixture.sentAWarmUp { $0.connectionsWarm = 2 }
    fixture.opened(2)
    fixture.handedOver(1)
    fixture.handedOver(2)
    let words = "Unknown parameter: 'generate'"
    #expect(fixture.event(.unknownGenerate) == [.giveUpWarmUps(0, .refused(words))])
    // Said once.
    #expect(fixture.event(.unknownGenerate, on: 2) == [])
    #expect(fixture.warmUps == .init(state: .refused, sent: 2, failed: 2))
    // Its connection is as good as any.
    #expect(fixture.ask("q") == [.accept(3, madeID: nil), .send(3, on: 1, lane: nil), .dial(3, 0)])
    #expect(fixture.opened(3) == [])
    fixture.reload { $0[0].settings.limits.connectionsWarm = 3 }
    #expect(fixture.opened(4) == [.warmUp(4, on: 4, lane: nil)])
    #expect(fixture.warmUps == .init(state: .on, sent: 3, failed: 2))
  }

  @Test func oneThatDoesNotEndIsTheLast() {
    var fixture = BrokerFixture.sentAWarmUp { $0.pingInterval = .seconds(3600) }
    fixture.handedOver(1)
    fixture.event(.created("w1"))
    let actions = fixture.pass(to: 60_000)
    #expect(
      actions == [
        .giveUpWarmUps(0, .overdue), .closeConnection(1, .abandonedTimeout), .dial(2, 0),
      ])
    #expect(fixture.opened(2) == [])
    #expect(fixture.warmUps == .init(state: .refused, sent: 1, failed: 1))
  }

  @Test func oneThatNeverGotOnItsWayBlamesNobody() {
    var fixture = BrokerFixture.sentAWarmUp { $0.pingInterval = .seconds(3600) }
    #expect(fixture.pass(to: 60_000) == [.closeConnection(1, .abandonedTimeout), .dial(2, 0)])
    #expect(fixture.opened(2) == [.warmUp(2, on: 2, lane: nil)])
  }

  // MARK: Losses

  /// Loses so many connections in a row, each with its warm-up on it.
  private func losing(
    _ count: Int, _ failure: ConnectionFailure, _ fixture: inout BrokerFixture
  ) -> [Action] {
    var actions: [Action] = []
    for number in 1...UInt64(count) {
      if number > 1 { fixture.opened(ConnectionNumber(number)) }
      fixture.handedOver(RequestNumber(number))
      actions = fixture.closed(ConnectionNumber(number), failure)
    }
    return actions
  }

  @Test(arguments: [ConnectionFailure.reset, .closed(1008), .closed(4000)])
  func threeLossesInARowAreEnough(_ failure: ConnectionFailure) {
    var fixture = BrokerFixture.sentAWarmUp()
    let last = losing(3, failure, &fixture)
    #expect(last == [.giveUpWarmUps(0, .failing), .dial(4, 0)])
    #expect(fixture.broker.counters.circuitsOpened == 0)
    #expect(fixture.opened(4) == [])
    #expect(fixture.ask("q") == [.accept(4, madeID: nil), .send(4, on: 4, lane: nil), .dial(5, 0)])
  }

  @Test func aWarmUpThatEndsForgivesTheLossesBefore() {
    var fixture = BrokerFixture.sentAWarmUp()
    #expect(losing(2, .reset, &fixture) == [.dial(3, 0)])
    fixture.opened(3)
    fixture.handedOver(3)
    fixture.event(.ended(.completed, "w1"), on: 3)
    fixture.serve("q", response: "r1", as: 4, on: 3)
    fixture.closed(3, .reset)
    fixture.opened(4)
    #expect(fixture.warmUps == .init(state: .on, sent: 4, failed: 2))
  }

  /// Some servers end every connection after one response.
  @Test func noWarmUpFollowsOneThatServedNobodyUntilARequestIsServed() {
    var fixture = BrokerFixture.sentAWarmUp()
    fixture.handedOver(1)
    fixture.event(.ended(.completed, "w1"))
    #expect(fixture.closed(1, .reset) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [])
    fixture.serve("q", response: "r1", as: 2, on: 2)
    fixture.closed(2, .reset)
    #expect(fixture.warmUps.sent == 1)
    fixture.opened(3)
    fixture.opened(4)
    #expect(fixture.warmUps.sent > 1)
  }

  @Test func aServerWhoseOpeningsMeanNothingIsNotWarmedUp() {
    var fixture = BrokerFixture.warmingUp()
    fixture.start()
    var connection: UInt64 = 1
    var now = 0
    while connection <= 3 {
      fixture.opened(ConnectionNumber(connection), mayWarmUp: false, at: now)
      fixture.closed(ConnectionNumber(connection), .reset, at: now)
      fixture.pass(to: now + 20_000)
      now += 20_000
      connection += 1
    }
    #expect(fixture.opened(4, at: now) == [])
    #expect(fixture.warmUps.sent == 0)
  }
}
