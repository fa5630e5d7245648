import Testing

@testable import HotlineCore

@Suite struct BrokerEventTests {
  // MARK: Filters

  @Test(arguments: [
    (EventFilter.all, [true, true, true, true, true]),
    (.text, [false, false, true, false, false]),
    (.final, [false, false, false, false, false]),
  ])
  func aFilterLetsThroughWhatTheClientAskedFor(filter: EventFilter, wanted: [Bool]) {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.events = filter }
    fixture.handedOver(1)
    let events: [EventFacts] = [.created("r1"), .progress, .text, .notice, .unusable]
    for (event, isWanted) in zip(events, wanted) {
      #expect(fixture.event(event) == (isWanted ? [.deliver(1)] : []))
    }
    #expect(fixture.progress(isText: false) == (wanted[1] ? .deliver(1) : .skip))
    #expect(fixture.progress(isText: true) == (wanted[2] ? .deliver(1) : .skip))
    let count = wanted.count { $0 } + (wanted[1] ? 1 : 0) + (wanted[2] ? 1 : 0) + 1
    let completion = done(
      .completed, on: 1, reused: true, response: "r1", firstEvent: 0, firstText: 0,
      events: count)
    #expect(fixture.event(.ended()) == [.deliver(1), .finish(1, nil, completion)])
    #expect(fixture.broker.counters.eventsDelivered == UInt64(count))
  }

  @Test(arguments: [EventFilter.all, .text, .final])
  func anErrorPassesEveryFilter(filter: EventFilter) {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.events = filter }
    fixture.handedOver(1)
    let completion = done(.error, on: 1, reused: true, firstEvent: 0, events: 1)
    #expect(fixture.event(.error("bad")) == [.deliver(1), .finish(1, nil, completion)])
  }

  @Test func theFirstTextIsTimedThoughTheClientDoesNotWantIt() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.events = .final }
    fixture.handedOver(1)
    fixture.event(.created("r1"), at: 5)
    #expect(fixture.progress(isText: true, at: 10) == .skip)
    #expect(fixture.progress(isText: true, at: 20) == .skip)
    #expect(
      fixture.event(.ended(), at: 30).last
        == .finish(
          1, nil,
          done(
            .completed, on: 1, reused: true, response: "r1", firstEvent: 5, firstText: 10,
            total: 30, events: 1)))
  }

  // MARK: The hot path

  @Test func theHotPathIsForResponsesThatHaveBegun() {
    var fixture = BrokerFixture.single()
    #expect(fixture.progress(isText: true) == .unusual)
    fixture.ask("a")
    #expect(fixture.progress(isText: true) == .unusual)
    fixture.handedOver(1)
    #expect(fixture.progress(isText: true) == .unusual)
    fixture.event(.created("r1"))
    #expect(fixture.progress(isText: true) == .deliver(1))
    #expect(fixture.progress(isText: false) == .deliver(1))
    fixture.event(.ended())
    #expect(fixture.progress(isText: true) == .unusual)
  }

  @Test func theHotPathStopsAtTheBufferLimit() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.progress(isText: true, unread: 99) == .deliver(1))
    #expect(fixture.progress(isText: true, unread: 100) == .unusual)
  }

  @Test func whatIsNotWantedNeedsNoRoom() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1) { $0.events = .final }
    #expect(fixture.progress(isText: true, unread: 100) == .skip)
    #expect(fixture.event(.text, unread: 100) == [])
  }

  // MARK: Slow readers

  private let slow = failure(.slowReader, origin: .client, sent: .yes, retryable: true)

  @Test func anEventIsTakenWhileLessThanTheLimitWaitsUnread() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.event(.text, unread: 99) == [.deliver(1)])
    #expect(
      fixture.event(.text, unread: 100) == [
        .finish(
          1, slow,
          done(
            .error, on: 1, reused: true, response: "r1", firstEvent: 0, firstText: 0, events: 2)),
        .closeConnection(1, .abandoned), .dial(2, 0),
      ])
  }

  @Test func aTerminalEventAtTheLimitEndsTheRequestSlowlyAndFreesTheLane() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.event(.ended(.completed, "r1", usage: "{}"), unread: 100) == [
        .finish(
          1, slow,
          done(.error, on: 1, reused: true, response: "r1", usage: "{}", firstEvent: 0, events: 1))
      ])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 1, lane: nil)])
  }

  @Test func anErrorEventAtTheLimitEndsTheRequestSlowly() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(.error("bad"), unread: 100) == [
        .finish(1, slow, done(.error, on: 1, reused: true, firstEvent: 0))
      ])
  }

  @Test func aSlowReaderMissesANoticeAndNoMore() {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.event(.notice, unread: 100) == [])
    #expect(fixture.event(.notice, unread: 99) == [.deliver(1)])
  }

  // MARK: Errors

  @Test func anErrorBeforeTheResponseLeavesTheConnectionUsable() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(.error("invalid_model"), at: 10) == [
        .deliver(1),
        .finish(1, nil, done(.error, on: 1, reused: true, firstEvent: 10, total: 10, events: 1)),
      ])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 1, lane: nil)])
  }

  @Test func anErrorAfterTheFirstEventOfTheResponseRetiresTheConnection() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.event(.error("server_error")) == [
        .deliver(1),
        .finish(
          1, nil, done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 2)),
        .closeConnection(1, .errorInResponse), .dial(2, 0),
      ])
  }

  @Test(arguments: [EventFacts.error("bad"), .unusable, .text, .ended()])
  func whatComesBeforeTheHandOverRetiresTheConnectionAndTheRequestGoesElsewhere(
    event: EventFacts
  ) {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 3_000)
    fixture.ask("a")
    #expect(fixture.event(event) == [.closeConnection(1, .unexpectedEvent), .dial(2, 0)])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
  }

  @Test(arguments: [EventFacts.notice, .unknown])
  func otherEventsBeforeTheHandOverReachNobody(event: EventFacts) {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    #expect(fixture.event(event) == [])
    #expect(fixture.broker.counters.idleEventsIgnored == 1)
  }

  // MARK: Refused for the connection's sake

  @Test(arguments: ["websocket_connection_limit_reached", "session_expired"] as [ByteString])
  func aRequestRefusedForTheConnectionsSakeIsSentOnceElsewhere(code: ByteString) {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.pass(to: 3_000)
    fixture.ask("a")
    fixture.opened(2)
    fixture.handedOver(1)
    #expect(
      fixture.event(.error(code), at: 3_010) == [
        .closeConnection(1, .refusedByServer), .send(1, on: 2, lane: nil), .dial(3, 0),
      ])
    fixture.handedOver(1)
    fixture.event(.created("r1"), on: 2)
    #expect(
      fixture.event(.ended(), on: 2, at: 3_020).last
        == .finish(
          1, nil,
          done(
            .completed, on: 2, reused: true, resent: true, response: "r1", queued: 10,
            firstEvent: 10, total: 20, events: 2)))
    #expect(fixture.broker.counters.requestsResent == 1)
  }

  @Test func theSecondRefusalIsPassedOn() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.ask("a")
    fixture.opened(2)
    fixture.handedOver(1)
    fixture.event(.error("session_expired"))
    fixture.handedOver(1)
    #expect(
      fixture.event(.error("session_expired"), on: 2).prefix(3) == [
        .deliver(1),
        .finish(1, nil, done(.error, on: 2, reused: true, resent: true, firstEvent: 0, events: 1)),
        .closeConnection(2, .refusedByServer),
      ])
  }

  @Test func aRefusalInTheMiddleOfTheResponseIsPassedOn() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.event(.error("websocket_connection_limit_reached")).first == .deliver(1))
  }

  @Test func aRefusedContinuationIsLostAndWasNotResent() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended())
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.handedOver(2)
    #expect(
      fixture.event(.error("session_expired")) == [
        .finish(
          2, failure(.conversationLost, sent: .unknown, param: "previous_response_id"),
          done(.error, on: 1, reused: true)),
        .closeConnection(1, .refusedByServer), .dial(2, 0),
      ])
    #expect(fixture.broker.counters.requestsResent == 0)
  }

  @Test func aRefusalBeforeTheHandOverIsNoResend() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.ask("a")
    fixture.opened(2)
    #expect(fixture.event(.error("session_expired")).contains(.send(1, on: 2, lane: nil)))
    fixture.handedOver(1)
    #expect(
      fixture.event(.ended(.completed, "r1"), on: 2).last
        == .finish(
          1, nil,
          done(.completed, on: 2, reused: true, response: "r1", firstEvent: 0, events: 1)))
  }

  @Test func aRefusedRequestThatIsNeverSentAgainWasNotResent() {
    var fixture = BrokerFixture.single(limits: .with { $0.waitTimeout = .seconds(1) })
    fixture.ask("a")
    fixture.handedOver(1)
    fixture.event(.error("session_expired"))
    #expect(
      fixture.pass(to: 1_000).last
        == .finish(
          1, failure(.queueTimeout, sent: .unknown, retryable: true),
          done(.error, on: 1, reused: true, total: 1_000)))
  }

  // MARK: Nothing runs

  @Test(arguments: [
    EventFacts.progress, .text, .created("r"), .ended(), .error("bad"), .unusable,
  ])
  func anEventOfAResponseOnAnIdleConnectionRetiresIt(event: EventFacts) {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 3_000)
    #expect(
      fixture.event(event) == [.closeConnection(1, .unexpectedEvent), .dial(2, 0)])
    #expect(fixture.event(event) == [])
    #expect(fixture.broker.counters.connectionsClosed == [.unexpectedEvent: 1])
  }

  @Test(arguments: [EventFacts.notice, .unknown])
  func otherEventsOnAnIdleConnectionAreCountedAndIgnored(event: EventFacts) {
    var fixture = BrokerFixture.single()
    #expect(fixture.event(event) == [])
    #expect(fixture.broker.counters.idleEventsIgnored == 1)
    #expect(fixture.ask("a").last == .send(1, on: 1, lane: nil))
  }

  @Test func theConnectionLimitOnAnIdleConnectionRetiresIt() {
    var fixture = BrokerFixture.single()
    fixture.pass(to: 3_000)
    #expect(
      fixture.event(.error("websocket_connection_limit_reached")) == [
        .closeConnection(1, .refusedByServer), .dial(2, 0),
      ])
  }

  // MARK: Late events

  /// A connection on which `r1` ended and `b` was sent.
  private func secondRequest() -> BrokerFixture {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    fixture.ask("b")
    return fixture
  }

  private let stray: [Action] = [
    .finish(
      2, failure(.upstreamProtocol, origin: .upstream, sent: .unknown, retryable: true),
      done(.error, on: 1, reused: true)),
    .closeConnection(1, .unexpectedEvent), .dial(2, 0),
  ]

  @Test(arguments: [
    EventFacts.created("r1"), .ended(.completed, "r1"), .progress, .text, .ended(),
  ])
  func aLateEventOfTheResponseBeforeNeverReachesTheNextRequest(event: EventFacts) {
    var fixture = secondRequest()
    fixture.handedOver(2)
    #expect(fixture.event(event) == stray)
  }

  @Test func aLateEventOfTheResponseBeforeThatReachesNobodyEither() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    fixture.run("b", response: "r2", as: 2)
    fixture.event(.ended(.completed, "r2"))
    fixture.ask("c")
    fixture.handedOver(3)
    #expect(fixture.event(.ended(.completed, "r1")).contains(.deliver(3)) == false)
  }

  @Test func aLateEventBeforeTheHandOverSendsTheRequestElsewhereUnseen() {
    var fixture = secondRequest()
    #expect(
      fixture.event(.text) == [.closeConnection(1, .unexpectedEvent), .dial(2, 0)])
    #expect(fixture.closed(1) == [])
    #expect(fixture.opened(2) == [.send(2, on: 2, lane: nil)])
  }

  @Test(arguments: [EventFacts.created("r1"), .ended(.completed, "r9")])
  func anEventOfAnotherResponseInTheMiddleEndsTheRequest(event: EventFacts) {
    var fixture = secondRequest()
    fixture.handedOver(2)
    fixture.event(.created("r2"))
    #expect(
      fixture.event(event).first
        == .finish(
          2, failure(.upstreamProtocol, origin: .upstream, sent: .yes, retryable: true),
          done(.error, on: 1, reused: true, response: "r2", firstEvent: 0, events: 1)))
  }

  @Test func aServerThatNeverSaysIdsIsBelieved() {
    var fixture = BrokerFixture.single()
    for number in 1...3 as ClosedRange<UInt64> {
      fixture.ask("a")
      fixture.handedOver(RequestNumber(number))
      #expect(fixture.event(.text) == [.deliver(RequestNumber(number))])
      #expect(fixture.event(.ended()).count == 2)
    }
  }

  @Test func aServerThatSaysTheIdOnlyAtTheEndIsBelieved() {
    var fixture = BrokerFixture.single()
    for number in 1...3 as ClosedRange<UInt64> {
      fixture.ask("a")
      fixture.handedOver(RequestNumber(number))
      #expect(fixture.event(.text) == [.deliver(RequestNumber(number))])
      #expect(fixture.event(.ended(.completed, ByteString("r\(number)".utf8))).count == 2)
    }
  }

  @Test func aLateEventOfADrainedResponseNeverReachesTheNextRequest() {
    var fixture = BrokerFixture.single()
    for number in 1...10 as ClosedRange<UInt64> {
      fixture.run("a", response: "r", as: RequestNumber(number), on: ConnectionNumber(number))
      fixture.cancel("a")
      fixture.closed(ConnectionNumber(number))
      fixture.opened(ConnectionNumber(number + 1))
    }
    fixture.ask("a")
    fixture.handedOver(11)
    fixture.cancel("a")
    fixture.ask("b")
    fixture.event(.created("r11"), on: 11)
    #expect(fixture.event(.ended(.completed, "r11"), on: 11) == [.send(12, on: 11, lane: nil)])
    fixture.handedOver(12)
    #expect(fixture.event(.ended(.completed, "r11"), on: 11).contains(.deliver(12)) == false)
  }

  @Test func aNoticeIsNoAnswer() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.timeout = .milliseconds(50) }
    fixture.handedOver(1)
    #expect(fixture.event(.notice) == [.deliver(1)])
    #expect(
      fixture.deadline(at: 50).first
        == .finish(
          1, failure(.timeout, sent: .unknown, retryable: true),
          done(.error, on: 1, reused: true, total: 50, events: 1)))
  }
}
