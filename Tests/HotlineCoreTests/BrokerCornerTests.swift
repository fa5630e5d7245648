import Testing

@testable import HotlineCore

/// What simulated runs have found, each in as few steps as show it.
@Suite struct BrokerCornerTests {
  private func event(_ event: EventFacts, lane: Int) -> EventFacts {
    var event = event
    event.lane = .lane(lane)
    return event
  }

  @Test func aClientThatAskedForTwoDrainsIsClosedAfterBothAnswers() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a", from: 2)
    fixture.drain(1)
    fixture.drain(2)
    fixture.halfClose(1)
    let error = failure(.cancelled, retryable: true)
    #expect(fixture.reload() == [.answer(1, error), .answer(2, error), .closeClient(1)])
  }

  @Test func whatPrefersAConnectionGoesOnThereWhenOthersHadTheirTurn() {
    var fixture = BrokerFixture.single(clients: 2) { $0.lanes = 4 }
    fixture.ask("a") { $0.promptCacheKey = "k" }
    fixture.handedOver(1)
    fixture.ask("b") { $0.promptCacheKey = "k" }
    fixture.ask("c") { $0.promptCacheKey = "k" }
    fixture.ask("d", from: 2)
    // The server has shown that it knows lanes: three more can begin.
    #expect(
      fixture.event(event(.created("r1"), lane: 0)) == [
        .deliver(1), .send(2, on: 1, lane: 1), .send(4, on: 1, lane: 2), .send(3, on: 1, lane: 3),
      ])
  }

  @Test func aContinuationThatComesWhileItsConnectionRetiresIsLost() {
    var fixture = BrokerFixture.single { $0.lanes = 4 }
    fixture.ask("a")
    fixture.handedOver(1)
    fixture.event(event(.created("r1"), lane: 0))
    fixture.event(event(.ended(.completed, "r1"), lane: 0))
    #expect(fixture.ask("b").last == .send(2, on: 1, lane: 1))
    #expect(fixture.reload { $0[0].needsNewConnections = true } == [.dial(2, 0)])
    #expect(
      fixture.ask("c") { $0.previousResponseID = "r1" } == [
        .accept(3, madeID: nil),
        .finish(3, failure(.conversationLost, param: "previous_response_id"), done(.error)),
      ])
  }

  @Test func aServerThatRefusesLanesIsNotAskedAgainThoughItsErrorIsPassedOn() {
    var fixture = BrokerFixture.single { $0.lanes = 4 }
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    fixture.closed(1, .reset, at: 5_000)
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: 0)])
    fixture.handedOver(1)
    var refusal = EventFacts.error("invalid_request_error")
    refusal.errorParam = "stream_id"
    fixture.event(refusal, on: 2)
    #expect(fixture.broker.requests.isEmpty)
    #expect(fixture.ask("b").last == .send(2, on: 2, lane: nil))
  }

  @Test func aHalfClosedClientIsClosedAfterTheLastLinesOfAllItsContinuations() throws {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    fixture.ask("b") { $0.previousResponseID = "r1" }
    fixture.ask("c") { $0.previousResponseID = "r1" }
    fixture.halfClose(1)
    fixture.handedOver(2)
    let actions = fixture.event(.error("websocket_connection_limit_reached"))
    let finishes = actions.indices.filter { index in
      if case .finish = actions[index] { true } else { false }
    }
    let closing = try #require(actions.firstIndex(of: .closeClient(1)))
    #expect(finishes.count == 2 && finishes.allSatisfy { $0 < closing })
  }

  @Test func connectingIsNoReasonWhileAConnectionIsOpen() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    #expect(fixture.ask("a").last == .dial(2, 0))
    fixture.ask("b")
    #expect(fixture.pass(to: 100) == [.notifyQueued(2, position: 1, reason: .busy)])
  }

  @Test func aReloadClosesAllThatAreTooManyThoughOneOfThemIsOld() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 3
      $0.connectionsMax = 3
      $0.idleLimit = .seconds(100)
    }
    fixture.run("a", response: "r1", as: 1)
    fixture.event(.ended(.completed, "r1"))
    #expect(fixture.ask("b", at: 50_000).last == .send(2, on: 2, lane: nil))
    #expect(fixture.ask("c").last == .send(3, on: 3, lane: nil))
    fixture.handedOver(2)
    fixture.handedOver(3)
    fixture.event(.ended(.completed, "r2"), on: 2)
    fixture.event(.ended(.completed, "r3"), on: 3)
    #expect(
      fixture.reload(at: 95_000) {
        $0[0].settings.limits.connectionsWarm = 1
        $0[0].settings.limits.connectionsMax = 1
      } == [.closeConnection(1, .idleLimit), .closeConnection(2, .surplus)])
  }
}
