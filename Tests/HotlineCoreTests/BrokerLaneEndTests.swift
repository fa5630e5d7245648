import Testing

@testable import HotlineCore

/// What becomes of the lanes of a connection when one of them, or the connection, ends.
@Suite struct BrokerLaneEndTests {
  // MARK: Events that name no lane, or the wrong one

  enum Unnamed: CaseIterable {
    case notice, unknown, error, terminal, unusable, refusal, response

    var event: EventFacts {
      switch self {
      case .notice: .notice
      case .unknown: .unknown
      case .error: .error("bad")
      case .terminal: EventFacts(.terminal(.completed))
      case .unusable: .unusable
      case .refusal: .error("websocket_connection_limit_reached")
      case .response: .text
      }
    }
  }

  private func allViolated(_ count: Int) -> [Action] {
    (0..<count).map { BrokerFixture.ended($0, .error, with: BrokerFixture.violated) }
      + [.closeConnection(1, .unexpectedEvent), .dial(2, 0)]
  }

  private func expected(_ event: Unnamed, whileRunning count: Int) -> [Action] {
    switch (event, count) {
    case (.response, _): allViolated(count)
    // The connection's: who runs there does not hear of it.
    case (.notice, 0), (.notice, 2), (.unknown, 0), (.unknown, 2): []
    case (.refusal, 0): [.closeConnection(1, .refusedByServer), .dial(2, 0)]
    case (.refusal, _): [.dial(2, 0)]
    // The only one's.
    case (.notice, _), (.unknown, _), (.unusable, 1): [.deliver(1)]
    case (.error, 1):
      [
        .deliver(1), BrokerFixture.ended(0, .error, events: 2),
        .closeConnection(1, .errorInResponse), .dial(2, 0),
      ]
    case (.terminal, 1): [.deliver(1), BrokerFixture.ended(0, .completed, events: 2)]
    case (.error, _), (.terminal, _), (.unusable, _): allViolated(count)
    }
  }

  @Test(arguments: Unnamed.allCases, 0...2)
  func anEventWithoutALaneIsTheOnlyOnesOrTheConnections(event: Unnamed, count: Int) {
    var fixture = BrokerFixture.running(max(count, 1), of: 3)
    if count == 0 { fixture.endOnLane(0) }
    #expect(fixture.event(event.event) == expected(event, whileRunning: count))
  }

