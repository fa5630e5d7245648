import Testing

@testable import HotlineCore

@Suite struct BrokerWaitingTests {
  @Test func clientsTakeTurns() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    for id in ["b", "c", "d"] as [ByteString] { fixture.ask(id) }
    fixture.ask("x", from: 2)
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
    fixture.handedOver(2)
    fixture.event(.created("r2"))
    #expect(fixture.event(.ended()).last == .send(5, on: 1, lane: nil))
  }

  @Test func batchGivesWay() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.ask("b") { $0.priority = .batch }
    fixture.ask("c")
    #expect(fixture.event(.ended()).last == .send(3, on: 1, lane: nil))
    fixture.handedOver(3)
    fixture.event(.created("r3"))
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
  }

  // MARK: The notice

  @Test func aRequestThatWaitsIsToldSoOnceAfterATenthOfASecond() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b", at: 10)
    fixture.ask("c", at: 20)
    #expect(fixture.deadline(at: 109) == [])
    #expect(fixture.deadline(at: 110) == [.notifyQueued(2, position: 1, reason: .busy)])
    #expect(fixture.deadline(at: 120) == [.notifyQueued(3, position: 2, reason: .busy)])
    #expect(fixture.pass(to: 1_900) == [])
  }

  @Test func aRequestThatRunsIsToldNothing() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    #expect(fixture.pass(to: 1_900) == [])
  }

  @Test func theReasonIsConnectingWhileADialIsUnderWay() {
    var fixture = BrokerFixture()
    fixture.start()
    fixture.ask("a")
    #expect(fixture.pass(to: 100) == [.notifyQueued(1, position: 1, reason: .connecting)])
  }

  @Test func theReasonIsBackoffWhileDialsFail() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .refused, at: 10)
    #expect(fixture.pass(to: 100) == [.notifyQueued(1, position: 1, reason: .backoff)])
  }

  @Test func theReasonIsOrderBehindTheOwnConversation() {
    var fixture = BrokerFixture.warm()
    fixture.ask("a") { $0.conversation = "c" }
    fixture.opened(2)
    fixture.ask("b") { $0.conversation = "c" }
    #expect(fixture.pass(to: 100) == [.notifyQueued(2, position: 1, reason: .order)])
  }

  @Test func theReasonIsBusyWhileItsOwnConnectionWorks() {
    var fixture = BrokerFixture.warm()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    fixture.opened(2)
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.ask("c") { $0.previousResponseID = "r1" }
    #expect(fixture.pass(to: 100) == [.notifyQueued(3, position: 1, reason: .busy)])
  }

  // MARK: Waiting too long

  @Test func theWaitEndsAtTheConfiguredLimit() {
    var fixture = BrokerFixture.single(limits: .with { $0.waitTimeout = .seconds(1) })
    fixture.ask("a")
    fixture.ask("b", at: 10)
    fixture.pass(to: 1_009)
    #expect(
      fixture.deadline(at: 1_010) == [
        .finish(
          2, failure(.queueTimeout, retryable: true),
          done(.error, queued: 1_000, total: 1_000))
      ])
    #expect(
      fixture.words == [
        "no connection was free within 1 s; raise queue_timeout_ms or connections_max"
      ])
  }

  @Test func theRequestsOwnWaitLimitWins() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b") { $0.waitTimeout = .milliseconds(50) }
    #expect(fixture.deadline(at: 49) == [])
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          2, failure(.queueTimeout, retryable: true), done(.error, queued: 50, total: 50))
      ])
  }

  @Test func theLastFailureToConnectIsRepeated() {
    var fixture = BrokerFixture(limits: .with { $0.waitTimeout = .milliseconds(50) }) {
      $0.connectionsMax = 1
    }
    fixture.start()
    fixture.ask("a")
    fixture.closed(1, .upgrade(503), at: 10)
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          1, failure(.queueTimeout, retryable: true, status: 503),
          done(.error, queued: 50, total: 50))
      ])
    #expect(
      fixture.words == [
        "no connection was free within 0.05 s; the last failure to connect: HTTP 503; "
          + "hotline doctor tries each step on the way to the server"
      ])
  }

  // MARK: Taking too long

  @Test func aWaitingRequestTimesOutUnsent() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b") { $0.timeout = .milliseconds(50) }
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          2, failure(.timeout, retryable: true), done(.error, queued: 50, total: 50))
      ])
  }

  @Test func aRequestNotYetHandedOverTimesOutUnsent() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.timeout = .milliseconds(50) }
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          1, failure(.timeout, retryable: true), done(.error, on: 1, reused: true, total: 50)),
        .closeConnection(1, .abandoned), .dial(2, 0),
      ])
  }

  @Test func aRequestWithoutAnEventTimesOutUnknown() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.timeout = .milliseconds(50) }
    fixture.handedOver(1)
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          1, failure(.timeout, sent: .unknown, retryable: true),
          done(.error, on: 1, reused: true, total: 50)),
        .closeConnection(1, .abandoned), .dial(2, 0),
      ])
  }

  @Test func aRequestWithAnEventTimesOutSent() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1) { $0.timeout = .milliseconds(50) }
    #expect(fixture.deadline(at: 49) == [])
    #expect(
      fixture.deadline(at: 50) == [
        .finish(
          1, failure(.timeout, sent: .yes, retryable: true),
          done(
            .error, on: 1, reused: true, response: "resp", firstEvent: 0, total: 50, events: 1)),
        .closeConnection(1, .abandoned), .dial(2, 0),
      ])
    #expect(fixture.words == ["the request did not end within its 0.05 s; raise timeout_ms"])
  }

  @Test func theConfiguredTimeoutCountsFromTheArrival() {
    var fixture = BrokerFixture.single(limits: .with { $0.requestTimeout = .milliseconds(80) })
    fixture.run("a", response: "r1", as: 1) { $0.timeout = .seconds(9) }
    fixture.ask("b", at: 10)
    fixture.event(.ended(), at: 50)
    #expect(fixture.deadline(at: 89) == [])
    #expect(
      fixture.deadline(at: 90).first
        == .finish(
          2, failure(.timeout, retryable: true),
          done(.error, on: 1, reused: true, queued: 40, total: 80)))
  }
}
