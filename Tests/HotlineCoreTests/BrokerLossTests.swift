import Testing

@testable import HotlineCore

@Suite struct BrokerLossTests {
  @Test func aRequestNotYetHandedOverIsSentElsewhereInFrontOfAllOthers() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a")
    fixture.ask("b")
    fixture.ask("c", from: 2)
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2, at: 3_010) == [.send(1, on: 2, lane: nil)])
    fixture.handedOver(1)
    #expect(
      fixture.event(.ended(.completed, "r1"), on: 2, at: 3_020) == [
        .deliver(1),
        .finish(
          1, nil,
          done(
            .completed, on: 2, reused: false, response: "r1", queued: 3_010, firstEvent: 3_020,
            total: 3_020, events: 1)),
        .send(2, on: 2, lane: nil),
      ])
  }

  @Test func aRequestThatComesBackGoesBeforeTheOthersOfItsClient() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("x", from: 2)
    fixture.handedOver(1)
    fixture.event(.created("rx"))
    fixture.ask("y", from: 2)
    fixture.ask("a", from: 1)
    fixture.ask("b", from: 1)
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
    fixture.closed(1, .reset, at: 3_000)
    #expect(fixture.opened(2) == [.send(2, on: 2, lane: nil)])
  }

  /// RFC 6455, 7.4.1: the daemon would be misunderstood again.
  @Test(arguments: [1002, 1003, 1007, 1008, 1010])
  func aCloseThatBlamesTheDaemonIsNotTriedAgain(code: Int) {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    let error = failure(
      .connectionLost, origin: .upstream, sent: .unknown, retryable: false, closeCode: code)
    #expect(
      fixture.closed(1, .closed(code), at: 3_000) == [
        .finish(1, error, done(.error, on: 1, reused: true, total: 3_000)), .dial(2, 0),
      ])
  }

  @Test(arguments: [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015, 4001])
  func anyOtherCloseMayBeTriedAgain(code: Int) {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    #expect(fixture.closed(1, .closed(code), at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
  }

  @Test func aRequestWithoutAnAnswerIsLostUnknown() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.closed(1, .closed(1011, "oops"), at: 3_000) == [
        .finish(
          1,
          failure(
            .connectionLost, origin: .upstream, sent: .unknown, retryable: true,
            closeCode: 1011, closeReason: "oops"),
          done(.error, on: 1, reused: true, total: 3_000)),
        .dial(2, 0),
      ])
    #expect(
      fixture.words == [
        "the connection to the server was lost: closed with 1011; the request may be billed twice "
          + "if sent again"
      ])
    #expect(fixture.broker.counters.connectionsLost == 1)
  }

  @Test func aRequestWithAnAnswerIsLostSent() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.closed(1, .reset) == [
        .finish(
          1, failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true),
          done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 1)),
        .dial(2, 0),
      ])
  }

  @Test func aBrokenProtocolIsSaidSo() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.closed(1, ConnectionFailure(.protocolViolation, "a masked frame")).first
        == .finish(
          1, failure(.upstreamProtocol, origin: .upstream, sent: .yes, retryable: true),
          done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 1)))
  }

  @Test func aRequestThatMayBeResentIsSentOnceMore() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2, at: 3_010) == [.send(1, on: 2, lane: nil)])
    fixture.handedOver(1)
    #expect(
      fixture.closed(2, .reset, at: 6_000).first
        == .finish(
          1, failure(.connectionLost, origin: .upstream, sent: .unknown, retryable: true),
          done(.error, on: 2, reused: false, resent: true, queued: 3_010, total: 6_000)))
    #expect(fixture.broker.counters.requestsResent == 1)
  }

  @Test func eventsOfAllAttemptsAreCounted() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.opened(2)
    fixture.handedOver(1)
    #expect(fixture.event(.notice) == [.deliver(1)])
    #expect(fixture.closed(1, .reset).contains(.send(1, on: 2, lane: nil)))
    fixture.handedOver(1)
    #expect(
      fixture.event(.ended(.completed, "r1"), on: 2).last
        == .finish(
          1, nil,
          done(
            .completed, on: 2, reused: true, resent: true, response: "r1", firstEvent: 0,
            events: 2)))
  }

  @Test func anAnsweredRequestIsNeverResent() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    fixture.event(.unknown)
    #expect(fixture.closed(1, .reset, at: 3_000).first?.isFinish == true)
  }

  @Test func whatOneAttemptMayHaveSentTheNextCannotUnsay() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") {
      $0.resendsUnanswered = true; $0.timeout = .seconds(5)
    }
    fixture.handedOver(1)
    fixture.closed(1, .reset, at: 3_000)
    fixture.opened(2, at: 3_010)
    #expect(
      fixture.deadline(at: 5_000).first
        == .finish(
          1, failure(.timeout, sent: .unknown, retryable: true),
          done(.error, on: 2, reused: false, resent: true, queued: 3_010, total: 5_000)))
  }

  @Test(arguments: [true, false])
  func aMessageTooBigIsNeitherResentNorRetryable(isHandedOver: Bool) {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.resendsUnanswered = true }
    if isHandedOver { fixture.handedOver(1) }
    #expect(
      fixture.closed(1, .closed(1009)).first
        == .finish(
          1,
          failure(
            .connectionLost, origin: .upstream, sent: isHandedOver ? .unknown : .no,
            closeCode: 1009),
          done(.error, on: 1, reused: true)))
  }

  @Test func aRequestThatComesBackIsToldThatItWaitsAfterAnotherTenthOfASecond() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.pass(to: 1_000)
    fixture.closed(1, .reset)
    fixture.pass(to: 1_099)
    #expect(fixture.pass(to: 1_100).contains { $0.isNotice })
  }

  @Test func aRequestThatComesBackSoonIsToldNothing() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.pass(to: 3_000)
    fixture.closed(1, .reset)
    #expect(fixture.pass(to: 3_050) == [])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
    #expect(fixture.pass(to: 4_000) == [])
  }

  @Test func aHandOverOnAConnectionThatItLeftSaysNothingOfTheNextAttempt() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.ask("a") { $0.timeout = .seconds(5) }
    fixture.opened(2)
    fixture.pass(to: 3_000)
    fixture.heard(2)
    #expect(fixture.closed(1, .reset).contains(.send(1, on: 2, lane: nil)))
    fixture.broker.requestHandedOver(1, on: 1)
    #expect(
      fixture.pass(to: 5_000).first
        == .finish(
          1, failure(.timeout, retryable: true),
          done(.error, on: 2, reused: true, queued: 3_000, total: 5_000)))
  }

  @Test func aLateHandOverSaysNothingOfAResponseThatWasGivenUpElsewhere() {
    var fixture = BrokerFixture.warm {
      $0.connectionsMax = 2
      $0.cancel = .drain
    }
    fixture.ask("a")
    fixture.opened(2)
    fixture.pass(to: 3_000)
    fixture.heard(2)
    #expect(fixture.closed(1, .reset).contains(.send(1, on: 2, lane: nil)))
    fixture.cancel("a")
    fixture.broker.requestHandedOver(1, on: 1)
    #expect(fixture.pool.connections[2]?.lanes[0].occupant?.isHandedOver == false)
    fixture.broker.requestHandedOver(1, on: 2)
    #expect(fixture.pool.connections[2]?.lanes[0].occupant?.isHandedOver == true)
  }

  // MARK: Liveness

  @Test func aQuietConnectionIsPingedAndDiesWithoutAPong() {
    var fixture = BrokerFixture.single()
    #expect(fixture.pass(to: 24_999) == [])
    #expect(fixture.pass(to: 25_000) == [.sendPing(1, id: 1)])
    #expect(fixture.pass(to: 34_999) == [])
    #expect(fixture.pass(to: 35_000) == [.closeConnection(1, .pongTimeout), .dial(2, 0)])
    #expect(fixture.pass(to: 60_000) == [])
    #expect(fixture.closed(1) == [])
  }

  @Test func aPongKeepsTheConnection() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 25_000)
    #expect(fixture.pong(1, id: 1, at: 25_020) == [])
    #expect(fixture.pass(to: 50_019) == [])
    #expect(fixture.pass(to: 50_020) == [.sendPing(1, id: 2)])
    #expect(fixture.broker.counters.pingsSent == 2)
    #expect(fixture.pool.connections[1]?.keepalive?.roundTrip == .milliseconds(20))
    let upstream = fixture.broker.snapshot(at: t(fixture.now)).upstreams[0]
    #expect(upstream.longestRoundTrip == .milliseconds(20))
  }

  @Test func anyBytesPostponeThePing() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 20_000)
    fixture.heard(1)
    #expect(fixture.pass(to: 44_999) == [])
    #expect(fixture.pass(to: 45_000) == [.sendPing(1, id: 1)])
    fixture.heard(1, at: 54_999)
    #expect(fixture.pass(to: 79_998) == [])
    #expect(fixture.pass(to: 79_999) == [.sendPing(1, id: 2)])
  }

  @Test func aModelThatThinksIsPingedNotKilled() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    fixture.pass(to: 25_000)
    fixture.heard(1)
    fixture.pass(to: 50_000)
    #expect(
      fixture.pass(to: 60_000) == [
        .finish(
          1, failure(.connectionLost, origin: .upstream, sent: .unknown, retryable: true),
          done(.error, on: 1, reused: true, total: 60_000)),
        .closeConnection(1, .pongTimeout), .dial(2, 0),
      ])
    #expect(fixture.words.first?.contains(" did not answer a ping within 10 s; ") == true)
  }

  @Test func aPingStillOutWhenADrainRunsOutOfTimeDelaysNothing() {
    var fixture = BrokerFixture.single { $0.abandonedTimeout = .seconds(25) }
    for number in 1...10 as ClosedRange<UInt64> {
      fixture.run("a", response: "r", as: RequestNumber(number), on: ConnectionNumber(number))
      fixture.cancel("a")
      fixture.closed(ConnectionNumber(number))
      fixture.opened(ConnectionNumber(number + 1))
    }
    fixture.run("a", response: "r", as: 11, on: 11)
    fixture.cancel("a")
    let actions = fixture.pass(to: 25_000)
    #expect(actions.contains(.closeConnection(11, .abandonedTimeout)))
  }
}

extension Action {
  var isFinish: Bool {
    if case .finish = self { return true }
    return false
  }

  var isNotice: Bool {
    if case .notifyQueued = self { return true }
    return false
  }
}