  @Test(arguments: [LaneReference.lane(3), .lane(15), .unknown], Unnamed.allCases)
  func anEventOfALaneThatThereIsNotEndsAll(reference: LaneReference, event: Unnamed) {
    var fixture = BrokerFixture.running(2, of: 3)
    let actions = fixture.event(event.event.of(reference))
    let reason: CloseReason = event == .refusal ? .refusedByServer : .unexpectedEvent
    #expect(
      actions == allViolated(2).dropLast(2) + [.closeConnection(1, reason), .dial(2, 0)])
  }

  @Test func anotherLanesResponseNeverReachesARequest() {
    var fixture = BrokerFixture.running(2, of: 2)
    #expect(fixture.event(.created("r1").of(.lane(1))) == allViolated(2))
  }

  // MARK: The server is done with the connection

  @Test func aRefusalOfTheConnectionSendsElsewhereWhatHasNotBegun() {
    var fixture = BrokerFixture.running(1, of: 4)
    fixture.ask("q2", from: 2)
    fixture.handedOver(2)
    fixture.ask("q3", from: 2)
    #expect(fixture.event(.error("session_expired")) == [.dial(2, 0)])
    #expect(fixture.pool.connections[1]?.state == .retiring(.refusedByServer))
    #expect(fixture.stage(of: 1) == .begun)
    #expect(fixture.stage(of: 2) == .queued)
    #expect(fixture.stage(of: 3) == .sent)
    #expect(fixture.opened(2) == [.send(2, on: 2, lane: 0)])
    // Its first attempt says no more.
    #expect(fixture.event(.created("r2").of(.lane(1))) == [])
    // What had not been handed over is, and then the server says it again.
    fixture.handedOver(3)
    #expect(fixture.event(.error("session_expired")) == [])
    #expect(fixture.stage(of: 3) == .queued)
    #expect(
      fixture.endOnLane(0) == [
        .deliver(1), BrokerFixture.ended(0, .completed, events: 2),
        .closeConnection(1, .refusedByServer),
      ])
  }

  @Test func whatWasSentTwiceStaysWhereItIs() {
    var fixture = BrokerFixture.running(1, of: 4)
    for (id, number) in [("q2", 2), ("q3", 3)] as [(ByteString, RequestNumber)] {
      fixture.ask(id, from: 2) { $0.resendsUnanswered = true }
      fixture.handedOver(number)
    }
    fixture.closed(1, .reset)
    #expect(fixture.opened(2) == [.send(2, on: 2, lane: 0)])
    fixture.handedOver(2)
    let begun = fixture.event(.created("r2").of(.lane(0)), on: 2)
    #expect(begun == [.deliver(2), .send(3, on: 2, lane: 1)])
    fixture.handedOver(3)
    #expect(fixture.event(.error("session_expired"), on: 2) == [.dial(3, 0)])
    #expect(fixture.stage(of: 3) == .handedOver)
    #expect(fixture.event(.created("r3").of(.lane(1)), on: 2) == [.deliver(3)])
  }

  @Test func aRefusedContinuationIsLost() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.endOnLane(1)
    fixture.ask("c") { $0.previousResponseID = "r2" }
    fixture.handedOver(3)
    let lost = failure(.conversationLost, sent: .unknown, param: "previous_response_id")
    #expect(
      fixture.event(.error("session_expired")) == [
        .finish(3, lost, done(.error, on: 1, reused: true)), .dial(2, 0),
      ])
  }

  @Test func aRefusalRightAfterTheOpeningCountsAsAFailedDial() {
    var fixture = BrokerFixture.single { $0.lanes = 2 }
    fixture.run("a", response: "r1", as: 1, lane: .lane(0))
    fixture.broker.upstreams[0].pool.connections[1]?.isProven = false
    #expect(fixture.event(.error("session_expired")) == [])
    #expect(fixture.pool.dialsFailed == 1)
  }

  // MARK: Nobody wants it any more

  @Test func anAbandonedResponseCostsItsLaneNotItsConnection() {
    var fixture = BrokerFixture.running(2, of: 2)
    #expect(fixture.cancel("q2") == [BrokerFixture.ended(1, .cancelled)])
    #expect(fixture.ask("q3", from: 2) == [.accept(3, madeID: nil)])
    for event in [EventFacts.text, .progress, .notice, .unusable, .created("r2"), .unknown] {
      #expect(fixture.event(event.of(.lane(1))) == [])
    }
    #expect(fixture.progress(isText: true, lane: .lane(1)) == .unusual)
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(fixture.endOnLane(1) == [.send(3, on: 1, lane: 1)])
    #expect(fixture.broker.counters.responsesDrained == 1)
    #expect(fixture.broker.counters.abandonedEvents == 7)
    fixture.handedOver(3)
    // What is late reaches nobody.
    let lost = failure(.upstreamProtocol, origin: .upstream, sent: .unknown, retryable: true)
    #expect(
      fixture.event(.ended(.completed, "r2").of(.lane(1))) == [
        .finish(
          1, BrokerFixture.violated,
          done(
            .error, on: 1, reused: true, response: "r1", firstEvent: 0, firstText: 0, events: 2)),
        .finish(3, lost, done(.error, on: 1, reused: true)),
        .closeConnection(1, .unexpectedEvent), .dial(2, 0),
      ])
  }

  @Test func aHangUpAbandonsTheLanesOfThatClientOnly() {
    var fixture = BrokerFixture.running(1, of: 3)
    fixture.run("q2", response: "r2", as: 2, lane: .lane(1), from: 2)
    fixture.run("q3", response: "r3", as: 3, lane: .lane(2), from: 2)
    #expect(
      fixture.hangUp(2) == [
        BrokerFixture.ended(1, .cancelled), BrokerFixture.ended(2, .cancelled),
      ])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(fixture.event(.text.of(.lane(2))) == [])
  }

  @Test func aSlowReaderLosesItsOwnOnly() {
    var fixture = BrokerFixture.running(2, of: 2, limits: .with { $0.bufferBytesMax = 100 })
    let slow = failure(.slowReader, origin: .client, sent: .yes, retryable: true)
    #expect(
      fixture.event(.progress.of(.lane(1)), unread: 100) == [
        BrokerFixture.ended(1, .error, with: slow)
      ])
    #expect(fixture.event(.text.of(.lane(0)), unread: 99) == [.deliver(1)])
  }

  @Test func aResponseThatTakesTooLongCostsItsLane() {
    var fixture = BrokerFixture.running(1, of: 2)
    fixture.runOnLane(1) { $0.timeout = .seconds(5) }
    #expect(fixture.deadline(at: 7_999) == [])
    let late = failure(.timeout, sent: .yes, retryable: true)
    #expect(
      fixture.deadline(at: 8_000) == [BrokerFixture.ended(1, .error, with: late, after: 5_000)])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
  }

  @Test func anAbandonedResponseThatDoesNotEndRetiresTheConnectionOfOthers() {
    var fixture = BrokerFixture.running(2, of: 2) { $0.abandonedTimeout = .seconds(5) }
    fixture.cancel("q2")
    #expect(fixture.deadline(at: 7_999) == [])
    #expect(fixture.deadline(at: 8_000) == [.dial(2, 0)])
    #expect(fixture.pool.connections[1]?.state == .retiring(.abandonedTimeout))
    #expect(fixture.event(.text.of(.lane(1))) == [])
    #expect(fixture.endOnLane(1) == [])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(
      fixture.endOnLane(0, at: 9_000).suffix(1) == [.closeConnection(1, .abandonedTimeout)])
  }

  @Test func severalAbandonedResponsesThatDoNotEndCloseTheConnectionOnce() {
    var fixture = BrokerFixture.running(2, of: 2) { $0.abandonedTimeout = .seconds(5) }
    fixture.cancel("q1")
    fixture.cancel("q2")
    #expect(
      fixture.deadline(at: 8_000) == [.closeConnection(1, .abandonedTimeout), .dial(2, 0)])
  }

  @Test func untilALaneIsNamedAnUnwantedResponseIsDroppedWithItsConnection() {
    var fixture = BrokerFixture.lanes(2)
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.cancel("a") == [
        .finish(1, nil, done(.cancelled, on: 1, reused: true)), .closeConnection(1, .abandoned),
        .dial(2, 0),
      ])
  }

  @Test func whereNoLaneIsNamedAnUnwantedResponseIsDroppedWithItsConnection() {
    var fixture = BrokerFixture.lanes(2)
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.cancel("a").suffix(2) == [.closeConnection(1, .abandoned), .dial(2, 0)])
  }

  // MARK: A lane that takes no more

  @Test func anErrorInMidResponseSpendsItsLane() {
    var fixture = BrokerFixture.running(2, of: 3)
    fixture.ask("c") { $0.previousResponseID = "r2" }
    fixture.event(.text.of(.lane(0)))
    #expect(
      fixture.event(.error("server_error").of(.lane(1))) == [
        .deliver(2), BrokerFixture.ended(1, .error, events: 2), .dial(2, 0),
      ])
    #expect(fixture.pool.connections[1]?.state == .retiring(.errorInResponse))
    #expect(fixture.event(.text.of(.lane(1))) == [])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(fixture.ask("d") == [.accept(4, madeID: nil)])
    #expect(fixture.opened(2) == [.send(4, on: 2, lane: 0)])
    #expect(fixture.endOnLane(0).last == .closeConnection(1, .errorInResponse))
  }

  @Test func whatWaitsForALaneThatIsSpentIsLost() {
    var fixture = BrokerFixture.running(2, of: 3)
    fixture.endOnLane(1)
    fixture.run("c", response: "r3", as: 3, lane: .lane(1)) { $0.previousResponseID = "r2" }
    #expect(fixture.ask("d") { $0.previousResponseID = "r2" } == [.accept(4, madeID: nil)])
    let lost = failure(.conversationLost, param: "previous_response_id")
    #expect(
      fixture.event(.error("server_error").of(.lane(1))) == [
        .deliver(3),
        .finish(
          3, nil, done(.error, on: 1, reused: true, response: "r3", firstEvent: 0, events: 2)),
        .finish(4, lost, done(.error)), .dial(2, 0),
      ])
  }

  @Test func whatWaitsForAnotherLaneIsServedThoughTheConnectionRetires() {
    var fixture = BrokerFixture.running(3, of: 3)
    fixture.endOnLane(0)
    fixture.run("c", response: "r4", as: 4, lane: .lane(0)) { $0.previousResponseID = "r1" }
    #expect(fixture.ask("d") { $0.previousResponseID = "r1" } == [.accept(5, madeID: nil)])
    fixture.event(.error("server_error").of(.lane(1)))
    #expect(fixture.event(.ended(.completed, "r4").of(.lane(0))).last == .send(5, on: 1, lane: 0))
    fixture.handedOver(5)
    #expect(fixture.event(.created("r5").of(.lane(0))) == [.deliver(5)])
    fixture.endOnLane(2)
    #expect(
      fixture.event(.ended(.completed, "r5").of(.lane(0))).last
        == .closeConnection(1, .errorInResponse))
  }

  @Test func anInterruptedResponseSpendsItsLane() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.control("q2", .interrupt)
    #expect(fixture.event(.created("r9").of(.lane(1))) == [.deliver(2)])
    #expect(
      fixture.event(.ended(.completed, "r9").of(.lane(1))) == [
        .deliver(2),
        .finish(
          2, nil,
          done(.completed, on: 1, reused: true, response: "r9", firstEvent: 0, events: 3)),
        .dial(2, 0),
      ])
    #expect(fixture.event(.created("r10").of(.lane(1))) == [])
    #expect(
      fixture.endOnLane(0) == [
        .deliver(1), BrokerFixture.ended(0, .completed, events: 2),
        .closeConnection(1, .steered),
      ])
  }

  @Test func anAbandonedInterruptedResponseSpendsItsLaneToo() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.control("q2", .interrupt)
    fixture.cancel("q2")
    #expect(fixture.event(.created("r9").of(.lane(1))) == [])
    #expect(fixture.event(.ended(.completed, "r9").of(.lane(1))) == [.dial(2, 0)])
    #expect(fixture.endOnLane(0).last == .closeConnection(1, .steered))
  }

  // MARK: The connection is lost

  @Test func eachRequestOfALostConnectionHasItsOwnEnd() {
    var fixture = BrokerFixture.running(2, of: 5)
    fixture.ask("q3", from: 2)
    fixture.handedOver(3)
    fixture.ask("q4", from: 2)
    fixture.ask("q5", from: 2) { $0.resendsUnanswered = true }
    fixture.handedOver(5)
    fixture.cancel("q2")
    func lost(_ sent: HotlineError.Sent) -> HotlineError {
      failure(.connectionLost, origin: .upstream, sent: sent, retryable: true)
    }
    #expect(
      fixture.closed(1, .reset) == [
        BrokerFixture.ended(0, .error, with: lost(.yes)),
        .finish(3, lost(.unknown), done(.error, on: 1, reused: true)), .dial(2, 0),
      ])
    #expect(fixture.opened(2) == [.send(4, on: 2, lane: 0)])
    #expect(fixture.stage(of: 5) == .queued)
  }

  @Test func aMessageTooBigIsNotTheFaultOfWhatHasBegun() {
    var fixture = BrokerFixture.running(1, of: 2)
    fixture.ask("q2", from: 2)
    fixture.handedOver(2)
    func lost(_ sent: HotlineError.Sent, retryable: Bool) -> HotlineError {
      failure(
        .connectionLost, origin: .upstream, sent: sent, retryable: retryable, closeCode: 1009)
    }
    #expect(
      fixture.closed(1, .closed(1009)) == [
        BrokerFixture.ended(0, .error, with: lost(.yes, retryable: true)),
        .finish(2, lost(.unknown, retryable: false), done(.error, on: 1, reused: true)),
        .dial(2, 0),
      ])
  }

  @Test func aMessageTooBigOfSeveralIsNobodysFault() {
    var fixture = BrokerFixture.running(1, of: 3)
    fixture.endOnLane(0)
    for id in ["q2", "q3"] as [ByteString] { fixture.ask(id, from: 2) }
    fixture.handedOver(2)
    let unknown = failure(
      .connectionLost, origin: .upstream, sent: .unknown, retryable: true, closeCode: 1009)
    #expect(
      fixture.closed(1, .closed(1009)) == [
        .finish(2, unknown, done(.error, on: 1, reused: true)), .dial(2, 0),
      ])
    #expect(fixture.stage(of: 3) == .queued)
  }

  @Test func aMessageTooBigMayHaveBeenOneThatNobodyWantsAnyMore() {
    var fixture = BrokerFixture.running(1, of: 3)
    for id in ["q2", "q3"] as [ByteString] { fixture.ask(id, from: 2) }
    fixture.handedOver(2)
    fixture.handedOver(3)
    fixture.cancel("q2", by: 2)
    let unknown = failure(
      .connectionLost, origin: .upstream, sent: .unknown, retryable: true, closeCode: 1009)
    #expect(
      fixture.closed(1, .closed(1009)).contains(
        .finish(3, unknown, done(.error, on: 1, reused: true))))
  }

  @Test func aMissingPongEndsAllLanes() {
    var fixture = BrokerFixture.running(2, of: 2)
    #expect(fixture.pass(to: 25_000) == [.sendPing(1, id: 1)])
    let lost = failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true)
    #expect(
      fixture.pass(to: 35_000) == [
        BrokerFixture.ended(0, .error, with: lost, after: 32_000),
        BrokerFixture.ended(1, .error, with: lost, after: 32_000),
        .closeConnection(1, .pongTimeout), .dial(2, 0),
      ])
  }

  @Test func theEndOfTheDaemonEndsAllLanes() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.terminate()
    let ending = failure(.shuttingDown, sent: .yes, retryable: true)
    #expect(
      fixture.terminate() == [
        BrokerFixture.ended(0, .error, with: ending),
        BrokerFixture.ended(1, .error, with: ending), .stop,
      ])
  }
}
