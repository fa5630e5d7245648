import Testing

@testable import HotlineCore

@Suite struct BrokerLeavingTests {
  private let unknown = failure(.unknownRequestID, origin: .client, param: "request_id")

  // MARK: Cancel

  @Test func cancellingAWaitingRequestCostsNothing() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b")
    #expect(
      fixture.cancel("b", at: 10) == [.finish(2, nil, done(.cancelled, queued: 10, total: 10))])
    #expect(fixture.broker.upstreams[0].waitingCount == 0)
  }

  @Test func cancellingARunningRequestDropsItsConnectionAndReplacesIt() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    #expect(
      fixture.cancel("a", at: 10) == [
        .finish(
          1, nil,
          done(
            .cancelled, on: 1, reused: true, response: "resp", firstEvent: 0, total: 10,
            events: 1)),
        .closeConnection(1, .abandoned), .dial(2, 0),
      ])
    #expect(fixture.event(.text) == [])
    #expect(fixture.event(.ended(.completed, "resp")) == [])
    #expect(fixture.closed(1) == [])
    #expect(fixture.pool.connections[1] == nil)
    #expect(fixture.broker.counters.responsesDropped == 1)
    #expect(fixture.broker.counters.connectionsClosed == [.abandoned: 1])
  }

  @Test func aCancelAfterTheLastLineIsAnsweredAlone() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    fixture.event(.ended())
    #expect(fixture.cancel("a") == [.refuse(1, unknown)])
    #expect(fixture.cancel("never") == [.refuse(1, unknown)])
  }

  @Test func aSecondCancelIsAnsweredAlone() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    fixture.cancel("a")
    #expect(fixture.cancel("a") == [.refuse(1, unknown)])
  }

  @Test func nobodyCancelsAnothersRequest() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "resp", as: 1)
    #expect(fixture.cancel("a", by: 2) == [.refuse(2, unknown)])
    #expect(fixture.event(.text) == [.deliver(1)])
  }

  // MARK: Hang-up

  @Test func aHangUpCancelsEverythingOfThatClientAndNothingElse() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "resp", as: 1)
    fixture.ask("b")
    fixture.ask("c", from: 2)
    #expect(
      fixture.hangUp(1) == [
        .finish(
          1, nil,
          done(.cancelled, on: 1, reused: true, response: "resp", firstEvent: 0, events: 1)),
        .closeConnection(1, .abandoned),
        .finish(2, nil, done(.cancelled)),
        .dial(2, 0),
      ])
    #expect(fixture.closed(1) == [])
    #expect(fixture.opened(2) == [.send(3, on: 2, lane: nil)])
    #expect(fixture.broker.counters.requestsHungUp == 2)
  }

  @Test func aRequestMayFinishAfterTheHangUp() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1) { $0.finishesOnHangup = true }
    fixture.ask("b") { $0.finishesOnHangup = true }
    #expect(fixture.hangUp(1) == [])
    #expect(fixture.event(.text) == [.deliver(1)])
    #expect(
      fixture.event(.ended()) == [
        .deliver(1),
        .finish(
          1, nil,
          done(
            .completed, on: 1, reused: true, response: "resp", firstEvent: 0, firstText: 0,
            events: 3)),
        .send(2, on: 1, lane: nil),
      ])
  }

  // MARK: Half-close

  @Test func aHalfClosedClientIsClosedAfterItsLastRequest() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(2)
    fixture.run("b", response: "r2", as: 2, on: 2)
    #expect(fixture.halfClose(1) == [])
    #expect(fixture.event(.ended(), on: 2).contains(.closeClient(1)) == false)
    #expect(
      fixture.event(.ended()) == [
        .deliver(1),
        .finish(
          1, nil,
          done(.completed, on: 1, reused: true, response: "r1", firstEvent: 0, events: 2)),
        .closeClient(1),
      ])
    #expect(fixture.hangUp(1) == [])
  }

  @Test func aHalfClosedClientWithoutRequestsIsClosedAtOnce() {
    var fixture = BrokerFixture.warm()
    #expect(fixture.halfClose(1) == [.closeClient(1)])
  }

  @Test func aHalfClosedClientIsClosedOnce() {
    var fixture = BrokerFixture.warm()
    fixture.halfClose(1)
    #expect(fixture.halfClose(1) == [])
  }

  // MARK: The storm guard

  /// Requests that are cancelled while running, each on the connection that the one before left.
  private func stormed(drops: Int, every milliseconds: Int) -> BrokerFixture {
    var fixture = BrokerFixture.single { $0.pingInterval = .seconds(600) }
    for drop in 1...drops {
      let number = UInt64(drop)
      fixture.run(
        "a", response: "resp", as: RequestNumber(number), on: ConnectionNumber(number))
      fixture.cancel("a", at: drop * milliseconds)
      fixture.closed(ConnectionNumber(number))
      fixture.opened(ConnectionNumber(number + 1))
    }
    return fixture
  }

  @Test func tenDropsWithinTenSecondsAreDrops() {
    let fixture = stormed(drops: 10, every: 1_000)
    #expect(fixture.broker.counters.responsesDropped == 10)
    #expect(fixture.broker.counters.responsesDrained == 0)
  }

  @Test func theEleventhIsDrainedAndItsConnectionUsedAgain() {
    var fixture = stormed(drops: 10, every: 1_000)
    fixture.run("a", response: "r11", as: 11, on: 11)
    #expect(
      fixture.cancel("a", at: 11_000) == [
        .finish(
          11, nil,
          done(
            .cancelled, on: 11, reused: true, response: "r11", firstEvent: 0, total: 1_000,
            events: 1))
      ])
    #expect(fixture.ask("b") == [.accept(12, madeID: nil)])
    #expect(fixture.event(.text, on: 11) == [])
    #expect(fixture.progress(isText: true, on: 11) == .unusual)
    #expect(fixture.event(.notice, on: 11) == [])
    #expect(fixture.event(.unusable, on: 11) == [])
    #expect(fixture.event(.ended(.completed, "r11"), on: 11) == [.send(12, on: 11, lane: nil)])
    #expect(fixture.broker.counters.responsesDrained == 1)
    #expect(fixture.broker.counters.abandonedEvents == 4)
  }

  @Test func theGuardForgetsAfterTenSeconds() {
    var fixture = stormed(drops: 10, every: 1_000)
    fixture.run("a", response: "r11", as: 11, on: 11)
    #expect(fixture.cancel("a", at: 11_001).contains(.closeConnection(11, .abandoned)))
  }

  @Test func aDrainThatTakesTooLongDropsTheConnection() {
    var fixture = stormed(drops: 10, every: 10)
    fixture.run("a", response: "r11", as: 11, on: 11)
    fixture.cancel("a", at: 1_000)
    #expect(fixture.pass(to: 60_999).contains { $0.isClose } == false)
    let actions = fixture.pass(to: 61_000)
    #expect(actions == [.closeConnection(11, .abandonedTimeout), .dial(12, 0)])
  }

  @Test func anErrorEndsADrain() {
    var fixture = stormed(drops: 10, every: 10)
    fixture.run("a", response: "r11", as: 11, on: 11)
    fixture.cancel("a", at: 1_000)
    #expect(
      fixture.event(.error("bad"), on: 11) == [
        .closeConnection(11, .errorInResponse), .dial(12, 0),
      ])
  }

  @Test func aDrainedConnectionMayBeLost() {
    var fixture = stormed(drops: 10, every: 10)
    fixture.run("a", response: "r11", as: 11, on: 11)
    fixture.cancel("a", at: 1_000)
    #expect(fixture.closed(11, .reset) == [.dial(12, 0)])
  }
}

extension Action {
  var isClose: Bool {
    if case .closeConnection = self { return true }
    return false
  }
}
