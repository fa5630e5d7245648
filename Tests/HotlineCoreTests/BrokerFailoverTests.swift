import Testing

@testable import HotlineCore

/// What was never sent goes to another upstream while its own cannot be reached.
@Suite struct BrokerFailoverTests {
  /// Two upstreams, of which the second has an open connection; the first is dialled as number 1.
  private func fixture(
    limits: Limits = Limits(), _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    var upstream = UpstreamLimits()
    upstream.connectionsMax = 1
    change(&upstream)
    var fixture = BrokerFixture(
      limits: limits,
      upstreams: ["one", "two"].map {
        UpstreamSettings(name: $0, limits: upstream, continuation: .connection)
      }, clients: 1)
    fixture.start()
    fixture.opened(2, of: 1)
    return fixture
  }

  private func ask(
    _ id: ByteString, _ fixture: inout BrokerFixture,
    _ change: (inout NewRequest) -> Void = { _ in }
  ) -> [Action] {
    fixture.ask(id) {
      $0.alternatives = [1]
      change(&$0)
    }
  }

  @Test func itGoesWhenTheDialFails() {
    var fixture = fixture()
    #expect(ask("a", &fixture) == [.accept(1, madeID: nil)])
    let actions = fixture.closed(1, .refused, at: 10)
    #expect(actions == [.send(1, on: 2, lane: nil)])
  }

  @Test func itGoesAtOnceWhereTheDialHasFailed() {
    var fixture = fixture()
    fixture.closed(1, .refused)
    #expect(ask("a", &fixture) == [.accept(1, madeID: nil), .send(1, on: 2, lane: nil)])
  }

  @Test func itGoesWhereWaitingWouldNotHelp() {
    var fixture = fixture { $0.connectionsWarm = 1 }
    fixture.closed(1, .upgrade(401))
    #expect(fixture.broker.upstreams[0].pool.refusal != nil)
    #expect(ask("a", &fixture) == [.accept(1, madeID: nil), .send(1, on: 2, lane: nil)])
  }

  @Test func itStaysWhereNothingElseIsBetter() {
    var fixture = fixture()
    fixture.closed(2, .reset, of: 1)
    fixture.closed(1, .refused)
    for action in fixture.pass(to: 5_000) {
      if case .dial(let number, let upstream) = action {
        fixture.closed(number, .refused, of: upstream)
      }
    }
    #expect(ask("a", &fixture).contains(.accept(1, madeID: nil)))
    #expect(fixture.broker.requests[1]?.spec.upstream == 0)
  }

  @Test func whatCannotGoElsewhereStays() {
    var fixture = fixture()
    fixture.closed(1, .refused)
    _ = fixture.ask("a")
    #expect(fixture.broker.requests[1]?.spec.upstream == 0)
  }

  @Test func aContinuationStays() {
    var fixture = fixture()
    fixture.closed(1, .refused)
    let actions = ask("a", &fixture) { $0.previousResponseID = "r" }
    #expect(
      !actions.contains { if case .send = $0 { true } else { false } }, "\(actions)")
  }

  @Test func aConversationGoesAsAWholeAndInItsOrder() {
    var fixture = fixture()
    for id in ["a", "b", "c"] as [ByteString] {
      _ = ask(id, &fixture) { $0.conversation = "k" }
    }
    #expect(fixture.closed(1, .refused) == [.send(1, on: 2, lane: nil)])
    for (number, next) in [(1, 2), (2, 3)] as [(RequestNumber, RequestNumber)] {
      fixture.handedOver(number)
      fixture.event(.created(ByteString("r\(number.rawValue)".utf8)), on: 2, of: 1)
      let ended = fixture.event(.ended(), on: 2, of: 1)
      #expect(ended.last == .send(next, on: 2, lane: nil), "\(ended)")
    }
    #expect(fixture.broker.requests[3]?.spec.alternatives == [])
  }

  @Test func whoIsBehindOneThatFailsGoesElsewhere() {
    var fixture = fixture()
    _ = fixture.ask("a") { $0.conversation = "k" }
    _ = ask("b", &fixture) { $0.conversation = "k" }
    let actions = fixture.closed(1, .upgrade(401), at: 10)
    #expect(actions.contains { if case .finish(1, .some, _) = $0 { true } else { false } })
    #expect(actions.contains(.send(2, on: 2, lane: nil)))
  }

  @Test func whoIsBehindOneThatGoesHasItsTurn() {
    var fixture = fixture()
    _ = ask("a", &fixture) { $0.conversation = "k" }
    _ = fixture.ask("b") { $0.conversation = "k" }
    #expect(fixture.closed(1, .refused) == [.send(1, on: 2, lane: nil)])
    #expect(fixture.broker.requests[2]?.state == .queued)
    #expect(fixture.broker.requests[2]?.spec.upstream == 0)
  }

  /// The last open connection closes in the same input in which it became free.
  @Test func whoseTurnComesLastIsNotForgotten() {
    var fixture = fixture {
      $0.connectionsWarm = 1
      $0.connectionsMax = 2
    }
    fixture.opened(1)
    _ = fixture.ask("running")
    fixture.handedOver(1)
    fixture.event(.created("r1"))
    fixture.closed(3, .refused, at: 10)
    _ = ask("a", &fixture) { $0.conversation = "k" }
    _ = fixture.ask("b") { $0.conversation = "k" }
    let actions = fixture.event(.error("server_error"))
    #expect(actions.contains(.closeConnection(1, .errorInResponse)), "\(actions)")
    #expect(actions.contains(.send(2, on: 2, lane: nil)), "\(actions)")
    #expect(fixture.broker.requests[3]?.state == .queued)
  }

  /// The end of one that cannot be placed gives the next its turn: that one goes in its turn.
  @Test func whoseTurnComesWhileOthersGoGoesToo() {
    var fixture = fixture { $0.connectionsWarm = 1 }
    _ = ask("a", &fixture) { $0.conversation = "k" }
    _ = fixture.ask("b") {
      $0.conversation = "k"
      $0.previousResponseID = "gone"
    }
    _ = ask("c", &fixture) { $0.conversation = "k" }
    let actions = fixture.closed(1, .refused)
    #expect(actions.contains(.send(1, on: 2, lane: nil)), "\(actions)")
    #expect(actions.contains { if case .finish(2, .some, _) = $0 { true } else { false } })
    #expect(fixture.broker.requests[3]?.spec.upstream == 1)
  }

  @Test func whatWouldWaitElsewhereCountsAsWaiting() {
    var fixture = fixture(limits: .with { $0.queueRequestsMax = 1 })
    fixture.closed(1, .upgrade(401))
    #expect(ask("a", &fixture).last == .send(1, on: 2, lane: nil))
    #expect(ask("b", &fixture) == [.accept(2, madeID: nil)])
    #expect(ask("c", &fixture) == [.refuse(1, failure(.queueFull, retryable: true))])
  }

  @Test func whatWasSentIsNotSentElsewhere() {
    var fixture = fixture()
    fixture.opened(1)
    _ = ask("a", &fixture)
    fixture.handedOver(1)
    let actions = fixture.closed(1, .reset)
    #expect(!actions.contains { if case .send = $0 { true } else { false } }, "\(actions)")
    #expect(actions.contains { if case .finish(1, .some, _) = $0 { true } else { false } })
  }
}
